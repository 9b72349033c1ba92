/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/scope.h"
#include "base/hash_walk.h"
#include "cache/record.h"
#include "cache/share.h"
#include "base/limits.h"
#include "os/service.h"
#include <sys/statvfs.h>

/*
 * Number of removals before the table is examined again. Without a bound: few enough to keep other threads waiting for
 * only some milliseconds. With a bound: a share of the candidates. Upstream ranks the candidates again after every
 * single removal, which is quadratic; the order differs only among candidates of the same share.
 */
#define BATCH 512
#define SHARE 16

#define SHORT_BYTES GIB(1)
#define SHORT_SHARE 10 /* fraction of blocks and inodes: one part in this many */

struct prune {
	cache *c;
	const struct cache_prune_options *options;
	filter *filter; /* owned */
	bool filtered;
	share_ledger *ledger; /* owned */
	GHashTable *images;   /* owned; layers of images elsewhere; may be NULL */
	int64_t keep_bytes;   /* 0: no limit */
	int64_t total_bytes;
	guint removed;
};

struct candidate {
	cache_ref *record;
	int64_t last_used_ns, uses;
	double last_used_rank, uses_rank, rank;
};

/* ---- how much may remain */
static int64_t keep_bytes(const struct cache_prune_options *o, int64_t total, int64_t free_bytes)
{
	if (o->max_used_bytes == 0 && o->reserved_bytes == 0 && o->min_free_bytes == 0)
		return 0;
	int64_t keep = o->max_used_bytes, deficit = o->min_free_bytes - free_bytes;
	if (deficit > 0)
		keep = keep == 0 ? total - deficit : MIN(keep, total - deficit);
	else if (o->min_free_bytes != 0 && keep == 0)
		keep = total;
	return MAX(keep, o->reserved_bytes);
}

static bool measure(struct prune *p, GError **error)
{
	const struct cache_prune_options *o = p->options;
	int64_t total = 0, free_bytes = 0;
	usage_measure(p->c);
	if (o->max_used_bytes == 0 && o->reserved_bytes == 0 && o->min_free_bytes == 0)
		return true;
	g_autoptr(GPtrArray) rows = cache_disk_usage(p->c, NULL, error);
	if (!rows || (o->min_free_bytes != 0 && !disk_space(p->c->root_fd, &total, &free_bytes, error)))
		return false;
	for (guint i = 0; i < rows->len; i++) {
		const struct cache_usage *u = rows->pdata[i];
		p->total_bytes += u->shared ? 0 : u->size;
	}
	p->keep_bytes = keep_bytes(o, p->total_bytes, free_bytes);
	return true;
}

/* ---- selection of candidates */
static bool is_candidate_locked(const struct prune *p, const cache_ref *r, int64_t now)
{
	const struct cache_prune_options *o = p->options;
	if (usage_is_hidden_locked(r) || record_is_used_locked(r) || r->busy)
		return false;
	if (!o->all && (strcmp(r->type, "internal") == 0 || strcmp(r->type, "frontend") == 0))
		return false;
	/* A last use in the future (the clock was set back) counts as now. */
	if (o->keep_duration_ns != 0 && r->last_used_ns != 0 && MIN(r->last_used_ns, now) > now - o->keep_duration_ns)
		return false;
	bool shared = usage_is_shared_locked(r, p->images);
	if (!o->all && shared)
		return false;
	if (!p->filtered)
		return true;
	struct cache_usage *u = usage_of_locked(r);
	u->shared = shared;
	bool match = usage_matches(u, p->filter, false);
	cache_usage_free(u);
	return match;
}

static GArray *candidates_locked(const struct prune *p)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct candidate));
	int64_t now = g_get_real_time() * 1000;
	for (struct hash_walk it = hash_walk(p->c->records); hash_walk_next(&it);) {
		cache_ref *r = it.value;
		struct candidate one = {.record = r, .last_used_ns = r->last_used_ns, .uses = r->uses};
		if (is_candidate_locked(p, r, now))
			g_array_append_val(list, one);
	}
	return list;
}

static int compare_last_used(const void *a, const void *b, void *unused)
{
	int64_t x = ((const struct candidate *)a)->last_used_ns, y = ((const struct candidate *)b)->last_used_ns;
	return (x > y) - (x < y);
}

