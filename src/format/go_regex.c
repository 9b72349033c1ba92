/* SPDX-License-Identifier: Apache-2.0 */
#include "format/go_regex.h"
#include "base/limits.h"
#include <string.h>

#define REPEAT_MAX 1000 /* the limit of Go */

struct go_regex {
	char *text;
	GRegex *compiled;
};

/* ---- checking for Go's syntax before GLib compiles it */

static bool syntax_error(const char *text, const char *what, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "error parsing regexp: %s: `%s`", what, text);
}

/* Checks an escape: letters with the same meaning in both engines, or punctuation. ret_n: its length. */
static bool check_escape(const char *p, bool in_class, size_t *ret_n)
{
	const char *letters = in_class ? "aftnrxdDsSwWpP0" : "aftnrxdDsSwWpP0bBAzQ";
	if (p[1] == '\0' || (g_ascii_isalnum(p[1]) && !strchr(letters, p[1])))
		return false;
	const char *end = p[1] == 'Q' ? strstr(p, "\\E") : NULL;
	*ret_n = p[1] != 'Q' ? 2 : end ? (size_t)(end + 2 - p) : strlen(p);
	return true;
}

/* Groups may be plain, non-capturing, named, or with flags. */
static bool check_group(const char *p)
{
	if (p[1] == '*')
		return false;
	if (p[1] != '?')
		return true;
	const char *name = g_str_has_prefix(p, "(?P<") ? p + 4 : g_str_has_prefix(p, "(?<") ? p + 3 : NULL;
	if (name)
		return g_ascii_isalnum(*name) || *name == '_';
	size_t n = strspn(p + 2, "imsU-");
	return p[2 + n] == ':' || (n > 0 && p[2 + n] == ')');
}

/* {n}, {n,} or {n,m}; other text with that beginning is literal. ret_n: 0 for literal text. */
static bool check_repeat(const char *p, size_t *ret_n)
{
	char *end;
	*ret_n = 0;
	if (!g_ascii_isdigit(p[1]))
		return true;
	guint64 low = g_ascii_strtoull(p + 1, &end, 10), high = low;
	if (*end == ',' && g_ascii_isdigit(end[1]))
		high = g_ascii_strtoull(end + 1, &end, 10);
	else if (*end == ',')
		end++;
	if (*end != '}')
		return true;
	*ret_n = (size_t)(end + 1 - p);
	return low <= REPEAT_MAX && high <= REPEAT_MAX;
}

struct scan {
	const char *p;
	bool in_class;
	bool repeated; /* the previous element was a repetition */
};

static const char *scan_class(struct scan *s)
{
	size_t n = 1;
	if (*s->p == '\\' && !check_escape(s->p, true, &n))
		return "invalid escape sequence";
	if (s->p[0] == '[' && s->p[1] == ':' && strstr(s->p, ":]"))
		n = (size_t)(strstr(s->p, ":]") + 2 - s->p);
	s->in_class = *s->p != ']';
	s->p += n;
	return NULL;
}

static const char *scan_open_class(struct scan *s)
{
	s->p += s->p[1] == '^' ? 2 : 1;
	s->p += *s->p == ']'; /* a leading ']' is literal */
	s->in_class = true;
	return NULL;
}

/* Checks one element of the expression; returns its error, or NULL. */
static const char *scan_piece(struct scan *s)
{
	size_t n = 1;
	bool repeated = s->repeated;
	s->repeated = false;
	if (*s->p == '\\' && !check_escape(s->p, false, &n))
		return "invalid escape sequence";
	if (*s->p == '(' && !check_group(s->p))
		return "invalid or unsupported Perl syntax";
	if (*s->p == '[')
		return scan_open_class(s);
	if (*s->p == '{' && !check_repeat(s->p, &n))
		return "invalid repeat count";
	bool repeats = strchr("*+?", *s->p) || (*s->p == '{' && n > 0);
	if (repeats && repeated)
		return "invalid nested repetition operator";
	s->p += MAX(n, 1);
	s->repeated = repeats;
	if (repeats && *s->p == '?')
		s->p++;
	return NULL;
}

static bool check_syntax(const char *text, GError **error)
{
	struct scan s = {.p = text};
	while (*s.p) {
		const char *wrong = s.in_class ? scan_class(&s) : scan_piece(&s);
		if (wrong)
			return syntax_error(text, wrong, error);
	}
	return !s.in_class || syntax_error(text, "missing closing ]", error);
}

