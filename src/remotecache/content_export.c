/* SPDX-License-Identifier: Apache-2.0 */
/* Writes layers, config and manifest of a cache to a destination. */
#include "base/scope.h"
#include "base/thread.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include "remotecache/exporter.h"

bool content_format_read(GHashTable *attrs, struct content_format *ret, GError **error)
{
	return attribute_bool(attrs, "oci-mediatypes", true, &ret->oci, error) &&
	       attribute_bool(attrs, "image-manifest", ret->oci, &ret->image_manifest, error);
}

/*
 * The descriptor of a layer as caches have it: containerd.io/uncompressed and buildkit/createdat say what its config
 * does not.
 */
static oci_descriptor *layer_descriptor(const struct cache_layer_result *layer, bool oci)
{
	oci_descriptor *d = oci_descriptor_copy(layer->layer->descriptor);
	const char *type = oci_media_type_convert(d->media_type, oci, true);
	if (type != d->media_type) {
		g_autofree char *old = d->media_type;
		d->media_type = g_strdup(type);
	}
	oci_descriptor_annotate(d, "containerd.io/uncompressed", layer->layer->diff_id.text);
	if (layer->layer->created_ns > 0) {
		g_autofree char *created = time_format_rfc3339(layer->layer->created_ns);
		oci_descriptor_annotate(d, "buildkit/createdat", created);
	}
	return d;
}

int layer_open(const struct remotecache_context *context, const struct cache_layer_result *layer, struct work *work,
	       GError **error)
{
	const oci_descriptor *d = layer->layer->descriptor;
	if (layer->provider && !blob_provider_fetch(layer->provider, context->blobs, &d->digest, d->size, work, error))
		return -1;
	g_autoptr(GError) why = NULL;
	int fd = blob_store_find(context->blobs, &d->digest, &why);
	if (fd < 0 && !why)
		error_set(&why, ERROR_NOT_FOUND, "blob %s: not found", d->digest.text);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return fd;
}

/* ---- parallel uploads */

struct each {
	layer_fn fn;
	void *data;
	struct work work; /* cancels all uploads when one fails */
	GArray *items;    /* element type: guint: indices of layers */
	GMutex mu;
	GError *error;
};

static void each_run(void *data, size_t i)
{
	struct each *e = data;
	GError *why = NULL;
	if (cancel_is_set(e->work.cancel) || e->fn(e->data, g_array_index(e->items, guint, i), &e->work, &why))
		return;
	g_mutex_lock(&e->mu);
	if (!e->error)
		e->error = g_steal_pointer(&why);
	g_mutex_unlock(&e->mu);
	g_clear_error(&why);
	cancel_set(e->work.cancel, ERROR_CANCELED, NULL);
}

bool layers_each(const GPtrArray *layers, int parallel, layer_fn fn, void *data, struct work *work, GError **error)
{
	g_autoptr(cancel) stop = cancel_new(work->cancel);
	g_autoptr(GHashTable) given = g_hash_table_new(g_str_hash, g_str_equal);
	struct each e = {.fn = fn, .data = data, .work = *work};
	e.work.cancel = stop;
	g_mutex_init(&e.mu);
	g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < layers->len; i++) {
		const struct cache_layer_result *layer = layers->pdata[i];
		if (g_hash_table_add(given, layer->layer->descriptor->digest.text))
			g_array_append_val(items, i);
	}
	e.items = items;
	thread_each(items->len, (size_t)parallel, each_run, &e);
	g_mutex_clear(&e.mu);
	if (e.error && cancel_check(work->cancel, NULL))
		return error_propagate(error, e.error);
	g_clear_error(&e.error);
	return cancel_check(work->cancel, error);
}

/* ---- documents */

struct content {
	const struct content_target *target;
	const struct content_format *format;
	GPtrArray *descriptors; /* element type: oci_descriptor *, one per layer */
	const GPtrArray *layers;
	struct work *work;
};

