/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/options.h"
#include "base/hash_walk.h"
#include "format/csv.h"
#include "format/gotype.h"
#include <string.h>

#define ATTEST "attest:"
#define BUILD_ARG "build-arg:BUILDKIT_ATTEST_"

static bool read_version(struct provenance_options *o, const char *value, GError **error)
{
	o->v02 = strcmp(value, "v0.2") == 0;
	return o->v02 || strcmp(value, "v1") == 0 ||
	       error_set(error, ERROR_UNKNOWN,
			 *value ? "invalid provenance SLSA version: %s" : "provenance SLSA version cannot be empty%s",
			 value);
}

static bool read_mode(struct provenance_options *o, const char *value, GError **error)
{
	o->max = strcmp(value, "max") == 0 || strcmp(value, "full") == 0;
	if (o->max || strcmp(value, "min") == 0)
		return true;
	g_autofree char *quoted = go_quote(value);
	return error_set(error, ERROR_UNKNOWN, "invalid mode %s", quoted);
}

static bool read_flag(const char *name, const char *value, bool *ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (bool_parse(value, ret, &why))
		return true;
	g_autofree char *quoted = go_quote(value);
	return error_set(error, ERROR_UNKNOWN, "failed to parse %s flag %s: %s", name, quoted, why->message);
}

static bool read_reproducible(struct provenance_options *o, const char *value, GError **error)
{
	return read_flag("reproducible", value, &o->reproducible, error);
}

static bool read_complete(struct provenance_options *o, const char *value, GError **error)
{
	return read_flag("complete-materials", value, &o->complete_materials, error);
}

static bool read_inline(struct provenance_options *o, const char *value, GError **error)
{
	o->inline_only = false;
	return bool_parse(value, &o->inline_only, NULL) || true; /* not a boolean: ignored */
}

static bool read_usage(struct provenance_options *o, const char *value, GError **error)
{
	o->usage = false;
	return bool_parse(value, &o->usage, NULL) || true; /* not a boolean: ignored */
}

static bool read_builder(struct provenance_options *o, const char *value, GError **error)
{
	g_free(o->builder_id);
	o->builder_id = g_strdup(value);
	return true;
}

static bool read_filename(struct provenance_options *o, const char *value, GError **error)
{
	g_free(o->filename);
	o->filename = g_strdup(value);
	return true;
}

static const struct parameter {
	const char *name;
	bool (*read)(struct provenance_options *o, const char *value, GError **error);
} parameters[] = {
	{"version", read_version},           {"mode", read_mode},
	{"reproducible", read_reproducible}, {"complete-materials", read_complete},
	{"inline-only", read_inline},        {"builder-id", read_builder},
	{"filename", read_filename},         {"capture-usage", read_usage},
};

/* Unknown parameters are ignored: other builders have them. */
static bool read_field(struct provenance_options *o, const char *field, GError **error)
{
	const char *equals = strchr(field, '=');
	g_autofree char *name = equals ? g_strndup(field, (gsize)(equals - field)) : g_strdup(field);
	for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++)
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].read(o, equals ? equals + 1 : "", error);
	return true;
}

static bool read_provenance(struct provenance_options *o, const char *text, GError **error)
{
	o->wanted = true;
	if (!*text)
		return true;
	g_auto(GStrv) fields = csv_parse(text, error);
	if (!fields)
		return error_prefix(error, "failed to parse provenance: ");
	for (char **field = fields; *field; field++)
		if (!read_field(o, *field, error))
			return false;
	return true;
}

static char *type_of(const char *key)
{
	if (g_str_has_prefix(key, ATTEST))
		return g_ascii_strdown(key + strlen(ATTEST), -1);
	return g_str_has_prefix(key, BUILD_ARG) ? g_ascii_strdown(key + strlen(BUILD_ARG), -1) : NULL;
}

static bool read_one(struct provenance_options *o, const char *key, const char *value, GError **error)
{
	g_autofree char *type = type_of(key);
	if (!type)
		return true;
	if (strcmp(type, "sbom") == 0) {
		g_free(o->sbom);
		o->sbom = g_strdup(value);
		return true;
	}
	if (strcmp(type, "provenance") == 0)
		return read_provenance(o, value, error);
	g_autofree char *quoted = go_quote(type);
	return error_set(error, ERROR_UNKNOWN, "unknown attestation type %s", quoted);
}

bool provenance_options_read(struct provenance_options *ret, GHashTable *attrs, GError **error)
{
	struct provenance_options o = {
		.max = true, .builder_id = g_strdup(""), .filename = g_strdup("provenance.json")};
	for (struct hash_walk it = hash_walk(attrs); hash_walk_next(&it);) {
		if (read_one(&o, it.key, it.value, error))
			continue;
		provenance_options_clear(&o);
		return false;
	}
	*ret = o;
	return true;
}

void provenance_options_clear(struct provenance_options *o)
{
	g_clear_pointer(&o->builder_id, g_free);
	g_clear_pointer(&o->filename, g_free);
	g_clear_pointer(&o->sbom, g_free);
}
