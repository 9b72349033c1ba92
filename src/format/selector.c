/* SPDX-License-Identifier: Apache-2.0 */
#include "format/selector.h"
#include "format/go_regex.h"
#include <string.h>

struct selector {
	enum selector_kind kind;
	char *text;
	char **pieces; /* WILDCARD: between the stars */
	size_t n_stars;
	go_regex *regex; /* REGEX */
};

/* The texts that the stars match. */
struct star {
	const char *text;
	size_t n;
};
struct stars {
	const char *subject;
	const struct star *at;
	size_t n;
};

selector *selector_new(enum selector_kind kind, const char *text, GError **error)
{
	g_autoptr(selector) s = g_new0(selector, 1);
	s->kind = kind;
	s->text = g_strdup(text);
	if (kind == SELECTOR_REGEX) {
		s->regex = go_regex_new(text, error);
		return s->regex ? g_steal_pointer(&s) : NULL;
	}
	if (kind == SELECTOR_WILDCARD && strstr(text, "**"))
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "failed to translate wildcard \"%s\" to regexp: invalid wildcard: \"**\"", text);
	if (kind == SELECTOR_WILDCARD) {
		s->pieces = g_strsplit(text, "*", -1); /* empty for an empty text */
		s->n_stars = MAX(g_strv_length(s->pieces), 1) - 1;
	}
	return g_steal_pointer(&s);
}

void selector_free(selector *s)
{
	if (!s)
		return;
	g_free(s->text);
	g_strfreev(s->pieces);
	go_regex_free(s->regex);
	g_free(s);
}

/* Finds the last occurrence of the piece in [start, end); NULL: none. */
static const char *find_last(const char *start, const char *end, const char *piece)
{
	size_t n = strlen(piece);
	for (const char *p = end - n; p >= start && (size_t)(end - start) >= n; p--)
		if (memcmp(p, piece, n) == 0)
			return p;
	return NULL;
}

/* The last piece must end the subject; the others are placed as far to the end as possible. */
static const char *find_piece(const selector *s, size_t i, const char *start, const char *end)
{
	const char *piece = s->pieces[i];
	size_t n = strlen(piece);
	if (i < s->n_stars)
		return find_last(start, end, piece);
	return (size_t)(end - start) >= n && memcmp(end - n, piece, n) == 0 ? end - n : NULL;
}

/*
 * The first star matches as much as possible, then the second, and so on, so all pieces can be located from the end
 * without backtracking. stars: space for n_stars.
 */
static bool match_stars(const selector *s, const char *subject, struct star *stars)
{
	if (s->n_stars == 0)
		return strcmp(subject, s->text) == 0;
	if (!g_str_has_prefix(subject, s->pieces[0]))
		return false;
	const char *start = subject + strlen(s->pieces[0]), *end = subject + strlen(subject);
	for (size_t i = s->n_stars; i > 0; i--) {
		end = find_piece(s, i, start, end);
		if (!end)
			return false;
		stars[i - 1].text = end; /* temporarily its end */
	}
	for (size_t i = 0; i < s->n_stars; i++) {
		end = stars[i].text;
		stars[i] = (struct star){start, (size_t)(end - start)};
		if (memchr(start, '\n', stars[i].n))
			return false;
		start = end + strlen(s->pieces[i + 1]);
	}
	return true;
}

bool selector_match(const selector *s, const char *subject, bool *ret, GError **error)
{
	bool same = strcmp(s->text, subject) == 0;
	if (!same && s->kind == SELECTOR_REGEX)
		return go_regex_match(s->regex, subject, ret, error);
	if (!same && s->kind == SELECTOR_WILDCARD) {
		g_autofree struct star *stars = g_new0(struct star, s->n_stars + 1);
		same = match_stars(s, subject, stars);
	}
	*ret = same;
	return true;
}

/* Group 0 is the complete subject. */
static bool find_star(void *data, const char *name, int number, const char **ret_text, size_t *ret_n)
{
	const struct stars *found = data;
	if (number < 0 || (size_t)number > found->n)
		return false;
	*ret_text = number > 0 ? found->at[number - 1].text : found->subject;
	*ret_n = number > 0 ? found->at[number - 1].n : strlen(found->subject);
	return true;
}

static char *format_stars(const selector *s, const char *subject, const char *template, size_t max, GError **error)
{
	g_autofree struct star *at = g_new0(struct star, s->n_stars + 1);
	struct stars found = {.subject = subject, .at = at, .n = s->n_stars};
	if (!match_stars(s, subject, at))
		return g_strdup(subject);
	GString *out = g_string_new(NULL);
	bool fits = template_expand(template, find_star, &found, max, out);
	if (!fits)
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "replacement of wildcard \"%s\" is longer than %zu bytes",
			  s->text, max);
	return g_string_free(out, !fits);
}

char *selector_format(const selector *s, const char *subject, const char *template, size_t max, GError **error)
{
	switch (s->kind) {
	case SELECTOR_REGEX:
		return go_regex_replace_all(s->regex, subject, template, max, error);
	case SELECTOR_WILDCARD:
		return format_stars(s, subject, template, max, error);
	case SELECTOR_EXACT:
		break;
	}
	return g_strdup(template);
}
