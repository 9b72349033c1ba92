/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell patterns in ${v#p}, ${v%p} and ${v/p/r}: matching advances a set of positions through the pattern, without
 * backtracking.
 */
#include "base/limits.h"
#include "frontend/dockerfile/text.h"
#include "frontend/dockerfile/words.h"
#include <string.h>

enum { ANY_STRING = -1, ANY_RUNE = -2 };
struct pattern {
	int32_t *tokens; /* a rune, or one of the tokens above */
	size_t n;
	gunichar *runes; /* the value to match */
	size_t len;
	uint8_t *now, *then; /* sets of len + 1 positions */
	int64_t *work;
};

static bool invalid(const char *pattern, gunichar c, GError **error)
{
	char utf8[8] = {0};
	g_unichar_to_utf8(c, utf8);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid pattern (%s) in substitution: invalid escape '\\%s'",
			 pattern, utf8);
}

static gunichar *runes(arena *a, const char *text, size_t *ret_n)
{
	const char *end = text + strlen(text);
	gunichar *out = arena_alloc(a, (strlen(text) + 1) * sizeof *out);
	size_t n = 0, len;
	for (const char *p = text; p < end; p += len)
		out[n++] = text_rune(p, end, &len);
	*ret_n = n;
	return out;
}

static char *text_of(arena *a, const gunichar *r, size_t n)
{
	g_autoptr(GString) s = g_string_sized_new(n);
	for (size_t i = 0; i < n; i++)
		text_append_rune(s, r[i]);
	return arena_strndup(a, s->str, s->len);
}

static void reverse(gunichar *r, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		gunichar c = r[i];
		r[i] = r[n - 1 - i];
		r[n - 1 - i] = c;
	}
}

/* Reverses the pattern; each escape character stays before the character it escapes. */
static char *pattern_reversed(arena *a, const char *pattern)
{
	size_t n;
	gunichar *in = runes(a, pattern, &n);
	gunichar *out = arena_alloc(a, (n + 1) * sizeof *out);
	for (size_t i = 0; i < n;) {
		size_t at = n - 1 - i;
		if (in[i] == '\\' && i + 1 < n) {
			out[at - 1] = in[i];
			out[at] = in[i + 1];
			i += 2;
		} else {
			out[at] = in[i++];
		}
	}
	return text_of(a, out, n);
}

static bool pattern_compile(struct pattern *p, arena *a, const char *pattern, GError **error)
{
	size_t n;
	gunichar *in = runes(a, pattern, &n);
	p->tokens = arena_alloc(a, (n + 1) * sizeof *p->tokens);
	for (size_t i = 0; i < n; i++) {
		gunichar c = in[i];
		if (c == '*') {
			if (!p->n || p->tokens[p->n - 1] != ANY_STRING)
				p->tokens[p->n++] = ANY_STRING;
			continue;
		}
		if (c == '?') {
			p->tokens[p->n++] = ANY_RUNE;
			continue;
		}
		if (c == '\\') {
			gunichar escaped = i + 1 < n ? in[i + 1] : 0xFFFD;
			if (escaped == '}' || escaped == '/')
				continue;
			if (escaped != '*' && escaped != '?' && escaped != '\\')
				return invalid(pattern, escaped, error);
			c = in[++i];
		}
		p->tokens[p->n++] = (int32_t)c;
	}
	return true;
}

/* Advances the reached positions by one token. Returns whether any position is left. */
static bool pattern_step(struct pattern *p, int32_t token, size_t *low, size_t *high)
{
	size_t from = *low, to = *high, first = SIZE_MAX, last = 0;
	memset(p->then + from, 0, p->len + 1 - from);
	bool open = false;
	for (size_t i = from; i <= p->len && (i <= to || open); i++) {
		bool here = i <= to && p->now[i];
		size_t at = i;
		bool reached;
		if (token == ANY_STRING) {
			open = open || here;
			reached = open;
			if (i < p->len && p->runes[i] == '\n')
				open = false;
		} else {
			reached = here && i < p->len &&
				  (token == ANY_RUNE ? p->runes[i] != '\n' : p->runes[i] == (gunichar)token);
			at = i + 1;
		}
		if (!reached)
			continue;
		p->then[at] = 1;
		first = MIN(first, at);
		last = MAX(last, at);
	}
	uint8_t *swap = p->now;
	p->now = p->then;
	p->then = swap;
	*low = first;
	*high = last;
	return first != SIZE_MAX;
}

