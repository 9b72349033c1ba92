/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"
#include "fail.h"
#include "sys.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
	[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
	[JSON_REAL] = "a number",    [JSON_TRUE] = "a boolean", [JSON_FALSE] = "a boolean", [JSON_NULL] = "null",
};

static struct room {
	struct room *next;
	max_align_t bytes[];
} * rooms;

void *json_room(size_t n, size_t size)
{
	size_t total;
	struct room *r = __builtin_mul_overflow(n + 1, size, &total) || total > SIZE_MAX - sizeof *r
				 ? NULL
				 : calloc(1, sizeof *r + total);
	if (r == NULL)
		fail(PHASE_PLAN, ENOMEM, "read config");
	r->next = rooms;
	rooms = r;
	return r->bytes;
}

static json_t *files; /* array of all values that json_file returned */

void json_release(void)
{
	json_decref(files);
	files = NULL;
	while (rooms != NULL) {
		struct room *r = rooms;
		rooms = r->next;
		free(r);
	}
}

/*
 * Integers from 2^63 to 2^64-1, as of unlimited resources (RLIM_INFINITY), are written as the negative number with the same
 * bits: jansson has signed ones only. Where a number cannot be negative, that is out of range.
 */
static void wrap_large(char *bytes, size_t n)
{
	bool in_string = false;
	for (size_t i = 0, end; i < n; i = end) {
		end = i + 1;
		if (in_string && bytes[i] == '\\')
			end++;
		if (bytes[i] == '"')
			in_string = !in_string;
		if (in_string || !isdigit((unsigned char)bytes[i]))
			continue;
		while (end < n && (isalnum((unsigned char)bytes[end]) || strchr("+-.", bytes[end]) != NULL))
			end++;
		char token[24], *rest;
		if ((end - i != 19 && end - i != 20) || (i > 0 && bytes[i - 1] == '-'))
			continue;
		memcpy(token, bytes + i, end - i);
		token[end - i] = '\0';
		errno = 0;
		unsigned long long value = strtoull(token, &rest, 10);
		if (*rest != '\0' || errno != 0 || value <= INT64_MAX)
			continue;
		int length = snprintf(token, sizeof token, "%lld", (long long)value);
		memset(bytes + i, ' ', end - i);
		memcpy(bytes + i, token, (size_t)length);
	}
}

json_t *json_file(const char *path)
{
	json_error_t error;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
	if (f == NULL)
		fail(PHASE_PLAN, errno, "open %s", path);
	fd = -1;
	char *bytes = malloc(JSON_MAX_BYTES);
	size_t n = bytes != NULL ? fread(bytes, 1, JSON_MAX_BYTES, f) : 0;
	fclose(f);
	if (bytes == NULL || n == JSON_MAX_BYTES)
		fail(PHASE_PLAN, EFBIG, "read %s", path);
	wrap_large(bytes, n);
	json_t *root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
	free(bytes);
	if (files == NULL)
		files = json_array();
	if (root != NULL && json_array_append_new(files, root) != 0)
		fail(PHASE_PLAN, ENOMEM, "read %s", path);
	if (root == NULL)
		fail(PHASE_PLAN, 0, "%s:%d: %s", path, error.line, error.text);
	if (!json_is_object(root))
		fail(PHASE_PLAN, 0, "%s: not an object", path);
	return root;
}

json_t *json_member(const json_t *object, const char *name, json_type type)
{
	json_t *value = object != NULL ? json_object_get(object, name) : NULL;
	if (value == NULL || json_is_null(value))
		return NULL;
	bool ok = type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
	if (!ok)
		fail(PHASE_PLAN, 0, "config.json: %s must be %s", name, type_names[type]);
	return value;
}

json_t *json_need(const json_t *object, const char *name, json_type type)
{
	json_t *value = json_member(object, name, type);
	if (value == NULL)
		fail(PHASE_PLAN, 0, "config.json: %s is missing", name);
	return value;
}

const char *json_text(const json_t *object, const char *name, const char *otherwise)
{
	const json_t *value = json_member(object, name, JSON_STRING);
	if (value == NULL)
		return otherwise;
	if (strlen(json_string_value(value)) != json_string_length(value))
		fail(PHASE_PLAN, 0, "config.json: %s contains a NUL byte", name);
	return json_string_value(value);
}

bool json_flag(const json_t *object, const char *name)
{
	return json_is_true(json_member(object, name, JSON_TRUE));
}

int64_t json_number(const json_t *object, const char *name, int64_t otherwise, int64_t min, int64_t max)
{
	const json_t *value = json_member(object, name, JSON_INTEGER);
	if (value == NULL)
		return otherwise;
	json_int_t n = json_integer_value(value);
	if (n < min || n > max)
		fail(PHASE_PLAN, 0, "config.json: %s is out of range: %" PRId64, name, (int64_t)n);
	return n;
}

struct plan_strings json_texts(const json_t *object, const char *name)
{
	const json_t *array = json_member(object, name, JSON_ARRAY);
	struct plan_strings s = {.n = (uint32_t)json_array_size(array)};
	s.list = json_room(s.n, sizeof *s.list);
	for (uint32_t i = 0; i < s.n; i++) {
		const json_t *item = json_array_get(array, i);
		s.list[i] = json_string_value(item);
		if (s.list[i] == NULL || strlen(s.list[i]) != json_string_length(item))
			fail(PHASE_PLAN, 0, "config.json: %s must contain only strings", name);
	}
	return s;
}
