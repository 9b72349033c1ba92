/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/thread.h"
#include "base/hash_walk.h"
#include "cache/blob.h"
#include "cache/merge.h"
#include "oci/layer_writer.h"
#include "progress/progress.h"

/* ---- layers from descriptors */
/*
 * Replaces the provider by the newest one, whose session, credentials and vertex still exist. fresh receives the old
 * provider.
 */
static void renew_locked(cache_ref *have, cache_ref *fresh)
{
	blob_provider *provider = have->provider;
	progress_sink *progress = have->progress;
	if (fresh->provider) {
		have->provider = fresh->provider;
		fresh->provider = provider;
	}
	if (fresh->image_reference) {
		char *reference = have->image_reference, *layers = have->image_layers;
		have->image_reference = fresh->image_reference;
		have->image_layers = fresh->image_layers;
		fresh->image_reference = reference;
		fresh->image_layers = layers;
	}
	if (fresh->progress && !have->tree) {
		have->progress = fresh->progress;
		fresh->progress = progress;
	}
}

cache_ref *cache_add_layer(cache *c, cache_ref *parent, const oci_layer *layer, blob_provider *provider,
			   const struct cache_record_options *options, GError **error)
{
	if (!layer->descriptor || !digest_is_set(&layer->descriptor->digest) || !digest_is_set(&layer->diff_id))
		return error_null(error, ERROR_INVALID_ARGUMENT, "layer without digest or diff id");
	cache_ref *fresh = record_new(c, options);
	fresh->blob = oci_descriptor_copy(layer->descriptor);
	fresh->diff_id = layer->diff_id;
	fresh->provider = provider ? blob_provider_ref(provider) : NULL;
	fresh->progress = options && options->progress ? progress_sink_ref(options->progress) : NULL;
	fresh->image_reference = options ? g_strdup(options->image_reference) : NULL;
	fresh->image_layers = options ? g_strdup(options->image_layers) : NULL;
	fresh->handles = 1;
	g_mutex_lock(&c->mu);
	if (parent)
		record_seal_locked(parent);
	fresh->parent = parent;
	record_chain_locked(fresh);
	cache_ref *have = digest_is_set(&fresh->blob_chain_id)
				  ? g_hash_table_lookup(c->by_blob_chain, fresh->blob_chain_id.text)
				  : NULL;
	if (have && have != fresh) {
		have->handles++;
		renew_locked(have, fresh);
	} else {
		record_add_locked(c, fresh);
		record_dirty_locked(fresh);
		if (options && options->layer_os)
			record_set_value_locked(fresh, CACHE_LAYER_OS, options->layer_os, strlen(options->layer_os));
		have = fresh;
	}
	g_mutex_unlock(&c->mu);
	if (have != fresh)
		record_free(fresh);
	record_release_dead(c);
	return have;
}

/* ---- layers of a record */
struct making { /* state of making the blobs of a chain in parallel */
	const struct cache_layer_options *options;
	struct work *work;
	GPtrArray *todo; /* of cache_ref, borrowed */
	GMutex mu;       /* guards error */
	GError *error;
};

static void make_one(void *data, size_t i)
{
	struct making *m = data;
	cache_ref *r = m->todo->pdata[i];
	GError *error = NULL;
	bool ok = blob_make(r, m->options->compression, m->options->level, m->work, &error);
	if (ok && m->options->force)
		ok = blob_convert(r, m->options->compression, m->options->level, m->work, &error) != NULL;
	if (ok)
		return;
	g_mutex_lock(&m->mu);
	if (!m->error)
		m->error = g_steal_pointer(&error);
	g_mutex_unlock(&m->mu);
	g_clear_error(&error);
}

static bool needs_making(cache *c, const cache_ref *r, const struct cache_layer_options *options)
{
	if (!r->blob || (options->force && layer_compression(r->blob) != options->compression))
		return true;
	return (r->tree || r->kind == RECORD_DIFF) && !r->provider && !blob_store_has(c->blobs, &r->blob->digest);
}

/* A layer has one form: one that was made for a Linux image cannot be merged onto a Windows image. */
static bool check_systems_locked(const cache_ref *of, const GPtrArray *chain, GError **error)
{
	for (guint i = 0; of && record_is_windows_locked(of) && i < chain->len; i++)
		if (!record_is_windows_locked(chain->pdata[i]))
			return error_set(error, ERROR_UNIMPLEMENTED,
					 "merges of layers of a Windows image with other layers are not supported yet");
	return true;
}

