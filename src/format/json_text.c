/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_text.h"
#include "base/limits.h"
#include <jansson.h>
#include <string.h>

#define ESCAPE_SIZE 6 /* of \uXXXX */

/* ---- compact text */

struct compacting {
	const char *start, *at, *end;
	const char *what;
	GString *out;
};

static bool syntax(const struct compacting *c, const char *why, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse %s: %s at offset %zu", c->what, why,
			 (size_t)(c->at - c->start));
}

static void skip_space(struct compacting *c)
{
	while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at)
		c->at++;
}

static bool is_at(const struct compacting *c, char wanted)
{
	return c->at < c->end && *c->at == wanted;
}

/* The code unit of \uXXXX at a position; -1: there is none. */
static int code_unit(const struct compacting *c, const char *at)
{
	int unit = 0;
	if (c->end - at < ESCAPE_SIZE || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < ESCAPE_SIZE; i++) {
		if (!g_ascii_isxdigit(at[i]))
			return -1;
		unit = unit * 16 + g_ascii_xdigit_value(at[i]);
	}
	return unit;
}

/* Half of a surrogate pair is no character. */
static bool copy_unit(struct compacting *c, GError **error)
{
	int unit = code_unit(c, c->at), next = code_unit(c, c->at + (unit < 0 ? 0 : ESCAPE_SIZE));
	if (unit < 0)
		return syntax(c, "invalid escape sequence", error);
	bool is_pair = unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000;
	bool is_half = !is_pair && unit >= 0xd800 && unit < 0xe000;
	gsize n = is_pair ? 2 * ESCAPE_SIZE : ESCAPE_SIZE;
	g_string_append_len(c->out, is_half ? "\\ufffd" : c->at, (gssize)n);
	c->at += n;
	return true;
}

static bool copy_escape(struct compacting *c, GError **error)
{
	if (c->end - c->at < 2 || !c->at[1] || !strchr("\"\\/bfnrtu", c->at[1]))
		return syntax(c, "invalid escape sequence", error);
	if (c->at[1] == 'u')
		return copy_unit(c, error);
	g_string_append_len(c->out, c->at, 2);
	c->at += 2;
	return true;
}

static void copy_character(struct compacting *c)
{
	gunichar u = g_utf8_get_char_validated(c->at, c->end - c->at);
	bool valid = u < (gunichar)-2;
	if (!valid)
		g_string_append(c->out, "\\ufffd");
	else if (u == '<' || u == '>' || u == '&' || u == 0x2028 || u == 0x2029)
		g_string_append_printf(c->out, "\\u%04x", u);
	else
		g_string_append_len(c->out, c->at, g_utf8_skip[*(const guchar *)c->at]);
	c->at += valid ? g_utf8_skip[*(const guchar *)c->at] : 1;
}

/* ASCII characters that a string contains as they are. */
static bool is_plain(char c)
{
	return (guchar)c >= 0x20 && (guchar)c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static bool copy_string(struct compacting *c, GError **error)
{
	if (!is_at(c, '"'))
		return syntax(c, "expected a string", error);
	g_string_append_c(c->out, *c->at++);
	while (!is_at(c, '"')) {
		const char *plain = c->at;
		while (c->at < c->end && is_plain(*c->at))
			c->at++;
		g_string_append_len(c->out, plain, c->at - plain);
		if (c->at == c->end || (*(const guchar *)c->at < 0x20))
			return syntax(c, c->at == c->end ? "unexpected end" : "control character in a string", error);
		if (is_at(c, '\\')) {
			if (!copy_escape(c, error))
				return false;
		} else if (!is_at(c, '"')) {
			copy_character(c);
		}
	}
	g_string_append_c(c->out, *c->at++);
	return true;
}

static size_t digits_at(const char *at, const char *end)
{
	size_t n = 0;
	while (at + n < end && g_ascii_isdigit(at[n]))
		n++;
	return n;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool copy_number(struct compacting *c, GError **error)
{
	const char *at = c->at, *end = c->end;
	at += at < end && *at == '-';
	size_t n = digits_at(at, end);
	bool ok = n > 0 && (*at != '0' || n == 1);
	at += n;
	if (at < end && *at == '.') {
		n = digits_at(++at, end);
		ok = ok && n > 0;
		at += n;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		n = digits_at(at, end);
		ok = ok && n > 0;
		at += n;
	}
	if (!ok)
		return syntax(c, "invalid value", error);
	g_string_append_len(c->out, c->at, at - c->at);
	c->at = at;
	return true;
}

static bool copy_scalar(struct compacting *c, GError **error)
{
	static const char *const words[] = {"true", "false", "null"};
	if (is_at(c, '"'))
		return copy_string(c, error);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(c->end - c->at) < n || strncmp(c->at, words[i], n) != 0)
			continue;
		g_string_append(c->out, words[i]);
		c->at += n;
		return true;
	}
	return copy_number(c, error);
}

