/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/blob.h"
#include <string.h>
#include "base/limits.h"
#include "oci/layer_writer.h"
#include "snapshot/diff.h"

#define READ_BYTES (256 * 1024)

/* The blob is pinned for the caller until a record names it (blob_store_release). */
static oci_descriptor *commit_held(cache *c, layer_writer *w, struct digest *ret_diff_id, GError **error)
{
	g_rw_lock_reader_lock(&c->sweep_lock);
	oci_descriptor *blob = layer_writer_commit(w, ret_diff_id, error);
	if (blob)
		blob_store_hold(c->blobs, &blob->digest);
	g_rw_lock_reader_unlock(&c->sweep_lock);
	return blob;
}

/* ---- blobs from trees */
static int open_or_empty(cache *c, const cache_ref *r, struct work *work, GError **error)
{
	return r ? tree_open_merged(c, r->tree, error) : cache_ref_open_tree(c, NULL, CACHE_TREE_READ, work, error);
}

/*
 * Compares two merged trees: always when the snapshotter keeps whole trees, and when either tree is a stack of layers.
 */
static bool stream_trees(cache_ref *r, const struct diff_options *options, bytes_sink_fn sink, void *data,
			 GError **error)
{
	cache *c = r->cache;
	const cache_ref *below = r->kind == RECORD_DIFF ? r->inputs->pdata[0] : r->parent;
	const cache_ref *top = r->kind == RECORD_DIFF ? r->inputs->pdata[1] : r;
	scoped_fd lower = below ? open_or_empty(c, below, NULL, error) : -1;
	if (below && lower < 0)
		return false;
	scoped_fd upper = open_or_empty(c, top, NULL, error);
	return upper >= 0 && diff_trees(lower, upper, options, sink, data, error);
}

/* The upper directory alone contains the difference when the tree is one layer on top of the parent's tree. */
static bool is_one_layer(const cache_ref *r)
{
	if (r->kind != RECORD_LAYER || !snapshotter_has_upper(r->cache->snapshotter))
		return false;
	const struct tree *below = r->parent ? r->parent->tree : NULL;
	return !r->tree->over && r->tree->parent == below;
}

static bool stream_upper(cache_ref *r, const struct diff_options *options, bytes_sink_fn sink, void *data,
			 GError **error)
{
	cache *c = r->cache;
	scoped_fd lower = r->parent ? tree_open_merged(c, r->parent->tree, error) : -1;
	scoped_fd dir = r->parent && lower < 0 ? -1 : tree_open_dir(c, r->tree, error);
	scoped_fd upper = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
	return upper >= 0 && diff_overlay(lower, upper, options, sink, data, error);
}

bool blob_stream(cache_ref *r, cancel *stop, bytes_sink_fn sink, void *data, GError **error)
{
	struct diff_options options = {.exact = true, .cancel = stop};
	return (is_one_layer(r) ? stream_upper : stream_trees)(r, &options, sink, data, error);
}

static bool is_windows(const cache_ref *r)
{
	g_mutex_lock(&r->cache->mu);
	bool ret = record_is_windows_locked(r);
	g_mutex_unlock(&r->cache->mu);
	return ret;
}

static oci_descriptor *make(cache_ref *r, bool by_layer, enum compression compression, int level, struct work *work,
			    struct digest *ret_diff_id, GError **error)
{
	cache *c = r->cache;
	g_autoptr(layer_writer) w = layer_writer_new(c->blobs, compression, level, error);
	struct diff_options options = {.windows = is_windows(r), .cancel = work ? work->cancel : NULL};
	if (!w || !(by_layer ? stream_upper : stream_trees)(r, &options, layer_writer_write, w, error) ||
	    !layer_writer_finish(w, NULL, error))
		return NULL;
	return commit_held(c, w, ret_diff_id, error);
}

static oci_descriptor *make_somehow(cache_ref *r, enum compression compression, int level, struct work *work,
				    struct digest *ret_diff_id, GError **error)
{
	g_autoptr(GError) unable = NULL;
	if (!is_one_layer(r))
		return make(r, false, compression, level, work, ret_diff_id, error);
	oci_descriptor *blob = make(r, true, compression, level, work, ret_diff_id, &unable);
	if (blob)
		return blob;
	if (error_is(unable, ERROR_UNIMPLEMENTED))
		return make(r, false, compression, level, work, ret_diff_id, error);
	return error_propagate_null(error, g_steal_pointer(&unable));
}

static bool make_claimed_locked(cache_ref *r, enum compression compression, int level, struct work *work,
				GError **error)
{
	cache *c = r->cache;
	struct digest diff_id;
	g_mutex_unlock(&c->mu);
	oci_descriptor *blob = make_somehow(r, compression, level, work, &diff_id, error);
	g_mutex_lock(&c->mu);
	if (!blob)
		return false;
	r->blob = blob;
	r->open = false;
	r->diff_id = diff_id;
	blob_store_release(c->blobs, &blob->digest);
	record_changed_locked(r);
	return true;
}

