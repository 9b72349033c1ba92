/* SPDX-License-Identifier: Apache-2.0 */
#include "format/toml_scan.h"
#include <errno.h>
#include <math.h>
#include <string.h>

#define DOCUMENT_BYTES (4 * 1024 * 1024)

bool toml_scan_init(struct toml_scan *s, const char *bytes, size_t n, GError **error)
{
	*s = (struct toml_scan){.at = bytes, .end = bytes + n, .line_start = bytes, .line = 1};
	if (n > DOCUMENT_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "the document is larger than %d bytes", DOCUMENT_BYTES);
	const char *bad = NULL;
	if (g_utf8_validate_len(bytes, n, &bad))
		return true;
	for (const char *p = bytes; p < bad; p++)
		if (*p == '\n') {
			s->line++;
			s->line_start = p + 1;
		}
	s->at = bad;
	return toml_scan_fail(s, error, "not UTF-8");
}

int toml_scan_column(const struct toml_scan *s)
{
	return (int)(s->at - s->line_start) + 1;
}

bool toml_scan_fail(const struct toml_scan *s, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(error, ERROR_INVALID_ARGUMENT, "line %d, column %d: %s", s->line, toml_scan_column(s), text);
}

char toml_scan_peek(const struct toml_scan *s)
{
	return s->at < s->end ? *s->at : '\0';
}

static bool looking_at(const struct toml_scan *s, const char *text)
{
	size_t n = strlen(text);
	return (size_t)(s->end - s->at) >= n && memcmp(s->at, text, n) == 0;
}

bool toml_scan_take(struct toml_scan *s, const char *text)
{
	if (!looking_at(s, text))
		return false;
	s->at += strlen(text);
	return true;
}

static void newline(struct toml_scan *s)
{
	s->at++;
	s->line++;
	s->line_start = s->at;
}

void toml_scan_blank(struct toml_scan *s, bool lines)
{
	while (s->at < s->end) {
		char c = *s->at;
		if (c == ' ' || c == '\t')
			s->at++;
		else if (lines && c == '\n')
			newline(s);
		else if (lines && looking_at(s, "\r\n"))
			s->at++;
		else if (lines && c == '#')
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		else
			return;
	}
}

bool toml_scan_end_of_line(struct toml_scan *s, GError **error)
{
	if (toml_scan_peek(s) == '#')
		while (s->at < s->end && *s->at != '\n')
			s->at++;
	toml_scan_take(s, "\r");
	if (s->at == s->end)
		return true;
	if (*s->at != '\n')
		return toml_scan_fail(s, error, "unexpected text after the value");
	newline(s);
	return true;
}

/* ---- strings */

static bool append_escape(struct toml_scan *s, GString *out, GError **error)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	char c = toml_scan_peek(s);
	const char *simple = c ? strchr(from, c) : NULL;
	if (simple) {
		g_string_append_c(out, to[simple - from]);
		s->at++;
		return true;
	}
	int digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
	if (digits == 0 || s->end - s->at <= digits)
		return toml_scan_fail(s, error, "invalid escape in a string");
	guint32 rune = 0;
	for (int i = 1; i <= digits; i++) {
		if (!g_ascii_isxdigit(s->at[i]))
			return toml_scan_fail(s, error, "invalid escape in a string");
		rune = rune * 16 + (guint32)g_ascii_xdigit_value(s->at[i]);
	}
	if (rune == 0 || !g_unichar_validate(rune))
		return toml_scan_fail(s, error, "invalid character in an escape");
	g_string_append_unichar(out, rune);
	s->at += digits + 1;
	return true;
}

/* A backslash at the end of a line removes the line break and the following blanks. */
static bool take_line_continuation(struct toml_scan *s)
{
	const char *p = s->at;
	while (p < s->end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	if (p == s->end || *p != '\n')
		return false;
	s->at = p;
	while (s->at < s->end && strchr(" \t\r\n", *s->at)) {
		if (*s->at == '\n')
			newline(s);
		else
			s->at++;
	}
	return true;
}

/* Parses the body of a string up to its closing quotes. quote: ' or "; multi: three of them. */
static char *string_body(struct toml_scan *s, char quote, bool multi, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	const char close[] = {quote, multi ? quote : '\0', multi ? quote : '\0', '\0'};
	if (multi && !toml_scan_take(s, "\r\n") && toml_scan_peek(s) == '\n')
		newline(s);
	while (s->at < s->end) {
		if (looking_at(s, close)) {
			s->at += strlen(close);
			/* Up to two quotes may precede the closing three. */
			for (int i = 0; multi && i < 2 && toml_scan_peek(s) == quote; i++, s->at++)
				g_string_append_c(out, quote);
			return g_string_free(g_steal_pointer(&out), FALSE);
		}
		char c = *s->at;
		if (c == '\\' && quote == '"') {
			s->at++;
			if (!(multi && take_line_continuation(s)) && !append_escape(s, out, error))
				return NULL;
		} else if (c == '\n') {
			if (!multi)
				break;
			g_string_append_c(out, c);
			newline(s);
		} else if (((unsigned char)c < 0x20 && c != '\t' && !(multi && c == '\r')) || c == 0x7f) {
			toml_scan_fail(s, error, "control character in a string");
			return NULL;
		} else {
			g_string_append_c(out, c);
			s->at++;
		}
	}
	toml_scan_fail(s, error, "the string does not end");
	return NULL;
}

static char *scan_string(struct toml_scan *s, bool multi_allowed, GError **error)
{
	char quote = *s->at;
	const char three[] = {quote, quote, quote, '\0'};
	bool multi = multi_allowed && toml_scan_take(s, three);
	if (!multi)
		s->at++;
	return string_body(s, quote, multi, error);
}

/* ---- keys */

static bool is_bare(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '-';
}

static char *key_part(struct toml_scan *s, GError **error)
{
	char c = toml_scan_peek(s);
	if (c == '"' || c == '\'')
		return scan_string(s, false, error);
	const char *start = s->at;
	while (s->at < s->end && is_bare(*s->at))
		s->at++;
	if (s->at > start)
		return g_strndup(start, (gsize)(s->at - start));
	toml_scan_fail(s, error, "expected a key");
	return NULL;
}

GPtrArray *toml_scan_key(struct toml_scan *s, GError **error)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
	do {
		toml_scan_blank(s, false);
		char *part = key_part(s, error);
		if (!part)
			return NULL;
		g_ptr_array_add(parts, part);
		if (parts->len > 32) {
			toml_scan_fail(s, error, "the key has too many parts");
			return NULL;
		}
		toml_scan_blank(s, false);
	} while (toml_scan_take(s, "."));
	return g_steal_pointer(&parts);
}

