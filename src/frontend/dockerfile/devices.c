/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/devices.h"
#include "api/message_copy.h"
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

struct device {
	const char *name; /* NULL until a field sets it */
	bool required;
};

static bool read_field(arena *a, const char *field, struct device *d, GError **error)
{
	const char *equals = strchr(field, '=');
	const char *key = text_lower(a, arena_strndup(a, field, equals ? (size_t)(equals - field) : strlen(field)));
	if (strcmp(key, "required") == 0) {
		d->required = true;
		return !equals || bool_parse(equals + 1, &d->required, NULL) ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "invalid value for %s: %s", key, equals + 1);
	}
	if (equals && strcmp(key, "name") == 0) {
		if (d->name)
			return error_set(error, ERROR_INVALID_ARGUMENT, "device name already set to %s", d->name);
		d->name = equals[1] ? arena_strdup(a, equals + 1) : NULL;
		return true;
	}
	if (!d->name) {
		d->name = *field ? arena_strdup(a, field) : NULL;
		return true;
	}
	return equals ? unexpected_key(key, field, error)
		      : error_set(error, ERROR_INVALID_ARGUMENT, "invalid field '%s' must be a key=value pair", field);
}

static bool read_device(arena *a, const char *text, struct device *ret, GError **error)
{
	g_auto(GStrv) fields = csv_parse(text, error);
	*ret = (struct device){0};
	if (!fields)
		return error_prefix(error, "failed to parse csv devices: ");
	for (char **field = fields; *field; field++)
		if (!read_field(a, *field, ret, error))
			return false;
	return true;
}

bool devices_check(arena *a, const struct vec *texts, GError **error)
{
	struct device d;
	for (size_t i = 0; i < texts->n; i++)
		if (!read_device(a, texts->items[i], &d, error))
			return false;
	return true;
}

Pb__CDIDevice **devices_new(arena *a, const struct vec *texts)
{
	Pb__CDIDevice **list = arena_alloc(a, (texts->n + 1) * sizeof *list);
	for (size_t i = 0; i < texts->n; i++) {
		struct device d;
		read_device(a, texts->items[i], &d, NULL);
		list[i] = message_new_in(a, Pb__CDIDevice, pb__cdidevice);
		list[i]->name = (char *)(gsize)(d.name ? d.name : "");
		list[i]->optional = !d.required;
	}
	return list;
}