/* Finds the shortest or longest match that begins at start; *ret_end is SIZE_MAX if there is none. */
static bool pattern_match(struct pattern *p, size_t start, bool greedy, size_t *ret_end, GError **error)
{
	*ret_end = SIZE_MAX;
	if (p->n && p->tokens[0] >= 0 && (start >= p->len || p->runes[start] != (gunichar)p->tokens[0]))
		return true;
	size_t low = start, high = start;
	memset(p->now + start, 0, p->len + 1 - start);
	p->now[start] = 1;
	for (size_t i = 0; i < p->n; i++) {
		if (p->work && (*p->work -= (int64_t)(p->len + 1 - low)) < 0)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "too much variable expansion in one file");
		if (!pattern_step(p, p->tokens[i], &low, &high))
			return true;
	}
	*ret_end = greedy ? high : low;
	return true;
}

static bool pattern_init(struct pattern *p, arena *a, const char *pattern, const char *value, int64_t *work,
			 GError **error)
{
	p->work = work;
	p->runes = runes(a, value, &p->len);
	p->now = arena_alloc(a, p->len + 1);
	p->then = arena_alloc(a, p->len + 1);
	return pattern_compile(p, a, pattern, error);
}

bool words_trim(arena *a, const char *pattern, const char *value, bool suffix, bool greedy, int64_t *work, char **ret,
		GError **error)
{
	struct pattern p = {0};
	if (suffix)
		pattern = pattern_reversed(a, pattern);
	if (!pattern_init(&p, a, pattern, value, work, error))
		return false;
	if (suffix)
		reverse(p.runes, p.len);
	size_t end;
	if (!pattern_match(&p, 0, greedy, &end, error))
		return false;
	if (end == SIZE_MAX)
		end = 0;
	if (suffix)
		reverse(p.runes + end, p.len - end);
	*ret = text_of(a, p.runes + end, p.len - end);
	return true;
}

/* The replacement of all matches is a template: $0 is the match, $$ a dollar, other $names are empty. */
static void append_template(GString *out, const char *template, const char *match)
{
	for (const char *p = template; *p;) {
		if (*p != '$') {
			g_string_append_c(out, *p++);
			continue;
		}
		if (p[1] == '$') {
			g_string_append_c(out, '$');
			p += 2;
			continue;
		}
		bool brace = p[1] == '{';
		const char *name = p + 1 + brace;
		size_t n = 0;
		while (g_ascii_isalnum(name[n]) || name[n] == '_')
			n++;
		if (!n || (brace && name[n] != '}')) {
			g_string_append_c(out, *p++);
			continue;
		}
		if (strspn(name, "0") >= n)
			g_string_append(out, match);
		p = name + n + brace;
	}
}

bool words_replace(arena *a, const char *pattern, const char *value, const char *replacement, bool all, int64_t *work,
		   char **ret, GError **error)
{
	struct pattern p = {0};
	if (!pattern_init(&p, a, pattern, value, work, error))
		return false;
	g_autoptr(GString) out = g_string_new(NULL);
	size_t done = 0, at = 0;
	while (at <= p.len) {
		size_t end;
		if (!pattern_match(&p, at, true, &end, error))
			return false;
		if (end == SIZE_MAX) {
			at++;
			continue;
		}
		g_string_append(out, text_of(a, p.runes + done, at - done));
		if (end > done || at == 0) { /* an empty match directly after a match does not count */
			if (all)
				append_template(out, replacement, text_of(a, p.runes + at, end - at));
			else
				g_string_append(out, replacement);
		}
		done = end;
		at = MAX(end, at + 1);
		if (!all)
			break;
		if (out->len > (size_t)LIMIT_WORD_BYTES || (work && (*work -= (int64_t)strlen(replacement) + 1) < 0))
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "expanded word larger than %lld bytes",
					 LIMIT_WORD_BYTES);
	}
	g_string_append(out, text_of(a, p.runes + done, p.len - done));
	*ret = arena_strndup(a, out->str, out->len);
	return true;
}
