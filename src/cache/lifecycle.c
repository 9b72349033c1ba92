/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/record.h"

/* Writes the record's first row together with all pending rows. */
static bool keep(cache_ref *r, GError **error)
{
	cache *c = r->cache;
	if (!tree_keep(c, r->tree, error))
		return false;
	g_mutex_lock(&c->mu);
	record_dirty_locked(r);
	g_mutex_unlock(&c->mu);
	return store_flush(c, false, error);
}

static cache_ref *add_mutable(cache *c, cache_ref *parent, const struct cache_record_options *options, cancel *stop,
			      GError **error)
{
	cache_ref *r = record_new(c, options);
	r->is_mutable = true;
	r->handles = 1;
	r->tree = tree_create(c, r->id, parent ? parent->tree : NULL, false, stop, error);
	if (!r->tree) {
		record_free(r);
		return NULL;
	}
	g_mutex_lock(&c->mu);
	r->parent = parent;
	if (parent)
		record_seal_locked(parent);
	record_add_locked(c, r);
	g_mutex_unlock(&c->mu);
	record_release_dead(c);
	return r;
}

cache_ref *cache_new_mutable(cache *c, cache_ref *parent, const struct cache_record_options *options, struct work *work,
			     GError **error)
{
	if (parent && parent->is_mutable)
		return error_null(error, ERROR_FAILED_PRECONDITION, "%s is mutable", parent->id);
	if (parent && !record_unpack(parent, work, error))
		return NULL;
	cache_ref *r = add_mutable(c, parent, options, work ? work->cancel : NULL, error);
	if (!r || r->policy != CACHE_POLICY_RETAIN || keep(r, error))
		return r;
	r->policy = CACHE_POLICY_DEFAULT;
	cache_ref_unref(r);
	return NULL;
}

bool cache_ref_set_policy(cache_ref *r, enum cache_policy policy, GError **error)
{
	g_mutex_lock(&r->cache->mu);
	bool changed = r->policy != policy;
	r->policy = policy;
	bool needs_tree = changed && r->is_mutable && policy == CACHE_POLICY_RETAIN && r->tree && r->tree->in_work;
	if (changed && !needs_tree)
		record_dirty_locked(r);
	g_mutex_unlock(&r->cache->mu);
	return !needs_tree || keep(r, error);
}

/* ---- commit */
static void close_writer(cache_ref *r)
{
	g_mutex_lock(&r->cache->mu);
	snapshot_view *v = tree_take_idle_view_locked(r->tree);
	g_clear_pointer(&r->tree->inodes, g_array_unref);
	g_mutex_unlock(&r->cache->mu);
	snapshot_view_close(v);
}

static bool check_mutable(const cache_ref *r, GError **error)
{
	return r->is_mutable || error_set(error, ERROR_FAILED_PRECONDITION, "%s is not mutable", r->id);
}

cache_ref *cache_commit(cache_ref *mutable_ref, struct work *work, GError **error)
{
	g_autoptr(cache_ref) r = mutable_ref;
	cache *c = r->cache;
	if (!check_mutable(r, error) || !cancel_check(work ? work->cancel : NULL, error))
		return NULL;
	close_writer(r);
	bool is_new = r->tree->in_work; /* there are no digests of an earlier state */
	scoped_fd dir = tree_open_dir(c, r->tree, error);
	if (dir < 0 || !snapshotter_seal(c->snapshotter, dir, error) || !tree_keep(c, r->tree, error))
		return NULL;
	g_mutex_lock(&c->mu);
	r->is_mutable = false;
	r->open = true;
	r->tree->rewritable = r->tree->rewritable && !is_new;
	record_changed_locked(r);
	g_mutex_unlock(&c->mu);
	if (store_flush(c, false, error))
		return g_steal_pointer(&r);
	g_mutex_lock(&c->mu);
	record_kill_locked(r); /* a record that a crash would lose must not be found */
	g_mutex_unlock(&c->mu);
	return NULL;
}

static cache_ref *add_twin(cache_ref *m)
{
	cache *c = m->cache;
	struct cache_record_options options = {.description = m->description,
					       .record_type = m->type,
					       .policy = m->policy,
					       .created_ns = m->created_ns};
	cache_ref *twin = record_new(c, &options);
	g_mutex_lock(&c->mu);
	twin->handles = 1;
	twin->tree = tree_ref_locked(m->tree);
	twin->parent = m->parent;
	twin->twin = m;
	m->twin = twin;
	record_add_locked(c, twin);
	record_dirty_locked(twin);
	record_dirty_locked(m);
	g_mutex_unlock(&c->mu);
	return twin;
}

cache_ref *cache_commit_twin(cache_ref *mutable_ref, struct work *work, GError **error)
{
	if (mutable_ref->policy != CACHE_POLICY_RETAIN)
		return cache_commit(mutable_ref, work, error);
	g_autoptr(cache_ref) m = mutable_ref;
	if (!check_mutable(m, error) || !cancel_check(work ? work->cancel : NULL, error))
		return NULL;
	close_writer(m);
	g_autoptr(cache_ref) twin = add_twin(m);
	if (!store_flush(m->cache, false, error))
		return NULL;
	return g_steal_pointer(&twin);
}

/* ---- by id */
static bool not_found(const char *id, GError **error)
{
	return error_set(error, ERROR_NOT_FOUND, "%s: not found", id);
}

static bool locked(const char *id, GError **error)
{
	return error_set(error, ERROR_FAILED_PRECONDITION, "%s is locked: locked", id);
}

/*
 * Returns the record for id with one more handle; a mutable one that must be committed first is stored in *ret_mutable.
 */
static cache_ref *get_locked(cache *c, const char *id, cache_ref **ret_mutable, GError **error)
{
	cache_ref *r = g_hash_table_lookup(c->records, id);
	if (r && r->is_mutable && r->twin)
		r = r->twin;
	if (!r) {
		not_found(id, error);
		return NULL;
	}
	if (r->is_mutable && r->handles > 0) {
		locked(id, error);
		return NULL;
	}
	r->handles++;
	if (!r->is_mutable)
		return r;
	*ret_mutable = r;
	return NULL;
}

cache_ref *cache_get(cache *c, const char *id, GError **error)
{
	cache_ref *to_commit = NULL;
	g_mutex_lock(&c->mu);
	g_autoptr(cache_ref) r = NULL;
	cache_ref *found = get_locked(c, id, &to_commit, error);
	g_mutex_unlock(&c->mu);
	r = found;
	if (to_commit)
		return cache_commit_twin(to_commit, NULL, error);
	if (r && !cache_ref_is_complete(r)) {
		not_found(id, error);
		return NULL;
	}
	return g_steal_pointer(&r);
}

static cache_ref *get_mutable_locked(cache *c, const char *id, GError **error)
{
	cache_ref *r = g_hash_table_lookup(c->records, id);
	if (!r) {
		not_found(id, error);
		return NULL;
	}
	if (!r->is_mutable)
		return error_null(error, ERROR_FAILED_PRECONDITION, "%s is not mutable", id);
	if (r->handles > 0 || (r->twin && record_is_used_locked(r->twin))) {
		locked(id, error);
		return NULL;
	}
	if (r->twin)
		record_kill_locked(r->twin);
	r->handles++;
	record_changed_locked(r);
	return r;
}

cache_ref *cache_get_mutable(cache *c, const char *id, GError **error)
{
	g_mutex_lock(&c->mu);
	cache_ref *r = get_mutable_locked(c, id, error);
	g_mutex_unlock(&c->mu);
	record_release_dead(c);
	return r;
}