/* The two trees that the difference is computed from. */
static bool unpack_sides(cache_ref *r, struct work *work, GError **error)
{
	for (guint i = 0; r->kind == RECORD_DIFF && i < r->inputs->len; i++)
		if (r->inputs->pdata[i] && !record_unpack(r->inputs->pdata[i], work, error))
			return false;
	return r->kind == RECORD_DIFF || !r->parent || record_unpack(r->parent, work, error);
}

bool blob_make(cache_ref *r, enum compression compression, int level, struct work *work, GError **error)
{
	cache *c = r->cache;
	if (!r->blob && !unpack_sides(r, work, error))
		return false;
	g_mutex_lock(&c->mu);
	bool ok = record_claim_locked(r, work, error);
	if (ok) {
		/* Makes the blob again if the store has lost it; the tar is the same. */
		bool gone = r->blob && (r->tree || r->kind == RECORD_DIFF) && !r->provider &&
			    !blob_store_has(c->blobs, &r->blob->digest);
		if (gone)
			g_clear_pointer(&r->blob, oci_descriptor_free);
		ok = r->blob || make_claimed_locked(r, compression, level, work, error);
		record_unclaim_locked(r);
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

/* ---- blobs from other blobs */
static bool pump(int fd, int64_t left, decompressor *d, cancel *stop, GError **error)
{
	g_autofree char *buffer = g_malloc(READ_BYTES);
	for (;;) {
		ssize_t n = read(fd, buffer, (size_t)MIN(left, READ_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read blob");
		if (n == 0)
			return decompressor_finish(d, error);
		left -= n;
		if (!cancel_check(stop, error) || !decompressor_write(d, buffer, (size_t)n, error))
			return false;
	}
}

static int blob_open(cache *c, const oci_descriptor *blob, GError **error)
{
	GError *why = NULL;
	int fd = blob_store_find(c->blobs, &blob->digest, &why);
	if (fd < 0 && !why)
		error_set(&why, ERROR_NOT_FOUND, "blob %s no longer exists", blob->digest.text);
	if (why)
		g_propagate_error(error, why);
	return fd;
}

/* The diff id covers the whole decompressed stream, so data after the end of the tar counts as well. */
static bool check_tar(const cache_ref *r, bool is_whole, const struct digest *tar, GError **error)
{
	return !is_whole || !digest_is_set(&r->diff_id) || digest_equal(tar, &r->diff_id) ||
	       error_set(error, ERROR_DATA_LOSS, "convert %s: diff id mismatch: expected %s, got %s",
			 r->blob->digest.text, r->diff_id.text, tar->text);
}

static oci_descriptor *recompress(cache_ref *r, enum compression compression, int level, struct work *work,
				  GError **error)
{
	cache *c = r->cache;
	struct digest tar, diff_id;
	scoped_fd fd = blob_open(c, r->blob, error);
	int64_t n = fd < 0 ? -1 : layer_tar_bytes(r->blob, fd, error);
	g_autoptr(layer_writer) w = n < 0 ? NULL : layer_writer_new(c->blobs, compression, level, error);
	if (!w)
		return NULL;
	g_autoptr(decompressor) d = decompressor_new(false, LIMIT_LAYER_BYTES, layer_writer_write, w);
	if (!pump(fd, n, d, work ? work->cancel : NULL, error) || !layer_writer_finish(w, &tar, error) ||
	    !check_tar(r, n == r->blob->size, &tar, error))
		return NULL;
	oci_descriptor *blob = commit_held(c, w, &diff_id, error);
	if (blob && !digest_equal(&diff_id, &r->diff_id))
		oci_descriptor_annotate(blob, VARIANT_DIFF_ID, diff_id.text);
	return blob;
}

static const oci_descriptor *find_variant(const cache_ref *r, enum compression compression)
{
	if (layer_compression(r->blob) == compression)
		return r->blob;
	for (guint i = 0; i < r->variants->len; i++) {
		const struct variant *v = r->variants->pdata[i];
		if (v->compression == compression && blob_store_has(r->cache->blobs, &v->descriptor->digest))
			return v->descriptor;
	}
	return NULL;
}

static const oci_descriptor *convert_claimed_locked(cache_ref *r, enum compression compression, int level,
						    struct work *work, GError **error)
{
	cache *c = r->cache;
	const oci_descriptor *have = find_variant(r, compression);
	if (have)
		return have;
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	g_ptr_array_add(one, r);
	g_mutex_unlock(&c->mu);
	oci_descriptor *blob =
		record_fetch_all(c, one, work, error) ? recompress(r, compression, level, work, error) : NULL;
	g_mutex_lock(&c->mu);
	if (!blob)
		return NULL;
	struct variant *v = g_new0(struct variant, 1);
	v->compression = compression;
	v->descriptor = blob;
	g_ptr_array_add(r->variants, v);
	blob_store_release(c->blobs, &blob->digest);
	record_changed_locked(r);
	return blob;
}

const oci_descriptor *blob_convert(cache_ref *r, enum compression compression, int level, struct work *work,
				   GError **error)
{
	const oci_descriptor *blob = NULL;
	g_mutex_lock(&r->cache->mu);
	if (record_claim_locked(r, work, error)) {
		blob = convert_claimed_locked(r, compression, level, work, error);
		record_unclaim_locked(r);
	}
	g_mutex_unlock(&r->cache->mu);
	return blob;
}
