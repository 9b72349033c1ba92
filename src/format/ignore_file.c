/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gorune.h"
#include "base/path_text.h"
#include "format/patterns.h"
#include <string.h>

#define LINE_BYTES_MAX 65536 /* Go's bufio.Scanner */

/* Returns one line of the file; NULL if it contains no pattern. */
static char *read_line(const char *line)
{
	if (line[0] == '#')
		return NULL;
	g_autofree char *trimmed = text_trim_space(line);
	if (!*trimmed)
		return NULL;
	bool negated = trimmed[0] == '!';
	g_autofree char *body = negated ? text_trim_space(trimmed + 1) : g_strdup(trimmed);
	g_autofree char *clean = *body ? path_clean(body) : g_strdup("");
	bool rooted = clean[0] == '/' && clean[1];
	return g_strconcat(negated ? "!" : "", clean + rooted, NULL);
}

char **patterns_read_ignore_file(const char *bytes, size_t n, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	const char *end = bytes + n;
	if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		bytes += 3;
	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = newline ? newline : end;
		if (stop - bytes >= LINE_BYTES_MAX)
			return error_null(error, ERROR_INVALID_ARGUMENT, "bufio.Scanner: token too long");
		g_autofree char *line = g_strndup(bytes, (gsize)(stop - bytes));
		char *pattern = read_line(line);
		if (pattern)
			g_ptr_array_add(list, pattern);
		bytes = newline ? newline + 1 : end;
	}
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}
