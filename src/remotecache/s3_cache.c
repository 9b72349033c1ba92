/* SPDX-License-Identifier: Apache-2.0 */
/* Caches in an S3 bucket. The config is the manifest, so it describes the layers itself. */
#include "base/limits.h"
#include "base/scope.h"
#include "base/time.h"
#include "progress/progress.h"
#include "remotecache/backend.h"
#include "remotecache/exporter.h"
#include "remotecache/importer.h"
#include "remotecache/s3.h"

/* ---- export */

struct s3_cache {
	const struct remotecache_context *context; /* borrowed from the exporter */
	s3 *bucket;                                /* counted */
	const GPtrArray *layers;                   /* while sending */
};

static void s3_close(void *self)
{
	struct s3_cache *c = self;
	s3_unref(c->bucket);
	g_free(c);
}

static void *s3_open(const struct remotecache_context *context, GHashTable *attrs, GError **error)
{
	s3 *bucket = s3_new(attrs, registry_transport(context->registry), error);
	if (!bucket)
		return NULL;
	struct s3_cache *c = g_new0(struct s3_cache, 1);
	c->context = context;
	c->bucket = bucket;
	return c;
}

static bool put_layer(const struct s3_cache *c, const struct cache_layer_result *layer, const char *key,
		      struct work *work, GError **error)
{
	const oci_descriptor *d = layer->layer->descriptor;
	g_autofree char *id = g_strconcat("writing layer ", d->digest.text, NULL);
	int64_t started_ns;
	progress_status_start(work->progress, id, NULL, &started_ns);
	scoped_fd fd = layer_open(c->context, layer, work, error);
	if (fd < 0 || !s3_put(c->bucket, key, fd, NULL, d->size, &d->digest, work, error))
		return error_prefix(error, "error writing layer blob: ");
	progress_status_end(work->progress, id, NULL, started_ns);
	return true;
}

/* An existing object is not sent again, but touched so that it does not expire. */
static bool send_layer(void *data, guint i, struct work *work, GError **error)
{
	const struct s3_cache *c = data;
	const struct cache_layer_result *layer = c->layers->pdata[i];
	g_autofree char *key = s3_blob_key(c->bucket, &layer->layer->descriptor->digest);
	struct s3_object there;
	if (!s3_head(c->bucket, key, &there, work, error))
		return error_prefix(error, "failed to check file presence in cache: ");
	if (!there.found)
		return put_layer(c, layer, key, work, error);
	int64_t age_ns = progress_now_ns() - there.modified_s * NS_PER_S;
	return there.modified_s == 0 || age_ns <= s3_touch_refresh_ns(c->bucket) ||
	       s3_touch(c->bucket, key, work, error) || error_prefix(error, "failed to touch file: ");
}

static void annotate(const cache_config *config, const GPtrArray *layers)
{
	for (guint i = 0; i < layers->len; i++) {
		const oci_layer *layer = ((const struct cache_layer_result *)layers->pdata[i])->layer;
		struct cache_config_layer *at = cache_config_layer(config, i);
		at->annotated = true;
		g_free(at->media_type);
		at->media_type = g_strdup(layer->descriptor->media_type);
		at->diff_id = layer->diff_id;
		at->size = layer->descriptor->size;
		at->created_ns = layer->created_ns;
	}
}

static bool s3_send(void *self, const cache_config *config, const GPtrArray *layers, struct work *work,
		    GHashTable *response, GError **error)
{
	struct s3_cache *c = self;
	c->layers = layers;
	if (!layers_each(layers, s3_parallelism(c->bucket), send_layer, c, work, error))
		return false;
	annotate(config, layers);
	size_t n;
	struct digest digest;
	g_autofree char *text = cache_config_write(config, &n, NULL);
	digest_of(text, n, &digest);
	for (const char *const *name = s3_names(c->bucket); *name; name++) {
		g_autofree char *key = s3_manifest_key(c->bucket, *name);
		if (!s3_put(c->bucket, key, -1, text, (int64_t)n, &digest, work, error))
			return error_prefix(error, "error writing manifest: %s: ", *name);
	}
	return true;
}

/* ---- import */

static void layer_free(gpointer layer)
{
	oci_layer_free(layer);
}

static GPtrArray *config_layers(const cache_config *config, GError **error)
{
	g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(layer_free);
	for (guint i = 0; i < config->layers->len; i++) {
		const struct cache_config_layer *at = cache_config_layer(config, i);
		if (!at->annotated || !digest_is_set(&at->diff_id))
			return error_null(error, ERROR_INVALID_ARGUMENT, "cache layer with missing %s",
					  at->annotated ? "diffid" : "annotations");
		oci_layer *layer = g_new0(oci_layer, 1);
		layer->descriptor = oci_descriptor_new(at->media_type, &at->blob, at->size);
		layer->diff_id = at->diff_id;
		layer->created_ns = at->created_ns;
		g_ptr_array_add(layers, layer);
	}
	return g_steal_pointer(&layers);
}

static bool read_manifest(s3 *bucket, remote_import *import, struct work *work, GError **error)
{
	g_autofree char *key = s3_manifest_key(bucket, s3_names(bucket)[0]);
	g_autoptr(GBytes) bytes = NULL;
	if (!s3_get(bucket, key, (size_t)LIMIT_CACHE_CONFIG_BYTES, &bytes, work, error))
		return false;
	if (!bytes) /* no cache has been exported yet */
		return true;
	g_autoptr(cache_config) config =
		cache_config_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
	GPtrArray *layers = config ? config_layers(config, error) : NULL;
	if (!layers)
		return false;
	g_autoptr(blob_provider) provider = s3_provider(bucket);
	remote_import_add(import, g_steal_pointer(&config), layers, provider);
	return true;
}

static solver_import *s3_import(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				GError **error)
{
	g_autoptr(s3) bucket = s3_new(attrs, registry_transport(context->registry), error);
	if (!bucket)
		return error_prefix_null(error, "failed to configure s3 cache importer: ");
	g_autoptr(remote_import) import = remote_import_new(context, false);
	return read_manifest(bucket, import, work, error) ? remote_import_finish(&import) : NULL;
}

const struct cache_backend cache_backend_s3 = {
	.type = "s3",
	.vertex_name = "exporting cache to Amazon S3",
	.open = s3_open,
	.send = s3_send,
	.free = s3_close,
	.import = s3_import,
};
