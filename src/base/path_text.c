/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path_text.h"
#include <stdbool.h>
#include <string.h>
#include <glib.h>

char *path_clean(const char *path)
{
	bool rooted = path[0] == '/';
	GString *out = g_string_new(rooted ? "/" : "");
	size_t floor = out->len; /* ".." does not climb below */
	for (const char *p = path + strspn(path, "/"); *p;) {
		size_t len = strcspn(p, "/");
		bool dot = len == 1 && p[0] == '.';
		bool dot_dot = len == 2 && p[0] == '.' && p[1] == '.';
		if (dot_dot && out->len > floor) {
			const char *slash = strrchr(out->str, '/');
			size_t cut = slash ? (size_t)(slash - out->str) : 0;
			g_string_truncate(out, MAX(cut, floor));
		} else if (!dot && !(dot_dot && rooted)) {
			if (out->len > (rooted ? 1U : 0U))
				g_string_append_c(out, '/');
			g_string_append_len(out, p, (gssize)len);
			if (dot_dot)
				floor = out->len;
		}
		p += len;
		p += strspn(p, "/");
	}
	if (out->len == 0)
		g_string_append_c(out, '.');
	return g_string_free(out, FALSE);
}

char *path_join(const char *a, const char *b)
{
	if (*a == '\0' && *b == '\0')
		return g_strdup("");
	if (*a == '\0')
		return path_clean(b);
	if (*b == '\0')
		return path_clean(a);
	g_autofree char *joined = g_strconcat(a, "/", b, NULL);
	return path_clean(joined);
}

bool path_is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);
	return strncmp(path, directory, n) == 0 && path[n] == '/';
}
