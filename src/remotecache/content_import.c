/* SPDX-License-Identifier: Apache-2.0 */
/* Imports a cache by manifest: a cache manifest, or the inline caches of images. */
#include "base/limits.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include "remotecache/importer.h"
#include <string.h>

struct reading {
	const struct remotecache_context *context;
	const struct import_origin *origin;
	void *self;
	struct work *work;
	remote_import *import;
	GHashTable *seen; /* digests of manifests, to detect images */
};

static void layer_free(gpointer layer)
{
	if (layer)
		oci_layer_free(layer);
}

/* A layer from a descriptor with a cache's annotations; NULL when they do not say what it unpacks to. */
static oci_layer *import_layer(const oci_descriptor *d)
{
	const char *diff_id = oci_descriptor_annotation(d, "containerd.io/uncompressed");
	const char *created = oci_descriptor_annotation(d, "buildkit/createdat");
	g_autoptr(oci_layer) l = g_new0(oci_layer, 1);
	l->descriptor = oci_descriptor_copy(d);
	if (!diff_id || !digest_parse(diff_id, &l->diff_id, NULL))
		return NULL;
	if (created && !time_parse_rfc3339(created, &l->created_ns, NULL))
		l->created_ns = 0;
	l->description = g_strdup(oci_descriptor_annotation(d, "buildkit/description"));
	return g_steal_pointer(&l);
}

static GBytes *read_small(struct reading *r, const oci_descriptor *d, long long max, const char *what, GError **error)
{
	if (d->size > max)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "%s %s is too large (%" G_GINT64_FORMAT " > %lld)",
				  what, d->digest.text, d->size, max);
	return r->origin->small(r->self, d, (size_t)max, r->work, error);
}

/* ---- cache manifests */

/* Describes the layers of the config by the manifest. */
static GPtrArray *match_layers(const cache_config *config, const GPtrArray *descriptors)
{
	g_autoptr(GHashTable) by_digest = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < descriptors->len; i++) {
		const oci_descriptor *d = descriptors->pdata[i];
		g_hash_table_insert(by_digest, (gpointer)d->digest.text, (gpointer)d);
	}
	GPtrArray *layers = g_ptr_array_new_with_free_func(layer_free);
	for (guint i = 0; i < config->layers->len; i++) {
		const oci_descriptor *d = g_hash_table_lookup(by_digest, cache_config_layer(config, i)->blob.text);
		g_ptr_array_add(layers, d ? import_layer(d) : NULL);
	}
	return layers;
}

static bool read_config(struct reading *r, const oci_descriptor *d, const GPtrArray *descriptors, GError **error)
{
	g_autoptr(GBytes) bytes = read_small(r, d, LIMIT_CACHE_CONFIG_BYTES, "cache config", error);
	if (!bytes)
		return false;
	cache_config *config = cache_config_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
	if (!config)
		return false;
	g_autoptr(blob_provider) provider = r->origin->provider(r->self, descriptors);
	remote_import_add(r->import, config, match_layers(config, descriptors), provider);
	return true;
}

/* ---- inline caches */

/* Sets creation times and commands of layers from the history entries with a layer. */
static void read_history(const json_t *config, GPtrArray *layers)
{
	const json_t *history = json_object_get(config, "history");
	guint at = 0;
	for (size_t i = 0; i < json_array_size(history) && at < layers->len; i++) {
		const json_t *h = json_array_get(history, i);
		if (json_is_true(json_object_get(h, "empty_layer")))
			continue;
		oci_layer *layer = layers->pdata[at++];
		const char *created = json_string_value(json_object_get(h, "created"));
		const char *by = json_string_value(json_object_get(h, "created_by"));
		if (created && !time_parse_rfc3339(created, &layer->created_ns, NULL))
			layer->created_ns = 0;
		if (by && *by)
			layer->description = g_strdup(by);
	}
}

static bool image_layers(const oci_manifest *m, const oci_config *config, GPtrArray *layers, struct digest *blobs,
			 GError **error)
{
	for (guint i = 0; i < m->layers->len; i++) {
		oci_layer *layer = g_new0(oci_layer, 1);
		g_ptr_array_add(layers, layer);
		layer->descriptor = oci_descriptor_copy(m->layers->pdata[i]);
		blobs[i] = layer->descriptor->digest;
		if (!digest_parse(config->diff_ids->pdata[i], &layer->diff_id, error))
			return false;
	}
	read_history(config->json, layers);
	return true;
}

