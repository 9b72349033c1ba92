/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/builder_flags.h"
#include "frontend/dockerfile/suggest.h"
#include <string.h>

enum { MAX_FLAGS = 16 };

static bool unknown_flag(const struct builder_flag *rows, const char *name, GError **error)
{
	const char *names[MAX_FLAGS + 1] = {0};
	for (size_t i = 0; rows && rows[i].name && i < MAX_FLAGS; i++)
		names[i] = rows[i].name;
	error_set(error, ERROR_INVALID_ARGUMENT, "unknown flag: --%s", name);
	suggest_to(error, name, names, true);
	return false;
}

static bool missing_value(const char *name, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "missing a value on flag: --%s", name);
}

static bool parse_bool(const char *name, const char *value, bool *ret, GError **error)
{
	if (value && !*value)
		return missing_value(name, error);
	if (!value || g_ascii_strcasecmp(value, "true") == 0)
		*ret = true;
	else if (g_ascii_strcasecmp(value, "false") == 0)
		*ret = false;
	else
		return error_set(error, ERROR_INVALID_ARGUMENT, "expecting boolean value for flag --%s, not: %s", name,
				 value);
	return true;
}

static bool set_flag(arena *a, const struct builder_flag *row, const char *value, void *target, GError **error)
{
	char *member = (char *)target + row->offset;
	bool on = false;
	switch (row->type) {
	case FLAG_TEXT:
		if (!value)
			return missing_value(row->name, error);
		*(const char **)(void *)member = value;
		return true;
	case FLAG_LIST:
		if (!value)
			return missing_value(row->name, error);
		arena_push(a, (struct vec *)(void *)member, value);
		return true;
	case FLAG_BOOL:
	case FLAG_MAYBE:
		if (!parse_bool(row->name, value, &on, error))
			return false;
		if (row->type == FLAG_BOOL)
			*(bool *)member = on;
		else
			*(int *)(void *)member = on;
		return true;
	}
	return true;
}

bool builder_flags_parse(arena *a, const struct vec *words, const struct builder_flag *rows, void *target,
			 GError **error)
{
	unsigned used = 0;
	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->items[i], *equals = strchr(word, '=');
		if (strcmp(word, "--") == 0)
			return true;
		if (!g_str_has_prefix(word, "--"))
			return error_set(error, ERROR_INVALID_ARGUMENT, "arg should start with -- : %s", word);
		const char *name = arena_strndup(a, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word) - 2);
		size_t row = 0;
		while (rows && rows[row].name && strcmp(rows[row].name, name) != 0)
			row++;
		if (!rows || !rows[row].name)
			return unknown_flag(rows, name, error);
		if ((used & (1U << row)) && rows[row].type != FLAG_LIST)
			return error_set(error, ERROR_INVALID_ARGUMENT, "duplicate flag specified: --%s", name);
		used |= 1U << row;
		if (!set_flag(a, &rows[row], equals ? equals + 1 : NULL, target, error))
			return false;
	}
	return true;
}
