/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern is exact, a prefix ("X**"), a suffix ("**X") or a regular expression. The kind affects corner cases
 * ("foo**" also matches "foobar"), so the classification is the same as upstream's, character by character.
 */
#include "format/patterns.h"
#include "base/path_text.h"
#include "format/gorune.h"
#include "format/go_regex.h"
#include <string.h>

enum pattern_kind { PATTERN_EXACT, PATTERN_PREFIX, PATTERN_SUFFIX, PATTERN_REGEX };

struct pattern {
	char *text;          /* owned, cleaned */
	const char *literal; /* the text that the kind compares with, inside text */
	size_t n_literal;
	enum pattern_kind kind;
	bool negated;
	go_regex *regex; /* owned */
};

struct patterns {
	GArray *items; /* of struct pattern */
	bool has_exclusions;
	bool plain_includes;   /* no wildcard in patterns without "!", except at the end */
	bool plain_exclusions; /* the same for those with "!" */
};

static void pattern_clear(void *data)
{
	struct pattern *p = data;
	g_free(p->text);
	go_regex_free(p->regex);
}

static struct pattern *pattern_at(const patterns *p, size_t i)
{
	return &g_array_index(p->items, struct pattern, i);
}

/* Converts "**" at p (the second star was read). Returns the rest. */
static const char *compile_double_star(const char *p, const char *end, enum pattern_kind *kind, GString *regex)
{
	if (p < end && *p == '/')
		p++;
	if (p < end) {
		g_string_append(regex, "(?:.*/)?");
		*kind = PATTERN_REGEX;
	} else if (*kind == PATTERN_EXACT) {
		*kind = PATTERN_PREFIX;
	} else {
		g_string_append(regex, ".*");
		*kind = PATTERN_REGEX;
	}
	return p;
}

/* Converts one element of the pattern to regular expression text. */
static const char *compile_element(const char *p, const char *end, bool first, enum pattern_kind *kind, GString *regex)
{
	gunichar rune;
	p += rune_decode(p, end, &rune);
	if (rune == '*' && p < end && *p == '*') {
		p = compile_double_star(p + 1, end, kind, regex);
		if (first)
			*kind = PATTERN_SUFFIX;
	} else if (rune == '*' || rune == '?') {
		g_string_append(regex, rune == '*' ? "[^/]*" : "[^/]");
		*kind = PATTERN_REGEX;
	} else if (rune < 128 && strchr(".+()|{}$", (int)rune)) {
		g_string_append_c(regex, '\\');
		g_string_append_unichar(regex, rune);
	} else if (rune == '\\') {
		g_string_append_c(regex, '\\');
		if (p < end) {
			p += rune_decode(p, end, &rune);
			g_string_append_unichar(regex, rune);
			*kind = PATTERN_REGEX;
		}
	} else {
		g_string_append_unichar(regex, rune);
		if (rune == '[' || rune == ']')
			*kind = PATTERN_REGEX;
	}
	return p;
}

static bool pattern_compile(struct pattern *pattern, GError **error)
{
	g_autoptr(GString) regex = g_string_new(NULL);
	const char *text = pattern->text, *end = text + strlen(text), *p = text;
	enum pattern_kind kind = PATTERN_EXACT;
	if (g_str_has_prefix(p, "\xEF\xBB\xBF"))
		p += 3;
	for (bool first = true; p < end; first = false)
		p = compile_element(p, end, first, &kind, regex);
	pattern->kind = kind;
	pattern->literal = kind == PATTERN_SUFFIX ? text + 2 : text;
	pattern->n_literal = (size_t)(end - pattern->literal) - (kind == PATTERN_PREFIX ? 2 : 0);
	if (kind == PATTERN_REGEX)
		pattern->regex = go_regex_new(regex->str, NULL);
	return kind != PATTERN_REGEX || pattern->regex ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "syntax error in pattern");
}

/* Length of a pattern without a trailing slash and "**", then without a slash and "*". */
static size_t length_without_glob(const char *text)
{
	size_t n = strlen(text);
	if (n >= 3 && memcmp(text + n - 3, "/**", 3) == 0)
		n -= 3;
	if (n >= 2 && memcmp(text + n - 2, "/*", 2) == 0)
		n -= 2;
	return n;
}

static void note_plainness(patterns *p, const struct pattern *pattern)
{
	if (strcspn(pattern->text, "*[]?^\\") >= length_without_glob(pattern->text))
		return;
	if (pattern->negated)
		p->plain_exclusions = false;
	else
		p->plain_includes = false;
}

