/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/devices.h"
#include "format/csv.h"
#include "format/gotype.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static bool unexpected_key(const char *key, const char *field, GError **error)
{
	static const char *const keys[] = {"name", "required", NULL};
	error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' in '%s'", key, field);
	suggest_to(error, key, keys, true);
	return false;
}

/* *name: name of the device; NULL until a field sets it. */
static bool check_field(arena *a, const char *field, const char **name, GError **error)
{
	const char *equals = strchr(field, '=');
	const char *key = text_lower(a, arena_strndup(a, field, equals ? (size_t)(equals - field) : strlen(field)));
	bool required;
	if (strcmp(key, "required") == 0)
		return !equals || bool_parse(equals + 1, &required, NULL) ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "invalid value for %s: %s", key, equals + 1);
	if (equals && strcmp(key, "name") == 0) {
		if (*name)
			return error_set(error, ERROR_INVALID_ARGUMENT, "device name already set to %s", *name);
		*name = equals[1] ? equals + 1 : NULL;
		return true;
	}
	if (!*name) {
		*name = *field ? field : NULL;
		return true;
	}
	return equals ? unexpected_key(key, field, error)
		      : error_set(error, ERROR_INVALID_ARGUMENT, "invalid field '%s' must be a key=value pair", field);
}

static bool check_device(arena *a, const char *text, GError **error)
{
	g_auto(GStrv) fields = csv_parse(text, error);
	const char *name = NULL;
	if (!fields)
		return error_prefix(error, "failed to parse csv devices: ");
	for (char **field = fields; *field; field++)
		if (!check_field(a, *field, &name, error))
			return false;
	return true;
}

bool devices_check(arena *a, const struct vec *texts, GError **error)
{
	for (size_t i = 0; i < texts->n; i++)
		if (!check_device(a, texts->items[i], error))
			return false;
	return true;
}
