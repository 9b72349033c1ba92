/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cache_mount.h"
#include "base/scope.h"

#define KEY_NAME "cache-dir:"   /* + key: index used by steps */
#define ID_NAME "cache-dir-id:" /* + id: index used to drop the mount, for any input */

/* A live writer of a record, used by one or more steps. */
struct writer {
	unsigned users;
	cache_ref *ref; /* ref, mutable */
	char *key;
	bool shared; /* other steps may share it */
	int fd;      /* owned; the single tree that all use if it must not be mounted twice; else -1 */
	char *held;  /* executor_hold name */
};
struct use {
	struct writer *writer;
	int fd; /* owned; -1: the writer's */
};
struct cache_mounts {
	worker *worker;
	char *owner;
	GHashTable *by_key; /* key to struct writer * */
	GArray *uses;       /* of struct use */
};

/* ---- writers; all with the worker's mutex held */

static GHashTable *writers_of(worker *w)
{
	if (!w->cache_mounts)
		w->cache_mounts = g_hash_table_new(g_str_hash, g_str_equal);
	return w->cache_mounts;
}

static struct writer *find_shared(worker *w, const char *key)
{
	GHashTableIter iter;
	void *value;
	g_hash_table_iter_init(&iter, writers_of(w));
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct writer *wr = value;
		if (wr->shared && g_str_equal(wr->key, key))
			return wr;
	}
	return NULL;
}

static void writer_leave(worker *w, struct writer *wr)
{
	if (--wr->users > 0)
		return;
	g_hash_table_remove(writers_of(w), cache_ref_id(wr->ref));
	if (wr->held)
		executor_release(w->executor, wr->held);
	fd_close(&wr->fd);
	cache_ref_unref(wr->ref);
	g_free(wr->key);
	g_free(wr);
}

/* Finds an unused record. NULL with ret_locked if all are in use. */
static cache_ref *take_free_record(worker *w, const char *key, bool *ret_locked)
{
	g_autofree char *name = g_strconcat(KEY_NAME, key, NULL);
	g_auto(GStrv) ids = cache_find_named(w->cache, name);
	*ret_locked = false;
	for (size_t i = 0; ids[i]; i++) {
		g_autoptr(GError) why = NULL;
		cache_ref *r = cache_get_mutable(w->cache, ids[i], &why);
		if (r)
			return r;
		*ret_locked |= error_is(why, ERROR_FAILED_PRECONDITION);
	}
	return NULL;
}

static cache_ref *new_record(cache_mounts *m, const Pb__Mount *pb, const char *key, cache_ref *base, struct work *work,
			     GError **error)
{
	const char *id = pb->cacheopt->id;
	g_autoptr(GString) description = g_string_new(NULL);
	g_string_append_printf(description, "cached mount %s from %s", pb->dest, m->owner);
	if (!g_str_equal(id, pb->dest))
		g_string_append_printf(description, " with id \"%s\"", id);
	const struct cache_record_options options = {
		.description = description->str,
		.record_type = "exec.cachemount",
		.policy = CACHE_POLICY_RETAIN,
	};
	cache_ref *r = cache_new_mutable(m->worker->cache, base, &options, work, error);
	g_autofree char *key_name = g_strconcat(KEY_NAME, key, NULL);
	g_autofree char *id_name = g_strconcat(ID_NAME, id, NULL);
	if (r && (!cache_ref_set_name(r, key_name, error) || !cache_ref_set_name(r, id_name, error)))
		g_clear_pointer(&r, cache_ref_unref);
	return r;
}

/* ---- the mount of one step */

cache_mounts *cache_mounts_new(worker *w, const char *owner)
{
	cache_mounts *m = g_new0(cache_mounts, 1);
	m->worker = w;
	m->owner = g_strdup(owner);
	m->by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	m->uses = g_array_new(FALSE, FALSE, sizeof(struct use));
	return m;
}

/* Waits without the mutex until a record was released since seen; false when canceled. */
static bool wait_release(worker *w, uint64_t seen, struct work *work, GError **error)
{
	g_mutex_unlock(&w->cache_mounts_mu);
	bool ok = cache_wait_release(w->cache, seen, work->cancel, error);
	g_mutex_lock(&w->cache_mounts_mu);
	return ok;
}