static bool patterns_add(patterns *p, const char *line, GError **error)
{
	g_autofree char *trimmed = text_trim_space(line);
	if (!*trimmed)
		return true;
	g_autofree char *clean = path_clean(trimmed);
	struct pattern pattern = {.negated = clean[0] == '!'};
	if (pattern.negated && !clean[1])
		return error_set(error, ERROR_INVALID_ARGUMENT, "illegal exclusion pattern: \"!\"");
	bool ignored;
	pattern.text = g_strdup(clean + pattern.negated);
	if (!glob_match(pattern.text, ".", &ignored, error) || !pattern_compile(&pattern, error)) {
		pattern_clear(&pattern);
		return false;
	}
	p->has_exclusions |= pattern.negated;
	note_plainness(p, &pattern);
	g_array_append_val(p->items, pattern);
	return true;
}

patterns *patterns_new(const char *const *list, GError **error)
{
	g_autoptr(patterns) p = g_new0(patterns, 1);
	p->items = g_array_new(FALSE, FALSE, sizeof(struct pattern));
	g_array_set_clear_func(p->items, pattern_clear);
	p->plain_includes = p->plain_exclusions = true;
	for (; list && *list; list++)
		if (!patterns_add(p, *list, error))
			return NULL;
	return g_steal_pointer(&p);
}

void patterns_free(patterns *p)
{
	if (!p)
		return;
	g_array_unref(p->items);
	g_free(p);
}

bool patterns_has_exclusions(const patterns *p)
{
	return p->has_exclusions;
}

size_t patterns_count(const patterns *p)
{
	return p->items->len;
}

const char *patterns_text(const patterns *p, size_t i, bool *ret_negated)
{
	const struct pattern *pattern = pattern_at(p, i);
	if (ret_negated)
		*ret_negated = pattern->negated;
	return pattern->text;
}

static bool pattern_match(const struct pattern *p, const char *path, size_t n)
{
	switch (p->kind) {
	case PATTERN_EXACT:
		return n == p->n_literal && memcmp(path, p->literal, n) == 0;
	case PATTERN_PREFIX:
		return n >= p->n_literal && memcmp(path, p->literal, p->n_literal) == 0;
	case PATTERN_SUFFIX:
		if (n >= p->n_literal && memcmp(path + n - p->n_literal, p->literal, p->n_literal) == 0)
			return true;
		return p->literal[0] == '/' && n + 1 == p->n_literal && memcmp(path, p->literal + 1, n) == 0;
	case PATTERN_REGEX:
		return go_regex_match_whole(p->regex, path, n);
	}
	return false;
}

/* Matches the path itself, then its parents from the top. */
static bool pattern_match_with_parents(const struct pattern *p, const char *path)
{
	if (pattern_match(p, path, strlen(path)))
		return true;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
		if (slash > path && pattern_match(p, path, (size_t)(slash - path)))
			return true;
	return false;
}

bool patterns_match(const patterns *p, const char *path)
{
	return patterns_match_in(p, path, NULL, NULL);
}

bool patterns_match_in(const patterns *p, const char *path, const uint8_t *parent_bits, uint8_t *ret_bits)
{
	bool matched = false;
	size_t n = strlen(path);
	for (size_t i = 0; i < p->items->len; i++) {
		const struct pattern *pattern = pattern_at(p, i);
		bool match = parent_bits && parent_bits[i];
		if (!match && pattern->negated == matched)
			match = parent_bits ? pattern_match(pattern, path, n)
					    : pattern_match_with_parents(pattern, path);
		if (ret_bits)
			ret_bits[i] = match;
		if (match)
			matched = !pattern->negated;
	}
	return matched;
}

/* Reports whether directory is a prefix, by whole components, of a pattern with (or without) "!". */
static bool leads_to_pattern(const patterns *p, const char *directory, bool negated)
{
	size_t n = strlen(directory);
	for (size_t i = 0; i < p->items->len; i++) {
		const struct pattern *pattern = pattern_at(p, i);
		if (pattern->negated != negated)
			continue;
		size_t length = length_without_glob(pattern->text);
		if (length >= n && memcmp(pattern->text, directory, n) == 0 && (length == n || pattern->text[n] == '/'))
			return true;
	}
	return false;
}

bool patterns_may_match_below(const patterns *p, const char *directory)
{
	return !p->plain_includes || leads_to_pattern(p, directory, false);
}

bool patterns_may_except_below(const patterns *p, const char *directory)
{
	return p->has_exclusions && (!p->plain_exclusions || leads_to_pattern(p, directory, true));
}