static bool send_layer(void *data, guint i, struct work *work, GError **error)
{
	const struct content *c = data;
	const oci_descriptor *d = c->descriptors->pdata[i];
	g_autofree char *id = g_strconcat("writing layer ", d->digest.text, NULL);
	int64_t started_ns;
	progress_status_start(work->progress, id, NULL, &started_ns);
	if (!c->target->blob(c->target->self, d, c->layers->pdata[i], work, error))
		return error_prefix(error, "error writing layer blob: ");
	progress_status_end(work->progress, id, NULL, started_ns);
	return true;
}

static oci_descriptor *send_document(const struct content *c, const char *text, size_t n, const char *type,
				     const char *what, bool is_root, GError **error)
{
	struct digest digest;
	digest_of(text, n, &digest);
	g_autoptr(oci_descriptor) d = oci_descriptor_new(type, &digest, (int64_t)n);
	g_autofree char *id = g_strdup_printf("writing %s %s", what, digest.text);
	int64_t started_ns;
	progress_status_start(c->work->progress, id, NULL, &started_ns);
	if (!c->target->document(c->target->self, d, text, is_root, c->work, error))
		return error_prefix_null(error, "error writing %s blob: ", is_root ? "manifest" : "config");
	progress_status_end(c->work->progress, id, NULL, started_ns);
	return g_steal_pointer(&d);
}

/* Writes an image manifest whose config is the cache config, or an index with layers as its entries. */
static char *manifest_write(const struct content *c, const oci_descriptor *config, const char *type, size_t *ret_n)
{
	bool image = c->format->image_manifest;
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_int_member(w, "schemaVersion", 2);
	json_put_string_member(w, "mediaType", type);
	if (image) {
		json_key(w, "config");
		oci_descriptor_write(w, config);
	}
	json_array_member_begin(w, image ? "layers" : "manifests");
	for (guint i = 0; i < c->descriptors->len; i++)
		oci_descriptor_write(w, c->descriptors->pdata[i]);
	if (!image)
		oci_descriptor_write(w, config);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, ret_n);
}

static bool send_documents(const struct content *c, const char *config_text, size_t n_config, GHashTable *response,
			   GError **error)
{
	const struct content_format *f = c->format;
	g_autoptr(oci_descriptor) config =
		send_document(c, config_text, n_config, BUILDKIT_CACHE_CONFIG, "config", false, error);
	if (!config)
		return false;
	const char *type = f->image_manifest ? OCI_MANIFEST : f->oci ? OCI_INDEX : DOCKER_INDEX;
	size_t n;
	g_autofree char *text = manifest_write(c, config, type, &n);
	g_autoptr(oci_descriptor) root = send_document(
		c, text, n, type, f->image_manifest ? "cache image manifest" : "cache manifest", true, error);
	if (!root)
		return false;
	json_writer *w = json_writer_new(0);
	oci_descriptor_write(w, root);
	g_hash_table_replace(response, g_strdup("cache.manifest"), json_writer_take(&w, NULL));
	return true;
}

static void descriptor_free(gpointer d)
{
	oci_descriptor_free(d);
}

bool content_export(const struct content_target *target, const struct content_format *format,
		    const cache_config *config, const GPtrArray *layers, struct work *work, GHashTable *response,
		    GError **error)
{
	if (layers->len == 0) {
		int64_t started_ns;
		progress_status_start(work->progress, "skipping cache export for empty result", NULL, &started_ns);
		progress_status_end(work->progress, "skipping cache export for empty result", NULL, started_ns);
		return true;
	}
	if (format->image_manifest && !format->oci)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"invalid configuration for remote cache, OCI mediatypes are required for image-manifest "
			"cache format");
	size_t n;
	g_autoptr(GArray) order = NULL;
	g_autofree char *text = cache_config_write(config, &n, &order);
	g_autoptr(GPtrArray) descriptors = g_ptr_array_new_with_free_func(descriptor_free);
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	for (guint i = 0; i < order->len; i++) {
		struct cache_layer_result *layer = layers->pdata[g_array_index(order, guint, i)];
		g_ptr_array_add(sorted, layer);
		g_ptr_array_add(descriptors, layer_descriptor(layer, format->oci));
	}
	struct content c = {target, format, descriptors, sorted, work};
	return layers_each(sorted, target->parallel, send_layer, &c, work, error) &&
	       send_documents(&c, text, n, response, error);
}
