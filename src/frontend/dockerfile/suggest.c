/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

enum { NEAR = 3, LONGEST = 255 };

static size_t distance(const gunichar *a, size_t n, const gunichar *b, size_t m)
{
	size_t row[LONGEST + 1];
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

static char *in_case_of(const char *match, const char *original)
{
	if (text_is_lower(original))
		return g_ascii_strdown(match, -1);
	return text_is_upper(original) ? g_ascii_strup(match, -1) : g_strdup(match);
}

static gunichar *runes(const char *text, size_t *ret_n)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	glong n;
	gunichar *list = g_utf8_to_ucs4_fast(valid, -1, &n);
	*ret_n = (size_t)n;
	return list;
}

char *suggest_find(const char *value, const char *const *options, bool case_sensitive)
{
	g_autofree char *folded = case_sensitive ? g_strdup(value) : g_ascii_strdown(value, -1);
	g_autofree char *match = NULL;
	size_t best = NEAR, n;
	g_autofree gunichar *wanted = runes(folded, &n);
	for (size_t i = 0; options[i]; i++) {
		g_autofree char *option = case_sensitive ? g_strdup(options[i]) : g_ascii_strdown(options[i], -1);
		size_t m;
		g_autofree gunichar *offered = runes(option, &m);
		if (strcmp(folded, option) == 0)
			return NULL;
		if (n > LONGEST || m > LONGEST || (n > m ? n - m : m - n) >= NEAR)
			continue;
		size_t d = distance(wanted, n, offered, m);
		if (d >= best)
			continue;
		best = d;
		g_free(match);
		match = case_sensitive ? g_strdup(option) : in_case_of(option, value);
	}
	return g_steal_pointer(&match);
}

bool suggest_to(GError **error, const char *value, const char *const *options, bool case_sensitive)
{
	g_autofree char *match = error && *error ? suggest_find(value, options, case_sensitive) : NULL;
	if (!match || !*match)
		return false;
	char *text = g_strdup_printf("%s (did you mean %s?)", (*error)->message, match);
	g_free((*error)->message);
	(*error)->message = text;
	return true;
}