static bool copy_name(struct compacting *c, GError **error)
{
	if (!copy_string(c, error))
		return false;
	skip_space(c);
	if (!is_at(c, ':'))
		return syntax(c, "expected \":\"", error);
	g_string_append_c(c->out, *c->at++);
	return true;
}

/* Opens containers until a scalar or an empty container is complete. opened: '{' or '[' per level. */
static bool copy_down(struct compacting *c, GString *opened, GError **error)
{
	for (;;) {
		skip_space(c);
		if (!is_at(c, '{') && !is_at(c, '['))
			return copy_scalar(c, error);
		if (opened->len >= (gsize)LIMIT_JSON_DEPTH)
			return error_set(error, ERROR_INVALID_ARGUMENT, "%s is nested more than %lld levels deep",
					 c->what, LIMIT_JSON_DEPTH);
		char open = *c->at++;
		g_string_append_c(c->out, open);
		g_string_append_c(opened, open);
		skip_space(c);
		if (is_at(c, open == '{' ? '}' : ']'))
			return true;
		if (open == '{' && !copy_name(c, error))
			return false;
	}
}

/* Closes containers up to the next member or element. */
static bool copy_up(struct compacting *c, GString *opened, GError **error)
{
	while (opened->len > 0) {
		char open = opened->str[opened->len - 1], close = open == '{' ? '}' : ']';
		skip_space(c);
		if (is_at(c, close)) {
			g_string_append_c(c->out, *c->at++);
			g_string_truncate(opened, opened->len - 1);
			continue;
		}
		if (!is_at(c, ','))
			return syntax(c, c->at == c->end ? "unexpected end" : "expected \",\"", error);
		g_string_append_c(c->out, *c->at++);
		skip_space(c);
		return open == '[' || copy_name(c, error);
	}
	return true;
}

GString *json_text_compact(const void *bytes, size_t n, const char *what, GError **error)
{
	const char *start = n > 0 ? bytes : "";
	struct compacting c = {.start = start, .at = start, .end = start + n, .what = what};
	g_autoptr(GString) opened = g_string_new(NULL);
	c.out = g_string_sized_new(n + 1);
	bool ok = true;
	do
		ok = copy_down(&c, opened, error) && copy_up(&c, opened, error);
	while (ok && opened->len > 0);
	skip_space(&c);
	if (ok && c.at < c.end)
		ok = syntax(&c, "unexpected text after the value", error);
	if (ok)
		return c.out;
	g_string_free(c.out, TRUE);
	return NULL;
}

/* ---- reading compact text */

static const char *string_end(const char *at)
{
	for (at++; *at != '"'; at++)
		at += *at == '\\';
	return at + 1;
}

static const char *value_end(const char *at, const char *end)
{
	size_t depth = 0;
	while (at < end) {
		if (*at == '"') {
			at = string_end(at);
		} else {
			if (*at == '{' || *at == '[')
				depth++;
			else if (*at == '}' || *at == ']')
				depth--;
			at++;
		}
		if (depth == 0 && (at == end || strchr(",}]", *at)))
			return at;
	}
	return end;
}

bool json_walk_begin(struct json_walk *w, const char *json, size_t n)
{
	*w = (struct json_walk){0};
	if (n < 2 || (*json != '{' && *json != '['))
		return false;
	w->is_object = *json == '{';
	w->at = json + 1;
	w->end = json + n - 1;
	return true;
}

bool json_walk_next(struct json_walk *w)
{
	if (w->at >= w->end)
		return false;
	w->at += *w->at == ',';
	if (w->is_object) {
		const char *end = string_end(w->at);
		w->key = (struct json_slice){w->at, (size_t)(end - w->at)};
		w->at = end + 1;
	}
	const char *end = value_end(w->at, w->end);
	w->value = (struct json_slice){w->at, (size_t)(end - w->at)};
	w->at = end;
	return true;
}

char *json_slice_string(struct json_slice s)
{
	if (s.n < 2 || *s.start != '"')
		return NULL;
	if (!memchr(s.start, '\\', s.n))
		return g_strndup(s.start + 1, s.n - 2);
	/* U+0000 cannot be part of a C string: such a text is no name, path or digest. */
	json_t *value = json_loadb(s.start, s.n, JSON_DECODE_ANY, NULL);
	char *text = g_strdup(json_string_value(value));
	json_decref(value);
	return text;
}

bool json_slice_is(struct json_slice s, const char *text, bool ignore_case)
{
	if (s.n < 2 || *s.start != '"')
		return false;
	if (!memchr(s.start, '\\', s.n)) {
		size_t n = s.n - 2;
		return strlen(text) == n &&
		       (ignore_case ? g_ascii_strncasecmp(s.start + 1, text, n) : memcmp(s.start + 1, text, n)) == 0;
	}
	g_autofree char *own = json_slice_string(s);
	return own && (ignore_case ? g_ascii_strcasecmp(own, text) : strcmp(own, text)) == 0;
}
