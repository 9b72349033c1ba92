/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/record.h"

/* Only a record in a chain whose lower part has trees already. */
static bool is_candidate_locked(const cache_ref *r)
{
	return r->kind == RECORD_LAYER && !r->tree && r->blob && r->image_reference && r->image_layers &&
	       !blob_store_has(r->cache->blobs, &r->blob->digest) && (!r->parent || r->parent->tree);
}

static struct tree *create(cache_ref *r, const struct snapshot_remote *from, struct work *work, GError **error)
{
	struct tree *parent = r->parent ? r->parent->tree : NULL;
	struct tree *t = tree_create_remote(r->cache, r->id, parent, from, work ? work->cancel : NULL, error);
	if (!t || tree_keep(r->cache, t, error))
		return t;
	tree_discard(r->cache, t);
	return NULL;
}

static bool unpack_claimed_locked(cache_ref *r, struct work *work, GError **error)
{
	GError *failure = NULL;
	if (!is_candidate_locked(r))
		return true;
	/* Another build may replace them. */
	g_autofree char *reference = g_strdup(r->image_reference), *layers = g_strdup(r->image_layers);
	const struct snapshot_remote from = {reference, r->blob->digest.text, layers, r->blob->annotations};
	g_mutex_unlock(&r->cache->mu);
	struct tree *t = create(r, &from, work, &failure);
	g_mutex_lock(&r->cache->mu);
	if (failure)
		return error_propagate(error, failure);
	if (t) {
		r->tree = t;
		record_changed_locked(r);
	}
	return true;
}

bool record_unpack_remote(cache *c, GPtrArray *records, struct work *work, GError **error)
{
	bool ok = true;
	if (!snapshotter_has_remote(c->snapshotter))
		return true;
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < records->len && ok; i++) {
		cache_ref *r = records->pdata[i];
		if (!is_candidate_locked(r))
			continue;
		ok = record_claim_locked(r, work, error);
		if (ok) {
			ok = unpack_claimed_locked(r, work, error);
			record_unclaim_locked(r);
		}
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

void record_restore_provider_locked(cache_ref *r)
{
	cache *c = r->cache;
	if (r->tree && r->tree->remote && r->blob && !r->provider && c->provider_of)
		r->provider = c->provider_of(c->provider_data, r->blob);
}