static int compare_uses(const void *a, const void *b, void *unused)
{
	int64_t x = ((const struct candidate *)a)->uses, y = ((const struct candidate *)b)->uses;
	return (x > y) - (x < y);
}

static int compare_rank(const void *a, const void *b, void *unused)
{
	double x = ((const struct candidate *)a)->rank, y = ((const struct candidate *)b)->rank;
	return (x > y) - (x < y);
}

/* Equal values share a rank; the value 0 has the first rank. */
static void sort_by_rank(GArray *list)
{
	struct candidate *all = (struct candidate *)(void *)list->data;
	gint n = (gint)list->len;
	double last_used = 1, uses = 1;
	int64_t value = 0;
	g_qsort_with_data(all, n, sizeof *all, compare_last_used, NULL);
	for (gint i = 0; i < n; i++) {
		if (all[i].last_used_ns > value) {
			value = all[i].last_used_ns;
			last_used++;
		}
		all[i].last_used_rank = last_used;
	}
	value = 0;
	g_qsort_with_data(all, n, sizeof *all, compare_uses, NULL);
	for (gint i = 0; i < n; i++) {
		if (all[i].uses != value) {
			value = all[i].uses;
			uses++;
		}
		all[i].uses_rank = uses;
	}
	for (gint i = 0; i < n; i++)
		all[i].rank = all[i].last_used_rank / last_used + all[i].uses_rank / uses;
	g_qsort_with_data(all, n, sizeof *all, compare_rank, NULL);
}

/* ---- removal */
/* freed: bytes of its tree that no other tree has in common; -1: all of them. */
static struct cache_usage *remove_locked(struct prune *p, cache_ref *r, int64_t freed)
{
	struct cache_usage *u = usage_of_locked(r);
	if (freed >= 0)
		u->size += freed - MAX(r->tree->size, 0);
	u->shared = usage_is_shared_locked(r, p->images);
	p->total_bytes -= u->shared ? 0 : u->size;
	p->removed++;
	if (r->twin)
		record_kill_locked(r->twin);
	record_kill_locked(r);
	return u;
}

static void usage_free(gpointer u)
{
	cache_usage_free(u);
}

static bool is_enough(const struct prune *p)
{
	return p->keep_bytes != 0 && p->total_bytes < p->keep_bytes;
}

/*
 * Removes a pinned record, unless it is used meanwhile: what the removal of a tree frees that has files in common with
 * others is measured without the lock.
 */
static struct cache_usage *remove_pinned_locked(struct prune *p, cache_ref *r)
{
	cache *c = p->c;
	int64_t freed = -1;
	if (r->tree && (r->tree->shares || r->tree->lends)) {
		g_mutex_unlock(&c->mu);
		freed = share_freed(c, r->tree, p->ledger);
		g_mutex_lock(&c->mu);
	}
	record_unpin_locked(r);
	return r->dead || record_is_used_locked(r) || r->busy ? NULL : remove_locked(p, r, freed);
}

/* Handles the rows that one round removed; the list is empty afterwards. */
static GPtrArray *remove_some(struct prune *p)
{
	GPtrArray *removed = g_ptr_array_new_with_free_func(usage_free);
	if (is_enough(p))
		return removed;
	g_mutex_lock(&p->c->mu);
	g_autoptr(GArray) list = candidates_locked(p);
	guint n = MIN(list->len, BATCH);
	if (p->keep_bytes != 0 && list->len > 0) {
		sort_by_rank(list);
		n = MIN(n, list->len / SHARE + 1);
	}
	guint next = 0;
	for (guint i = 0; i < n; i++)
		record_pin_locked(g_array_index(list, struct candidate, i).record);
	while (next < n && !is_enough(p)) {
		struct cache_usage *u = remove_pinned_locked(p, g_array_index(list, struct candidate, next++).record);
		if (u)
			g_ptr_array_add(removed, u);
	}
	while (next < n)
		record_unpin_locked(g_array_index(list, struct candidate, next++).record);
	g_mutex_unlock(&p->c->mu);
	record_release_dead(p->c);
	return removed;
}

/* ---- blobs that no record names */
struct naming {
	cache *c;
	GHashTable *names; /* digest texts; may be outdated */
};

