/* SPDX-License-Identifier: Apache-2.0 */
#include "export/options.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "format/gotype.h"
#include <string.h>

#define ZSTD_COMPAT 20 /* first compatibility version with zstd */

bool epoch_parse(const char *key, const char *text, bool *ret_set, int64_t *ret_s, GError **error)
{
	*ret_set = *text != '\0';
	return !*ret_set || int_parse(text, 10, ret_s, error) || error_prefix(error, "invalid %s: ", key);
}

bool epoch_from_metadata(GHashTable *metadata, const char *platform_id, bool *ret_set, int64_t *ret_s, GError **error)
{
	*ret_set = false;
	g_autofree char *own = g_strconcat("source.date.epoch/", platform_id, NULL);
	GBytes *bytes = platform_id && *platform_id ? g_hash_table_lookup(metadata, own) : NULL;
	if (!bytes)
		bytes = g_hash_table_lookup(metadata, "source.date.epoch");
	if (!bytes)
		return true;
	g_autofree char *text = text_from_bytes(bytes);
	if (epoch_parse("", text, ret_set, ret_s, error))
		return true;
	g_autofree char *quoted = go_quote(text);
	return error_prefix(error, "invalid SOURCE_DATE_EPOCH from frontend: %s: ", quoted);
}

/* ---- readers of attributes, with their table */

static bool read_name(struct image_options *o, const char *key, const char *value, GError **error)
{
	g_free(o->name);
	o->name = g_strdup(value);
	return true;
}

static bool bool_read(const char *key, const char *value, bool *ret, GError **error)
{
	return bool_parse(value, ret, error) || error_prefix(error, "non-bool value specified for %s: ", key);
}

static bool tristate_read(const char *key, const char *value, int *ret, GError **error)
{
	bool b;
	if (!bool_read(key, value, &b, error))
		return false;
	*ret = b;
	return true;
}

static bool read_oci_types(struct image_options *o, const char *key, const char *value, GError **error)
{
	return tristate_read(key, value, &o->oci_types, error);
}

static bool read_oci_artifact(struct image_options *o, const char *key, const char *value, GError **error)
{
	return tristate_read(key, value, &o->oci_artifact, error);
}

static bool read_inline(struct image_options *o, const char *key, const char *value, GError **error)
{
	return tristate_read(key, value, &o->inline_attestations, error);
}

static bool read_nondist(struct image_options *o, const char *key, const char *value, GError **error)
{
	return bool_read(key, value, &o->prefer_nondist, error);
}

static bool read_rewrite(struct image_options *o, const char *key, const char *value, GError **error)
{
	return bool_read(key, value, &o->rewrite_timestamp, error);
}

static bool read_epoch(struct image_options *o, const char *key, const char *value, GError **error)
{
	o->has_epoch = true;
	return epoch_parse(key, value, &o->epoch_set, &o->epoch_s, error);
}

static bool read_compression(struct image_options *o, const char *key, const char *value, GError **error)
{
	return compression_parse(value, &o->compression, error);
}

static bool read_force(struct image_options *o, const char *key, const char *value, GError **error)
{
	o->force = true;
	return !*value || bool_parse(value, &o->force, error) ||
	       error_prefix(error, "non-bool value %s specified for %s: ", value, key);
}

static bool read_level(struct image_options *o, const char *key, const char *value, GError **error)
{
	int64_t level;
	if (!int_parse(value, 10, &level, error))
		return error_prefix(error, "non-integer value %s specified for %s: ", value, key);
	o->level = (int)CLAMP(level, -1, 1000);
	return true;
}

static const struct option_row {
	const char *key;
	bool (*read)(struct image_options *o, const char *key, const char *value, GError **error);
} option_rows[] = {
	{"source-date-epoch", read_epoch},
	{"compression", read_compression},
	{"force-compression", read_force},
	{"compression-level", read_level},
	{"name", read_name},
	{"oci-mediatypes", read_oci_types},
	{"oci-artifact", read_oci_artifact},
	{"attestation-inline", read_inline},
	{"prefer-nondist-layers", read_nondist},
	{"rewrite-timestamp", read_rewrite},
};

/* ---- all attributes */

/* Moves annotations from rest to the group. */
static bool annotations_take(struct image_options *o, GError **error)
{
	for (struct hash_walk it = hash_walk(o->rest); hash_walk_next(&it);) {
		bool is_annotation;
		if (!annotation_group_add(o->annotations, it.key, it.value, &is_annotation, error))
			return false;
		if (is_annotation)
			g_hash_table_iter_remove(&it.iter);
	}
	return true;
}

char *image_options_take(struct image_options *o, const char *key)
{
	gpointer stolen_key, value;
	if (!g_hash_table_steal_extended(o->rest, key, &stolen_key, &value))
		return NULL;
	g_free(stolen_key);
	return value;
}

bool image_options_take_bool(struct image_options *o, const char *key, bool *ret, GError **error)
{
	g_autofree char *value = image_options_take(o, key);
	if (!value)
		return true;
	*ret = true;
	return !*value || bool_read(key, value, ret, error);
}

static bool options_read(struct image_options *o, GError **error)
{
	if (!annotations_take(o, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		g_autofree char *value = image_options_take(o, row->key);
		if (value && !row->read(o, row->key, value, error))
			return false;
	}
	return image_options_validate(o, error);
}

bool image_options_load(struct image_options *o, GHashTable *attrs, GError **error)
{
	*o = (struct image_options){
		.name = g_strdup(""),
		.compression = COMPRESSION_GZIP,
		.level = -1,
		.oci_types = -1,
		.oci_artifact = -1,
		.inline_attestations = -1,
		.annotations = annotation_group_new(),
		.rest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
	};
	for (struct hash_walk it = hash_walk(attrs); hash_walk_next(&it);)
		g_hash_table_insert(o->rest, g_strdup(it.key), g_strdup(it.value ? it.value : ""));
	if (options_read(o, error))
		return true;
	image_options_clear(o);
	return false;
}

void image_options_clear(struct image_options *o)
{
	g_clear_pointer(&o->name, g_free);
	g_clear_pointer(&o->annotations, annotation_group_free);
	g_clear_pointer(&o->rest, g_hash_table_unref);
}

bool image_options_oci(const struct image_options *o)
{
	return o->oci_types > 0;
}

bool image_options_validate(const struct image_options *o, GError **error)
{
	if (o->oci_types < 0 || o->oci_types > 0)
		return true;
	if (o->compression == COMPRESSION_ESTARGZ)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "exporter option \"compression=estargz\" conflicts with \"oci-mediatypes=false\"");
	if (o->oci_artifact > 0)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "exporter option \"oci-artifact=true\" conflicts with \"oci-mediatypes=false\"");
	return true;
}

bool image_options_check_compat(const struct image_options *o, int64_t compat_version, const char *type, GError **error)
{
	return compat_version == 0 || compat_version >= ZSTD_COMPAT || o->compression != COMPRESSION_ZSTD ||
	       error_set(error, ERROR_INVALID_ARGUMENT,
			 "unsupported compatibility-version %" G_GINT64_FORMAT " feature %s exporter compression=zstd",
			 compat_version, type);
}
