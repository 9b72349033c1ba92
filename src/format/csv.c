/* SPDX-License-Identifier: Apache-2.0 */
#include "format/csv.h"
#include <string.h>

static bool csv_error(size_t position, const char *text, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "parse error on line 1, column %zu: %s", position + 1, text);
}

/* Reads a quoted field whose opening quote is at *pos; sets *pos behind the closing quote. */
static bool quoted_field(const char *text, size_t n, size_t *pos, GString *field, GError **error)
{
	size_t i = *pos + 1;
	for (;;) {
		const char *quote = memchr(text + i, '"', n - i);
		if (!quote)
			return csv_error(i, "extraneous or missing \" in quoted-field", error);
		g_string_append_len(field, text + i, quote - (text + i));
		i = (size_t)(quote - text) + 1;
		if (i == n || text[i] == ',')
			break;
		if (text[i] != '"')
			return csv_error(i - 1, "extraneous or missing \" in quoted-field", error);
		g_string_append_c(field, '"');
		i++;
	}
	*pos = i;
	return true;
}

static bool plain_field(const char *text, size_t n, size_t *pos, GString *field, GError **error)
{
	const char *comma = memchr(text + *pos, ',', n - *pos);
	size_t end = comma ? (size_t)(comma - text) : n;
	const char *quote = memchr(text + *pos, '"', end - *pos);
	if (quote)
		return csv_error((size_t)(quote - text), "bare \" in non-quoted-field", error);
	g_string_append_len(field, text + *pos, (gssize)(end - *pos));
	*pos = end;
	return true;
}

char **csv_parse(const char *text, GError **error)
{
	size_t n = strlen(text);
	if (n > 0 && text[n - 1] == '\n')
		n -= n > 1 && text[n - 2] == '\r' ? 2 : 1;
	if (n == 0)
		return error_null(error, ERROR_INVALID_ARGUMENT, "EOF");
	g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
	for (size_t pos = 0;; pos++) {
		g_autoptr(GString) field = g_string_new(NULL);
		bool ok = pos < n && text[pos] == '"' ? quoted_field(text, n, &pos, field, error)
						      : plain_field(text, n, &pos, field, error);
		if (!ok)
			return NULL;
		g_ptr_array_add(fields, g_strdup(field->str));
		if (pos == n)
			break;
	}
	g_ptr_array_add(fields, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&fields), FALSE);
}

bool csv_split(const char *field, char **ret_key, char **ret_value)
{
	const char *equals = strchr(field, '=');
	if (!equals)
		return false;
	*ret_key = g_strndup(field, (gsize)(equals - field));
	*ret_value = g_strdup(equals + 1);
	return true;
}