static bool read_image(struct reading *r, const oci_manifest *m, GError **error)
{
	if (!m->config || !oci_media_type_is_config(m->config->media_type) || !m->layers || m->layers->len == 0)
		return true;
	g_autoptr(GBytes) bytes = read_small(r, m->config, LIMIT_CONFIG_BYTES, "image config", error);
	if (!bytes)
		return false;
	g_autoptr(oci_config) config = oci_config_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
	if (!config)
		return false;
	const char *text = json_string_value(json_object_get(config->json, "moby.buildkit.cache.v0"));
	if (!text || config->diff_ids->len != m->layers->len)
		return true; /* no keys, or the config of another image */
	gsize n;
	g_autofree guchar *records = g_base64_decode(text, &n);
	g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(layer_free);
	g_autofree struct digest *blobs = g_new0(struct digest, m->layers->len + 1);
	if (!image_layers(m, config, layers, blobs, error))
		return false;
	cache_config *parsed = cache_config_parse_records(records, n, blobs, layers->len, error);
	if (!parsed)
		return false;
	g_autoptr(blob_provider) provider = r->origin->provider(r->self, m->layers);
	remote_import_add(r->import, parsed, g_steal_pointer(&layers), provider);
	return true;
}

static bool read_document(struct reading *r, GBytes *bytes, unsigned depth, GError **error);

static bool read_images(struct reading *r, const oci_index *index, unsigned depth, GError **error)
{
	if (depth >= LIMIT_INDEX_NESTING)
		return error_set(error, ERROR_INVALID_ARGUMENT, "indexes are nested more than %lld levels deep",
				 LIMIT_INDEX_NESTING);
	for (guint i = 0; i < index->manifests->len; i++) {
		const oci_descriptor *d = index->manifests->pdata[i];
		if (!g_hash_table_add(r->seen, g_strdup(d->digest.text)))
			continue;
		g_autoptr(GBytes) bytes = read_small(r, d, LIMIT_MANIFEST_BYTES, "manifest", error);
		if (!bytes || !read_document(r, bytes, depth + 1, error))
			return false;
	}
	return true;
}

/* ---- detection of the kind */

static bool read_index(struct reading *r, const oci_index *index, unsigned depth, GError **error)
{
	g_autoptr(GPtrArray) layers = g_ptr_array_new();
	const oci_descriptor *config = NULL;
	for (guint i = 0; i < index->manifests->len; i++) {
		oci_descriptor *d = index->manifests->pdata[i];
		if (strcmp(d->media_type, BUILDKIT_CACHE_CONFIG) == 0)
			config = d;
		else
			g_ptr_array_add(layers, d);
	}
	return config && depth == 0 ? read_config(r, config, layers, error) : read_images(r, index, depth, error);
}

static bool read_manifest(struct reading *r, const oci_manifest *m, unsigned depth, GError **error)
{
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	if (depth == 0 && m->config && strcmp(m->config->media_type, BUILDKIT_CACHE_CONFIG) == 0)
		return read_config(r, m->config, m->layers ? m->layers : none, error);
	return read_image(r, m, error);
}

static bool read_document(struct reading *r, GBytes *bytes, unsigned depth, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	g_autofree char *type = oci_media_type_detect(data, n);
	if (!type || (!oci_media_type_is_index(type) && !oci_media_type_is_manifest(type)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported or uninferrable manifest type");
	if (depth == 0) {
		g_autofree char *id = g_strconcat("inferred cache manifest type: ", type, NULL);
		int64_t started_ns;
		progress_status_start(r->work->progress, id, NULL, &started_ns);
		progress_status_end(r->work->progress, id, NULL, started_ns);
	}
	if (oci_media_type_is_index(type)) {
		g_autoptr(oci_index) index = oci_index_parse(data, n, type, error);
		return index && read_index(r, index, depth, error);
	}
	g_autoptr(oci_manifest) m = oci_manifest_parse(data, n, type, error);
	return m && read_manifest(r, m, depth, error);
}

solver_import *content_import(const struct remotecache_context *context, const struct import_origin *origin, void *self,
			      struct work *work, GError **error)
{
	g_autoptr(GBytes) root = origin->root(self, work, error);
	if (!root)
		return NULL;
	g_autoptr(remote_import) import = remote_import_new(context, origin->eager);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct reading r = {context, origin, self, work, import, seen};
	return read_document(&r, root, 0, error) ? remote_import_finish(&import) : NULL;
}