static bool make_blobs(cache *c, const cache_ref *of, GPtrArray *chain, const struct cache_layer_options *options,
		       struct work *work, GError **error)
{
	struct making m = {.options = options, .work = work};
	g_autoptr(GPtrArray) todo = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	if (!check_systems_locked(of, chain, error)) {
		g_mutex_unlock(&c->mu);
		return false;
	}
	for (guint i = 0; i < chain->len; i++) {
		cache_ref *r = chain->pdata[i];
		record_restore_provider_locked(r);
		if (r->blob)
			blob_store_check_size(c->blobs, &r->blob->digest, r->blob->size);
	}
	for (guint i = 0; i < chain->len; i++)
		if (needs_making(c, chain->pdata[i], options))
			g_ptr_array_add(todo, chain->pdata[i]);
	g_mutex_unlock(&c->mu);
	if (todo->len == 0)
		return true;
	if (options->existing)
		return error_set(error, ERROR_NOT_FOUND, "%u layers have no blob yet", todo->len);
	g_mutex_init(&m.mu);
	m.todo = todo;
	thread_each(todo->len, g_get_num_processors(), make_one, &m);
	g_mutex_clear(&m.mu);
	return !m.error || error_propagate(error, m.error);
}

/* ---- what is reported */
static const struct {
	const char *oci, *docker;
} same_types[] = {
	{OCI_LAYER, DOCKER_LAYER},
	{OCI_LAYER_GZIP, DOCKER_LAYER_GZIP},
	{OCI_LAYER_ZSTD, DOCKER_LAYER_ZSTD},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar",
	 "application/vnd.docker.image.rootfs.foreign.diff.tar"},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	 "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
	{"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	 "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd"},
};
#define N_DISTRIBUTABLE 3

static const char *reported_type(const char *media_type, const struct cache_layer_options *options)
{
	for (size_t i = 0; i < G_N_ELEMENTS(same_types); i++) {
		if (strcmp(media_type, same_types[i].oci) != 0 && strcmp(media_type, same_types[i].docker) != 0)
			continue;
		size_t at = !options->prefer_nondist && i >= N_DISTRIBUTABLE ? i - N_DISTRIBUTABLE : i;
		return options->oci_media_types ? same_types[at].oci : same_types[at].docker;
	}
	return media_type;
}

static bool is_internal(const char *key)
{
	return strcmp(key, VARIANT_DIFF_ID) == 0 || g_str_has_prefix(key, "buildkit/") ||
	       g_str_has_prefix(key, "containerd.io/distribution.source.");
}

static oci_descriptor *reported_descriptor(const oci_descriptor *blob, const struct cache_layer_options *options)
{
	oci_descriptor *d = oci_descriptor_new(reported_type(blob->media_type, options), &blob->digest, blob->size);
	if (oci_media_type_is_foreign(d->media_type))
		d->urls = g_strdupv(blob->urls);
	for (struct hash_walk it = hash_walk(blob->annotations); hash_walk_next(&it);)
		if (!is_internal(it.key))
			oci_descriptor_annotate(d, it.key, it.value);
	return d;
}

static const oci_descriptor *chosen_blob(const cache_ref *r, const struct cache_layer_options *options)
{
	for (guint i = 0; options->force && i < r->variants->len; i++) {
		const struct variant *v = r->variants->pdata[i];
		if (v->compression == options->compression && layer_compression(r->blob) != options->compression)
			return v->descriptor;
	}
	return r->blob;
}

/* A variant may decompress to a different stream than the record's own blob: estargz contains a table of contents. */
static void report_diff_id(const cache_ref *r, const oci_descriptor *blob, struct digest *ret)
{
	const char *own = blob != r->blob ? oci_descriptor_annotation(blob, VARIANT_DIFF_ID) : NULL;
	if (!own || !digest_parse(own, ret, NULL))
		*ret = r->diff_id;
}

static struct cache_layer_result *report_locked(cache_ref *r, const struct cache_layer_options *options)
{
	const oci_descriptor *blob = chosen_blob(r, options);
	struct cache_layer_result *result = g_new0(struct cache_layer_result, 1);
	result->layer = g_new0(oci_layer, 1);
	result->layer->descriptor = reported_descriptor(blob, options);
	report_diff_id(r, blob, &result->layer->diff_id);
	result->layer->created_ns = r->created_ns;
	result->layer->description = g_strdup(r->description);
	if (r->provider && !blob_store_has(r->cache->blobs, &blob->digest))
		result->provider = blob_provider_ref(r->provider);
	return result;
}

static void result_free(gpointer data)
{
	struct cache_layer_result *result = data;
	oci_layer_free(result->layer);
	if (result->provider)
		blob_provider_unref(result->provider);
	g_free(result);
}

GPtrArray *cache_ref_layers(cache *c, cache_ref *r, const struct cache_layer_options *options, struct work *work,
			    GError **error)
{
	g_autoptr(GPtrArray) results = g_ptr_array_new_with_free_func(result_free);
	g_autoptr(GPtrArray) chain = merge_units(r);
	if (!make_blobs(c, r, chain, options, work, error) ||
	    (options->fetch && !record_fetch_all(c, chain, work, error)))
		return NULL;
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < chain->len; i++) {
		record_chain_locked(chain->pdata[i]);
		g_ptr_array_add(results, report_locked(chain->pdata[i], options));
	}
	g_mutex_unlock(&c->mu);
	return g_steal_pointer(&results);
}