static struct writer *get_writer(cache_mounts *m, const Pb__Mount *pb, const char *key, cache_ref *base,
				 struct work *work, GError **error)
{
	Pb__CacheSharingOpt sharing = pb->cacheopt->sharing;
	struct writer *wr = g_hash_table_lookup(m->by_key, key);
	if (!wr && sharing == PB__CACHE_SHARING_OPT__SHARED)
		wr = find_shared(m->worker, key);
	for (bool locked; !wr;) {
		uint64_t seen = cache_releases(m->worker->cache);
		cache_ref *r = take_free_record(m->worker, key, &locked);
		if (!r && locked && sharing == PB__CACHE_SHARING_OPT__LOCKED) {
			if (!wait_release(m->worker, seen, work, error))
				return NULL;
			continue;
		}
		if (!r)
			r = new_record(m, pb, key, base, work, error);
		if (!r)
			return NULL;
		wr = g_new(struct writer, 1);
		*wr = (struct writer){
			.ref = r, .key = g_strdup(key), .shared = sharing == PB__CACHE_SHARING_OPT__SHARED, .fd = -1};
		g_hash_table_insert(writers_of(m->worker), (void *)cache_ref_id(r), wr);
	}
	return wr;
}

/*
 * A tree without layers below it is a plain directory, which can be bound any number of times. Using one upper
 * directory in two overlay mounts is undefined, so in that case all steps share the mount of the writer.
 */
static bool open_use(worker *w, struct writer *wr, struct work *work, int *ret_fd, GError **error)
{
	const unsigned flags = CACHE_TREE_WRITE | CACHE_TREE_MOUNT;
	*ret_fd = -1;
	if (!cache_ref_parent(wr->ref)) {
		*ret_fd = cache_ref_open_tree(w->cache, wr->ref, flags, work, error);
		return *ret_fd >= 0;
	}
	if (wr->fd >= 0)
		return true;
	scoped_fd fd = cache_ref_open_tree(w->cache, wr->ref, flags, work, error);
	if (fd < 0 || !(wr->held = executor_hold(w->executor, fd, error)))
		return false;
	wr->fd = fd_steal(&fd);
	return true;
}

bool cache_mounts_get(cache_mounts *m, const Pb__Mount *pb, cache_ref *base, struct work *work, struct step_mount *ret,
		      GError **error)
{
	if (!pb->cacheopt)
		return error_set(error, ERROR_INVALID_ARGUMENT, "missing cache mount options");
	g_autofree char *key =
		base ? g_strconcat(pb->cacheopt->id, ":", cache_ref_id(base), NULL) : g_strdup(pb->cacheopt->id);
	struct use use = {0};
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&m->worker->cache_mounts_mu);
	use.writer = get_writer(m, pb, key, base, work, error);
	if (!use.writer)
		return false;
	use.writer->users++;
	if (!open_use(m->worker, use.writer, work, &use.fd, error)) {
		writer_leave(m->worker, use.writer);
		return false;
	}
	g_hash_table_insert(m->by_key, g_steal_pointer(&key), use.writer);
	g_array_append_val(m->uses, use);
	ret->fd = use.fd >= 0 ? use.fd : use.writer->fd;
	ret->shared = use.fd < 0;
	return true;
}

void cache_mounts_free(cache_mounts *m)
{
	g_mutex_lock(&m->worker->cache_mounts_mu);
	for (guint i = m->uses->len; i > 0; i--) {
		struct use *use = &g_array_index(m->uses, struct use, i - 1);
		fd_close(&use->fd);
		writer_leave(m->worker, use->writer);
	}
	g_mutex_unlock(&m->worker->cache_mounts_mu);
	g_hash_table_unref(m->by_key);
	g_array_unref(m->uses);
	g_free(m->owner);
	g_free(m);
}

static void drop_record(cache_ref *r)
{
	cache_ref_clear_names(r);
	cache_ref_set_policy(r, CACHE_POLICY_DEFAULT, NULL);
}

void cache_mounts_drop(worker *w, const char *id)
{
	g_autofree char *name = g_strconcat(ID_NAME, id, NULL);
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&w->cache_mounts_mu);
	g_auto(GStrv) ids = cache_find_named(w->cache, name);
	for (size_t i = 0; ids[i]; i++) {
		struct writer *wr = g_hash_table_lookup(writers_of(w), ids[i]);
		if (wr) {
			wr->shared = false;
			drop_record(wr->ref);
			continue;
		}
		g_autoptr(cache_ref) r = cache_get_mutable(w->cache, ids[i], NULL);
		if (r)
			drop_record(r);
	}
}