/* ---- compiling and matching */

/* The message without the expression, which contains our prefix with limits. */
static const char *reason_of(const GError *why)
{
	const char *what = g_strrstr(why->message, ": ");
	return what ? what + 2 : why->message;
}

go_regex *go_regex_new(const char *text, GError **error)
{
	if (strlen(text) > LIMIT_REGEX_BYTES) {
		error_set(error, ERROR_INVALID_ARGUMENT, "regular expression of %zu bytes, limit is %lld", strlen(text),
			  LIMIT_REGEX_BYTES);
		return NULL;
	}
	if (!check_syntax(text, error))
		return NULL;
	g_autofree char *bounded = g_strdup_printf("(*LIMIT_MATCH=%lld)(*LIMIT_DEPTH=%lld)(*LIMIT_HEAP=%lld)%s",
						   LIMIT_REGEX_STEPS, LIMIT_REGEX_STEPS, LIMIT_REGEX_HEAP_KIB, text);
	g_autoptr(GError) why = NULL;
	GRegex *compiled = g_regex_new(bounded, G_REGEX_DOLLAR_ENDONLY | G_REGEX_NEWLINE_LF, 0, &why);
	if (!compiled) {
		syntax_error(text, reason_of(why), error);
		return NULL;
	}
	go_regex *re = g_new0(go_regex, 1);
	re->text = g_strdup(text);
	re->compiled = compiled;
	return re;
}

void go_regex_free(go_regex *re)
{
	if (!re)
		return;
	g_regex_unref(re->compiled);
	g_free(re->text);
	g_free(re);
}

/* Finds the first match at or after start; false without an error: none. */
static bool find_match(const go_regex *re, const char *subject, size_t start, GMatchInfo **ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GMatchInfo) info = NULL;
	if (!g_utf8_validate(subject, -1, NULL)) /* the engine requires valid UTF-8 */
		return error_set(error, ERROR_INVALID_ARGUMENT, "text to match is not UTF-8");
	bool found = g_regex_match_full(re->compiled, subject, -1, (gint)start, 0, &info, &why);
	if (why)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "matching regexp `%s`: %s", re->text, reason_of(why));
	if (found)
		*ret = g_steal_pointer(&info);
	return found;
}

bool go_regex_match(const go_regex *re, const char *subject, bool *ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GMatchInfo) info = NULL;
	bool found = find_match(re, subject, 0, &info, &why);
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	*ret = found;
	return true;
}

static bool find_group(void *data, const char *name, int number, const char **ret_text, size_t *ret_n)
{
	GMatchInfo *info = data;
	gint from, to;
	bool there = number >= 0 ? g_match_info_fetch_pos(info, number, &from, &to)
				 : g_match_info_fetch_named_pos(info, name, &from, &to);
	if (!there || from < 0)
		return false;
	*ret_text = g_match_info_get_string(info) + from;
	*ret_n = (size_t)(to - from);
	return true;
}

/* Ignores an empty match directly after another match. */
static bool replace_one(GMatchInfo *info, const char *subject, size_t *last, size_t *next, const char *template,
			size_t max, GString *out)
{
	gint from, to;
	g_match_info_fetch_pos(info, 0, &from, &to);
	g_string_append_len(out, subject + *last, from - (gssize)*last);
	bool fits = true;
	if ((size_t)to > *last || from == 0)
		fits = template_expand(template, find_group, info, max, out);
	*last = (size_t)to;
	const char *after = subject + *next;
	*next = MAX((size_t)to, *next + (*after ? (size_t)(g_utf8_next_char(after) - after) : 1));
	return fits;
}

char *go_regex_replace_all(const go_regex *re, const char *subject, const char *template, size_t max, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	size_t n = strlen(subject), last = 0, next = 0;
	bool fits = true;
	while (fits && next <= n) {
		g_autoptr(GError) why = NULL;
		g_autoptr(GMatchInfo) info = NULL;
		if (find_match(re, subject, next, &info, &why)) {
			fits = replace_one(info, subject, &last, &next, template, max, out);
			continue;
		}
		if (!why)
			break;
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	g_string_append(out, subject + last);
	if (!fits || out->len > max) {
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "replacement of regexp `%s` is longer than %zu bytes",
			  re->text, max);
		return NULL;
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}
