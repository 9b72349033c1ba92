/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "format/json_writer.h"
#include "frontend/dockerfile/scan.h"
#include "frontend/dockerfile/scan_line.h"
#include <string.h>

static void fill(arena *a, const char *value, int line, struct directive *ret)
{
	ret->value = value;
	ret->word = arena_strndup(a, value, strcspn(value, " "));
	ret->span = (struct span){line, line};
}

/* Reads directives at the top, in comments of one kind. */
static bool find_in_comments(arena *a, const char *p, const char *end, const char *comment, const char *key, int line,
			     struct directive *ret)
{
	struct directive_reader d = {.comment = comment, .escape = '\\'};
	while (p < end && !d.done) {
		const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
		const char *trimmed = stop > p && stop[-1] == '\r' ? stop - 1 : stop;
		bool found = false;
		line++;
		if (!directive_reader_line(&d, a, p, trimmed, &found, NULL) && !found)
			return false;
		if (found && strcmp(d.key, key) == 0) {
			fill(a, d.value, line, ret);
			return true;
		}
		p = newline ? newline + 1 : end;
	}
	return false;
}

static bool find_in_json(arena *a, const char *p, const char *end, const char *key, int line, struct directive *ret)
{
	while (p < end && strchr(" \t\r\n", *p))
		p++;
	if (p == end || *p != '{')
		return false;
	g_autoptr(json_t) object = json_read(p, (size_t)(end - p), (size_t)LIMIT_DOCKERFILE_BYTES, "Dockerfile", NULL);
	const char *value = json_string_value(json_object_get(object, key));
	if (!value)
		return false;
	fill(a, arena_strdup(a, value), line, ret);
	ret->word = ret->value;
	return true;
}

bool directive_find(arena *a, const char *bytes, size_t n, const char *key, struct directive *ret)
{
	const char *p = bytes, *end = bytes + n;
	int line = 0;
	if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
		p += 3;
	if (end - p >= 2 && p[0] == '#' && p[1] == '!') {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		p = newline ? newline + 1 : end;
		line = 1;
	}
	if (find_in_comments(a, p, end, "#", key, line, ret))
		return true;
	if (strcmp(key, "syntax") != 0)
		return false;
	return find_in_comments(a, p, end, "//", key, line, ret) || find_in_json(a, p, end, key, line, ret);
}
