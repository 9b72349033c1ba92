/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are not layers: documents that a record names, and blobs that only a build holds. */
#include "cache/record.h"
#include "base/hash_walk.h"
#include "content/blob_holds.h"
#include "oci/layer_writer.h"

void record_each_blob(const cache_ref *r, void (*fn)(const struct digest *digest, void *data), void *data)
{
	if (r->blob)
		fn(&r->blob->digest, data);
	for (guint i = 0; i < r->variants->len; i++)
		fn(&((const struct variant *)r->variants->pdata[i])->descriptor->digest, data);
	for (guint i = 0; i < r->documents->len; i++)
		fn(&g_array_index(r->documents, struct record_document, i).digest, data);
}

/* ---- documents of a record */

static void record_add_document_locked(cache_ref *r, const struct digest *digest, int64_t size)
{
	for (guint i = 0; i < r->documents->len; i++)
		if (digest_equal(&g_array_index(r->documents, struct record_document, i).digest, digest))
			return;
	struct record_document doc = {*digest, size};
	if (r->documents->len >= RECORD_DOCUMENTS_MAX)
		g_array_remove_index(r->documents, 0);
	g_array_append_val(r->documents, doc);
	r->documents_dirty = true;
	record_changed_locked(r);
}

bool cache_ref_add_document(cache_ref *r, GBytes *bytes, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	struct digest digest;
	g_autoptr(blob_holds) holds = blob_holds_new(r->cache->blobs);
	if (!blob_holds_put(holds, data, n, &digest, error))
		return false;
	g_mutex_lock(&r->cache->mu);
	record_add_document_locked(r, &digest, (int64_t)n);
	g_mutex_unlock(&r->cache->mu);
	return true;
}

/* ---- blobs that no record names */

oci_descriptor *cache_hold_layer(cache *c, layer_writer *w, blob_holds *holds, struct digest *ret_diff_id,
				 GError **error)
{
	g_rw_lock_reader_lock(&c->sweep_lock);
	oci_descriptor *blob = layer_writer_commit(w, ret_diff_id, error);
	if (blob)
		blob_holds_add(holds, &blob->digest);
	g_rw_lock_reader_unlock(&c->sweep_lock);
	return blob;
}

struct search {
	const struct digest *digest;
	bool found;
};

static void compare(const struct digest *digest, void *data)
{
	struct search *s = data;
	s->found = s->found || digest_equal(digest, s->digest);
}

bool cache_names_blob(cache *c, const struct digest *digest)
{
	struct search s = {digest, false};
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&c->mu);
	for (struct hash_walk it = hash_walk(c->records); !s.found && hash_walk_next(&it);)
		record_each_blob(it.value, compare, &s);
	return s.found;
}

void cache_release_blobs(cache *c, blob_holds *holds)
{
	struct digest digest;
	while (blob_holds_pop(holds, &digest)) {
		g_rw_lock_writer_lock(&c->sweep_lock);
		if (!cache_names_blob(c, &digest))
			blob_store_remove(c->blobs, &digest);
		g_rw_lock_writer_unlock(&c->sweep_lock);
	}
}
