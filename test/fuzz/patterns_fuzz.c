/* SPDX-License-Identifier: Apache-2.0 */
/* Ignore file up to the first NUL, then a path: both ways of matching give the same result in bounded time. */
#include "format/patterns.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Returns the result of a walk down to the path, as in the file sync. */
static bool match_by_walk(const patterns *p, const char *path)
{
	g_autofree uint8_t *bits = NULL;
	bool matched = false;
	for (const char *end = path; end;) {
		end = strchr(end + 1, '/');
		g_autofree char *part = g_strndup(path, end ? (gsize)(end - path) : strlen(path));
		uint8_t *next = g_malloc0(patterns_count(p) + 1);
		matched = patterns_match_in(p, part, bits, next);
		g_free(bits);
		bits = next;
	}
	return matched;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 4096)
		return 0;
	const uint8_t *nul = memchr(bytes, 0, n);
	size_t n_file = nul ? (size_t)(nul - bytes) : n;
	g_autofree char *path = nul ? g_strndup((const char *)nul + 1, n - n_file - 1) : g_strdup("a/b.c");
	g_auto(GStrv) lines = patterns_read_ignore_file((const char *)bytes, n_file, NULL);
	bool ignored;
	if (!lines)
		return 0;
	for (char **line = lines; *line; line++)
		(void)glob_match(*line, path, &ignored, NULL);
	g_autoptr(patterns) p = patterns_new((const char *const *)lines, NULL);
	if (p && *path && *path != '/') {
		(void)patterns_match(p, path);
		(void)match_by_walk(p, path);
	}
	return 0;
}