/* ---- numbers, booleans, dates */

static bool underscores_are_fine(const char *word)
{
	for (const char *p = strchr(word, '_'); p; p = strchr(p + 1, '_'))
		if (p == word || !g_ascii_isxdigit(p[-1]) || !g_ascii_isxdigit(p[1]))
			return false;
	return true;
}

static bool is_integer(const char *digits, int *ret_base, const char **ret_start)
{
	static const struct {
		const char *prefix;
		int base;
	} bases[] = {{"0x", 16}, {"0o", 8}, {"0b", 2}};
	*ret_base = 10;
	*ret_start = digits;
	for (size_t i = 0; i < G_N_ELEMENTS(bases); i++)
		if (g_str_has_prefix(digits, bases[i].prefix)) {
			*ret_base = bases[i].base;
			*ret_start = digits + 2;
			return g_ascii_isxdigit(digits[2]);
		}
	const char *p = digits + (*digits == '+' || *digits == '-');
	if (p[0] == '0' && p[1] != '\0')
		return false;
	return *p && strspn(p, "0123456789") == strlen(p);
}

static bool scan_float(const char *digits, double *ret)
{
	const char *p = digits + (*digits == '+' || *digits == '-');
	if (strcmp(p, "inf") == 0 || strcmp(p, "nan") == 0) {
		*ret = *p == 'i' ? (*digits == '-' ? -INFINITY : INFINITY) : NAN;
		return true;
	}
	const char *dot = strchr(p, '.');
	if (!g_ascii_isdigit(*p) || strspn(p, "0123456789.eE+-") != strlen(p) || (dot && !g_ascii_isdigit(dot[1])) ||
	    (p[0] == '0' && g_ascii_isdigit(p[1])))
		return false;
	char *end = NULL;
	*ret = g_ascii_strtod(digits, &end);
	return *end == '\0';
}

/* YYYY-MM-DD, HH:MM:SS and their combinations: recognised by shape, stored as text. */
static bool is_datetime(const char *word)
{
	size_t n = strlen(word);
	return (n >= 10 && word[4] == '-' && word[7] == '-' && g_ascii_isdigit(word[0])) ||
	       (n >= 8 && word[2] == ':' && word[5] == ':' && g_ascii_isdigit(word[0]));
}

static bool scan_number(struct toml_scan *s, const char *word, struct toml_token *ret, GError **error)
{
	g_auto(GStrv) groups = g_strsplit(word, "_", -1);
	g_autofree char *digits = g_strjoinv(NULL, groups);
	int base;
	const char *start;
	if (!underscores_are_fine(word))
		return toml_scan_fail(s, error, "misplaced underscore in \"%s\"", word);
	if (is_integer(digits, &base, &start)) {
		char *end = NULL;
		errno = 0;
		ret->type = TOML_INTEGER;
		ret->integer = g_ascii_strtoll(start, &end, (guint)base);
		if (*end != '\0' || errno == ERANGE)
			return toml_scan_fail(s, error, "\"%s\" is not a 64-bit integer", word);
		return true;
	}
	ret->type = TOML_FLOAT;
	return scan_float(digits, &ret->number) || toml_scan_fail(s, error, "invalid value \"%s\"", word);
}

bool toml_scan_scalar(struct toml_scan *s, struct toml_token *ret, GError **error)
{
	char c = toml_scan_peek(s);
	if (c == '"' || c == '\'') {
		ret->type = TOML_STRING;
		ret->text = scan_string(s, true, error);
		return ret->text != NULL;
	}
	size_t n = 0;
	while (s->at + n < s->end && !strchr(" \t\r\n,]}#", s->at[n]))
		n++;
	/* One space may separate a date and a time. */
	if (n == 10 && s->end - s->at > 13 && s->at[10] == ' ' && g_ascii_isdigit(s->at[11]) && s->at[13] == ':')
		for (n = 11; s->at + n < s->end && !strchr(" \t\r\n,]}#", s->at[n]);)
			n++;
	g_autofree char *word = g_strndup(s->at, n);
	if (n == 0)
		return toml_scan_fail(s, error, "expected a value");
	ret->boolean = strcmp(word, "true") == 0;
	bool ok = true;
	if (ret->boolean || strcmp(word, "false") == 0) {
		ret->type = TOML_BOOLEAN;
	} else if (is_datetime(word)) {
		ret->type = TOML_DATETIME;
		ret->text = g_strdup(word);
	} else {
		ok = scan_number(s, word, ret, error);
	}
	s->at += ok ? n : 0;
	return ok;
}
