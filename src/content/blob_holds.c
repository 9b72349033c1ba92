/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_holds.h"
#include "base/hash_walk.h"

struct blob_holds {
	blob_store *store; /* borrowed: outlives this object */
	GMutex mu;
	GHashTable *digests; /* set of texts, owned */
};

blob_holds *blob_holds_new(blob_store *store)
{
	blob_holds *h = g_new0(blob_holds, 1);
	h->store = store;
	g_mutex_init(&h->mu);
	h->digests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return h;
}

void blob_holds_free(blob_holds *h)
{
	struct digest digest;
	if (!h)
		return;
	while (blob_holds_pop(h, &digest))
		;
	g_hash_table_unref(h->digests);
	g_mutex_clear(&h->mu);
	g_free(h);
}

void blob_holds_add(blob_holds *h, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&h->mu);
	if (g_hash_table_add(h->digests, g_strdup(digest->text)))
		blob_store_hold(h->store, digest);
}

bool blob_holds_put(blob_holds *h, const void *bytes, size_t n, struct digest *ret_digest, GError **error)
{
	struct digest digest;
	digest_of(bytes, n, &digest);
	blob_holds_add(h, &digest);
	return blob_store_put(h->store, bytes, n, ret_digest, error);
}

bool blob_holds_pop(blob_holds *h, struct digest *ret)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&h->mu);
	struct hash_walk it = hash_walk(h->digests);
	if (!hash_walk_next(&it) || !digest_parse(it.key, ret, NULL))
		return false;
	g_hash_table_iter_remove(&it.iter);
	blob_store_release(h->store, ret);
	return true;
}
