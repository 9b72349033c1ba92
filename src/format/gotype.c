/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotype.h"
#include "format/gorune.h"
#include <math.h>
#include <string.h>

static bool number_error(const char *function, const char *text, const char *why, GError **error)
{
	g_autofree char *quoted = go_quote(text);
	return error_set(error, ERROR_INVALID_ARGUMENT, "strconv.%s: parsing %s: %s", function, quoted, why);
}

bool bool_parse(const char *text, bool *ret, GError **error)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", NULL};
	if (!g_strv_contains(yes, text) && !g_strv_contains(no, text))
		return number_error("ParseBool", text, "invalid syntax", error);
	*ret = g_strv_contains(yes, text);
	return true;
}

/* Base 0: the prefix decides; *p is advanced behind it. */
static int base_of_prefix(const char **p)
{
	if ((*p)[0] != '0' || !(*p)[1])
		return 10;
	switch (g_ascii_tolower((*p)[1])) {
	case 'x':
		*p += 2;
		return 16;
	case 'b':
		*p += 2;
		return 2;
	case 'o':
		*p += 2;
		return 8;
	default:
		*p += 1;
		return 8;
	}
}

static int digit_value(char c)
{
	if (g_ascii_isdigit(c))
		return c - '0';
	return g_ascii_isalpha(c) ? g_ascii_tolower(c) - 'a' + 10 : 99;
}

/* Underscores only between digits or after a prefix (Go's rule for base 0). */
static bool underscores_ok(const char *start, const char *digits)
{
	for (const char *p = digits; *p; p++)
		if (*p == '_' && ((p == digits && digits == start) || p[1] == '_' || !p[1]))
			return false;
	return true;
}

bool int_parse(const char *text, int base, int64_t *ret, GError **error)
{
	const char *p = text;
	bool negative = *p == '-', underscores = base == 0, overflow = false;
	if (*p == '-' || *p == '+')
		p++;
	const char *start = p;
	if (base == 0)
		base = base_of_prefix(&p);
	if (!*p || !underscores_ok(start, p))
		return number_error("ParseInt", text, "invalid syntax", error);
	uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
	for (; *p; p++) {
		if (*p == '_' && underscores)
			continue;
		int digit = digit_value(*p);
		if (digit >= base)
			return number_error("ParseInt", text, "invalid syntax", error);
		overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value) ||
			    __builtin_add_overflow(value, (uint64_t)digit, &value) || value > limit;
	}
	if (overflow)
		return number_error("ParseInt", text, "value out of range", error);
	*ret = (int64_t)(negative ? 0 - value : value);
	return true;
}

/* Implements strconv.ParseFloat for plain decimal numbers. */
static bool decimal_parse(const char *text, double *ret, GError **error)
{
	const char *p = text + (*text == '+' || *text == '-');
	size_t whole = strspn(p, "0123456789");
	p += whole;
	size_t fraction = *p == '.' ? strspn(p + 1, "0123456789") : 0;
	p += *p == '.' ? fraction + 1 : 0;
	bool ok = whole + fraction > 0;
	if (ok && (*p == 'e' || *p == 'E')) {
		p += p[1] == '+' || p[1] == '-' ? 2 : 1;
		size_t exponent = strspn(p, "0123456789");
		ok = exponent > 0;
		p += exponent;
	}
	if (!ok || *p)
		return number_error("ParseFloat", text, "invalid syntax", error);
	*ret = g_ascii_strtod(text, NULL);
	if (isinf(*ret))
		return number_error("ParseFloat", text, "value out of range", error);
	return true;
}

/* Returns the factor of a unit ("", "b", "k", "kb", "kib" in any case); 0 if it is unknown. */
static double unit_factor(const char *suffix)
{
	size_t n = strlen(suffix);
	if (n == 0 || g_ascii_strcasecmp(suffix, "b") == 0)
		return 1;
	const char *unit = strchr("kmgtp", g_ascii_tolower(suffix[0]));
	if (n > 3 || !unit || (n == 2 && g_ascii_strcasecmp(suffix + 1, "b") != 0) ||
	    (n == 3 && g_ascii_strcasecmp(suffix + 1, "ib") != 0))
		return 0;
	return (double)(1LL << (10 * (unit - "kmgtp" + 1)));
}

bool size_parse(const char *text, int64_t *ret_bytes, GError **error)
{
	size_t n = strlen(text);
	while (n > 0 && !strchr("0123456789. ", text[n - 1]))
		n--;
	if (n == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid size: '%s'", text);
	g_autofree char *number = g_strndup(text, text[n - 1] == ' ' ? n - 1 : n);
	g_autofree char *suffix = g_ascii_strdown(text + n, -1);
	double value = 0;
	if (!decimal_parse(number, &value, error))
		return false;
	if (value < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid size: '%s'", text);
	double factor = unit_factor(suffix);
	if (factor == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid suffix: '%s'",
				 strlen(suffix) > 3 ? text + n : suffix);
	value *= factor;
	if (value >= 9223372036854775808.0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid size: '%s'", text);
	*ret_bytes = (int64_t)value;
	return true;
}

char *size_format(int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	uint64_t magnitude = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes, unit = 1;
	size_t i = 0;
	for (; i + 1 < G_N_ELEMENTS(units) && magnitude >= unit * 1000; i++)
		unit *= 1000;
	if (i == 0)
		return g_strdup_printf("%" G_GINT64_FORMAT "B", bytes);
	return g_strdup_printf("%.2f%s", (double)bytes / (double)unit, units[i]);
}

static bool is_printable(gunichar rune)
{
	if (rune < 0x80)
		return rune >= ' ' && rune < 0x7F;
	GUnicodeType type = g_unichar_type(rune);
	return g_unichar_isprint(rune) && type != G_UNICODE_SPACE_SEPARATOR && type != G_UNICODE_LINE_SEPARATOR &&
	       type != G_UNICODE_PARAGRAPH_SEPARATOR && type != G_UNICODE_PRIVATE_USE;
}

static void quote_rune(GString *out, gunichar rune)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	const char *simple = rune != 0 && rune < 128 ? strchr(from, (int)rune) : NULL;
	if (simple)
		g_string_append_printf(out, "\\%c", to[simple - from]);
	else if (is_printable(rune))
		g_string_append_unichar(out, rune);
	else if (rune < ' ' || rune == 0x7F)
		g_string_append_printf(out, "\\x%02x", rune);
	else
		g_string_append_printf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
}

char *go_quote(const char *text)
{
	g_autoptr(GString) out = g_string_new("\"");
	for (const char *end = text + strlen(text); text < end;) {
		gunichar rune;
		size_t width = rune_decode(text, end, &rune);
		if (width == 1 && rune == RUNE_ERROR)
			g_string_append_printf(out, "\\x%02x", (unsigned char)*text);
		else
			quote_rune(out, rune);
		text += width;
	}
	g_string_append_c(out, '"');
	return g_string_free(g_steal_pointer(&out), FALSE);
}