static bool is_named(const struct digest *digest, void *data)
{
	struct naming *n = data;
	return g_hash_table_contains(n->names, digest->text) || cache_names_blob(n->c, digest);
}

static void add_name(const struct digest *digest, void *names)
{
	g_hash_table_add(names, g_strdup(digest->text));
}

static void collect_names(struct naming *n)
{
	g_mutex_lock(&n->c->mu);
	for (struct hash_walk it = hash_walk(n->c->records); hash_walk_next(&it);)
		record_each_blob(it.value, add_name, n->names);
	g_mutex_unlock(&n->c->mu);
}

void cache_sweep_blobs(cache *c)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct naming n = {c, names};
	collect_names(&n);
	g_rw_lock_writer_lock(&c->sweep_lock);
	blob_store_sweep(c->blobs, is_named, &n);
	g_rw_lock_writer_unlock(&c->sweep_lock);
}

/* Free space first: on a full disk the rows may only fit once directories are removed. */
static bool give_back_space(cache *c, GError **error)
{
	bool ok = store_flush(c, false, NULL);
	trash_empty(c);
	cache_sweep_blobs(c);
	ok = store_flush(c, false, ok ? NULL : error) || ok;
	trash_empty(c);
	db_shrink(c->db);
	return ok;
}

static bool is_short_of_space(int dir_fd)
{
	struct statvfs st;
	if (fstatvfs(dir_fd, &st) < 0)
		return true;
	return st.f_bavail * st.f_frsize < (uint64_t)SHORT_BYTES || st.f_bavail < st.f_blocks / SHORT_SHARE ||
	       (st.f_files > 0 && st.f_favail < st.f_files / SHORT_SHARE);
}

void cache_reclaim(cache *c)
{
	if (is_short_of_space(c->root_fd))
		give_back_space(c, NULL);
}

/* Removes the records that the options select, and their directories. */
static bool prune_records(struct prune *p, cancel *stop, void (*on_removed)(void *data, const struct cache_usage *u),
			  void *data, GError **error)
{
	if (!measure(p, error))
		return false;
	for (;;) {
		g_autoptr(GPtrArray) removed = remove_some(p);
		for (guint i = 0; on_removed && i < removed->len; i++)
			on_removed(data, removed->pdata[i]);
		if (removed->len == 0)
			return true;
		if (!cancel_check(stop, error))
			return false;
	}
}

static bool prune_run(cache *c, const struct cache_prune_options *options, cancel *stop,
		      void (*on_removed)(void *data, const struct cache_usage *u), void *data, guint *ret_removed,
		      GError **error)
{
	g_autoptr(filter) f = filter_new(options->filters, error);
	if (!f) {
		g_autofree char *list = g_strjoinv(" ", (char **)options->filters);
		return error_prefix(error, "failed to parse prune filters [%s]: ", list);
	}
	struct prune p = {.c = c, .options = options, .filter = f, .filtered = options->filters && options->filters[0]};
	p.images = usage_images(c);
	p.ledger = share_ledger_new();
	bool ok = prune_records(&p, stop, on_removed, data, error);
	g_clear_pointer(&p.images, g_hash_table_unref);
	share_ledger_free(p.ledger);
	*ret_removed = p.removed;
	return ok;
}

bool cache_prune(cache *c, const struct cache_prune_options *options, cancel *stop,
		 void (*on_removed)(void *data, const struct cache_usage *u), void *data, GError **error)
{
	guint removed = 0;
	bool ok = prune_run(c, options, stop, on_removed, data, &removed, error);
	return give_back_space(c, ok ? error : NULL) && ok;
}

bool cache_collect(cache *c, const struct cache_prune_options *rules, size_t n_rules, cancel *stop, GError **error)
{
	bool ok = true;
	if (n_rules == 0)
		return true;
	for (size_t i = 0; ok && i < n_rules; i++) {
		guint removed = 0;
		ok = prune_run(c, &rules[i], stop, NULL, NULL, &removed, error);
		/* The next rule looks at the current free space. */
		if (removed > 0 && i + 1 < n_rules)
			ok = give_back_space(c, ok ? error : NULL) && ok;
	}
	return give_back_space(c, ok ? error : NULL) && ok;
}
