/* SPDX-License-Identifier: Apache-2.0 */
/* time.Duration and RFC 3339 times, in nanoseconds. */
#include "format/gotype.h"
#include "base/time.h"
#include <string.h>

static bool duration_error(const char *format_text, const char *unit, const char *text, GError **error)
{
	g_autofree char *quoted = go_quote(text);
	if (!unit)
		return error_set(error, ERROR_INVALID_ARGUMENT, "time: %s duration %s", format_text, quoted);
	g_autofree char *quoted_unit = go_quote(unit);
	return error_set(error, ERROR_INVALID_ARGUMENT, "time: %s %s in duration %s", format_text, quoted_unit, quoted);
}

static int64_t unit_ns(const char *unit, size_t n)
{
	static const struct {
		const char *name;
		int64_t ns;
	} table[] = {{"ns", 1},         {"us", NS_PER_US}, {"\xC2\xB5s", NS_PER_US}, {"\xCE\xBCs", NS_PER_US},
		     {"ms", NS_PER_MS}, {"s", NS_PER_S},   {"m", 60 * NS_PER_S},     {"h", 3600 * NS_PER_S}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (strlen(table[i].name) == n && memcmp(table[i].name, unit, n) == 0)
			return table[i].ns;
	return 0;
}

/* Parses "1.5" at *p: integer part and fraction/scale. False without digits or with too many. */
static bool number_parse(const char **p, uint64_t *ret_whole, double *ret_fraction)
{
	bool digits = false, overflow = false;
	double scale = 1, fraction = 0;
	uint64_t whole = 0;
	for (; g_ascii_isdigit(**p); ++*p, digits = true)
		overflow |= __builtin_mul_overflow(whole, 10u, &whole) ||
			    __builtin_add_overflow(whole, (uint64_t)(**p - '0'), &whole) || whole > 1ULL << 63;
	if (**p == '.')
		for (++*p; g_ascii_isdigit(**p); ++*p, digits = true)
			if (scale < 1e18) {
				fraction = fraction * 10 + (**p - '0');
				scale *= 10;
			}
	*ret_whole = whole;
	*ret_fraction = fraction / scale;
	return digits && !overflow;
}

/* Adds one "1.5h" at *p to *sum. */
static bool duration_part(const char *text, const char **p, uint64_t *sum, GError **error)
{
	uint64_t whole, value;
	double fraction;
	if (!number_parse(p, &whole, &fraction))
		return duration_error("invalid", NULL, text, error);
	size_t n = strcspn(*p, ".0123456789");
	if (n == 0)
		return duration_error("missing unit in", NULL, text, error);
	int64_t unit = unit_ns(*p, n);
	if (unit == 0) {
		g_autofree char *name = g_strndup(*p, n);
		return duration_error("unknown unit", name, text, error);
	}
	*p += n;
	if (__builtin_mul_overflow(whole, (uint64_t)unit, &value) ||
	    __builtin_add_overflow(value, (uint64_t)(fraction * (double)unit), &value) ||
	    __builtin_add_overflow(*sum, value, sum) || *sum > 1ULL << 63)
		return duration_error("invalid", NULL, text, error);
	return true;
}

bool duration_parse(const char *text, int64_t *ret_ns, GError **error)
{
	const char *p = text;
	bool negative = *p == '-';
	uint64_t sum = 0;
	if (*p == '-' || *p == '+')
		p++;
	if (!*p)
		return duration_error("invalid", NULL, text, error);
	if (p[0] == '0' && !p[1]) {
		*ret_ns = 0;
		return true;
	}
	while (*p)
		if (!duration_part(text, &p, &sum, error))
			return false;
	if (!negative && sum > INT64_MAX)
		return duration_error("invalid", NULL, text, error);
	*ret_ns = (int64_t)(negative ? 0 - sum : sum);
	return true;
}

/* Formats value/scale without trailing zeros. */
static void append_fraction(GString *out, uint64_t value, uint64_t scale)
{
	g_string_append_printf(out, "%" G_GUINT64_FORMAT, value / scale);
	uint64_t rest = value % scale;
	if (rest == 0)
		return;
	g_string_append_c(out, '.');
	for (scale /= 10; rest > 0; scale /= 10) {
		g_string_append_c(out, (char)('0' + rest / scale));
		rest %= scale;
	}
}

char *duration_format(int64_t ns)
{
	uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	g_autoptr(GString) out = g_string_new(ns < 0 ? "-" : "");
	if (value == 0)
		return g_strdup("0s");
	if (value < NS_PER_S) {
		uint64_t scale = value < NS_PER_US ? 1 : value < NS_PER_MS ? NS_PER_US : NS_PER_MS;
		append_fraction(out, value, scale);
		g_string_append(out, scale == 1 ? "ns" : scale == NS_PER_US ? "\xC2\xB5s" : "ms");
		return g_string_free(g_steal_pointer(&out), FALSE);
	}
	uint64_t minutes = value / (60 * NS_PER_S);
	if (minutes >= 60)
		g_string_append_printf(out, "%" G_GUINT64_FORMAT "h", minutes / 60);
	if (minutes > 0)
		g_string_append_printf(out, "%" G_GUINT64_FORMAT "m", minutes % 60);
	append_fraction(out, value % (60 * NS_PER_S), NS_PER_S);
	g_string_append_c(out, 's');
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *time_format_rfc3339(int64_t ns)
{
	int64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;
	if (rest < 0) {
		rest += NS_PER_S;
		seconds--;
	}
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
	g_autofree char *day = g_date_time_format(time, "%Y-%m-%dT%H:%M:");
	g_autoptr(GString) out = g_string_new(day);
	g_string_append_printf(out, "%02d", g_date_time_get_second(time));
	if (rest > 0) {
		g_string_append_printf(out, ".%09" G_GINT64_FORMAT, rest);
		while (out->str[out->len - 1] == '0')
			g_string_truncate(out, out->len - 1);
	}
	g_string_append_c(out, 'Z');
	return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Parses n digits at *p within [low, high]. */
static bool digits_parse(const char **p, int n, int low, int high, int *ret)
{
	int value = 0;
	for (int i = 0; i < n; i++, ++*p) {
		if (!g_ascii_isdigit(**p))
			return false;
		value = value * 10 + (**p - '0');
	}
	*ret = value;
	return value >= low && value <= high;
}

static bool skip(const char **p, char c)
{
	return **p == c && ++*p;
}

static bool fraction_parse(const char **p, int64_t *ret_ns)
{
	*ret_ns = 0;
	if (**p != '.' && **p != ',')
		return true;
	++*p;
	if (!g_ascii_isdigit(**p))
		return false;
	for (int64_t scale = NS_PER_S / 10; g_ascii_isdigit(**p); ++*p, scale /= 10)
		*ret_ns += scale * (**p - '0');
	return true;
}

/* Parses "Z" or "+hh:mm" at the end of the text, in seconds. */
static bool zone_parse(const char **p, int *ret_seconds)
{
	int hours = 0, minutes = 0;
	*ret_seconds = 0;
	if (skip(p, 'Z'))
		return true;
	int sign = **p == '-' ? -1 : 1;
	if (!skip(p, '+') && !skip(p, '-'))
		return false;
	if (!digits_parse(p, 2, 0, 24, &hours) || !skip(p, ':') || !digits_parse(p, 2, 0, 60, &minutes))
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool time_parse_rfc3339(const char *text, int64_t *ret_ns, GError **error)
{
	const char *p = text;
	int year, month, day, hour, minute, second, zone;
	int64_t fraction;
	bool ok = digits_parse(&p, 4, 1, 9999, &year) && skip(&p, '-') && digits_parse(&p, 2, 1, 12, &month) &&
		  skip(&p, '-') && digits_parse(&p, 2, 1, 31, &day) && skip(&p, 'T') &&
		  digits_parse(&p, 2, 0, 23, &hour) && skip(&p, ':') && digits_parse(&p, 2, 0, 59, &minute) &&
		  skip(&p, ':') && digits_parse(&p, 2, 0, 59, &second) && fraction_parse(&p, &fraction) &&
		  zone_parse(&p, &zone) && !*p;
	g_autoptr(GDateTime) time = ok ? g_date_time_new_utc(year, month, day, hour, minute, second) : NULL;
	int64_t ns;
	if (!time || __builtin_mul_overflow(g_date_time_to_unix(time) - zone, NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, fraction, &ns)) {
		g_autofree char *quoted = go_quote(text);
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "parsing time %s as \"2006-01-02T15:04:05Z07:00\": cannot parse", quoted);
	}
	*ret_ns = ns;
	return true;
}
