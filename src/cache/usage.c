/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "cache/record.h"
#include "cache/share.h"
#include "base/hash_walk.h"
#include "format/filter.h"

void cache_usage_free(struct cache_usage *u)
{
	if (!u)
		return;
	g_free(u->id);
	g_strfreev(u->parents);
	g_free(u->description);
	g_free(u->record_type);
	g_free(u);
}

static void usage_free(gpointer u)
{
	cache_usage_free(u);
}

bool usage_is_hidden_locked(const cache_ref *r)
{
	return r->twin && (r->is_mutable ? record_is_used_locked(r->twin) : !record_is_used_locked(r));
}

/* ---- sizes */
static GPtrArray *pin_unmeasured(cache *c)
{
	GPtrArray *list = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	share_unmeasure_locked(c);
	for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);) {
		cache_ref *r = it.value;
		bool written = r->is_mutable && r->handles > 0;
		if (!r->tree || r->tree->size >= 0 || written || (r->twin && r->is_mutable))
			continue;
		record_pin_locked(r);
		g_ptr_array_add(list, r);
	}
	g_mutex_unlock(&c->mu);
	return list;
}

void usage_measure(cache *c)
{
	g_autoptr(GPtrArray) list = pin_unmeasured(c);
	for (guint i = 0; i < list->len; i++) {
		cache_ref *r = list->pdata[i];
		struct tree *t = r->tree;
		int64_t size = tree_measure(c, t);
		g_mutex_lock(&c->mu);
		if (t == r->tree && t->size < 0) {
			t->size = size;
			if (!t->in_work)
				g_hash_table_add(c->dirty_trees, g_strdup(t->id));
			store_wake_locked(c);
		}
		record_unpin_locked(r);
		g_mutex_unlock(&c->mu);
	}
}

static int64_t blob_bytes(cache *c, const oci_descriptor *d)
{
	return MAX(blob_store_size(c->blobs, &d->digest), 0);
}

static int64_t size_of_locked(const cache_ref *r)
{
	int64_t size = 0;
	if (r->is_mutable && r->handles > 0)
		return 0; /* it is being changed */
	if (r->tree)
		size += MAX(r->tree->size, 0);
	if (r->blob)
		size += blob_bytes(r->cache, r->blob);
	for (guint i = 0; i < r->variants->len; i++)
		size += blob_bytes(r->cache, ((struct variant *)r->variants->pdata[i])->descriptor);
	for (guint i = 0; i < r->documents->len; i++)
		size += MAX(blob_store_size(r->cache->blobs,
					    &g_array_index(r->documents, struct record_document, i).digest),
			    0);
	return size;
}

/* ---- rows */
static char **parent_ids(const cache_ref *r)
{
	GPtrArray *ids = g_ptr_array_new();
	if (r->parent)
		g_ptr_array_add(ids, g_strdup(r->parent->id));
	for (guint i = 0; r->inputs && i < r->inputs->len; i++)
		if (r->inputs->pdata[i])
			g_ptr_array_add(ids, g_strdup(((cache_ref *)r->inputs->pdata[i])->id));
	g_ptr_array_add(ids, NULL);
	return (char **)g_ptr_array_free(ids, FALSE);
}

struct cache_usage *usage_of_locked(const cache_ref *r)
{
	struct cache_usage *u = g_new0(struct cache_usage, 1);
	u->id = g_strdup(r->id);
	u->parents = parent_ids(r);
	u->mutable_ = r->is_mutable || (r->open && !record_is_used_locked(r));
	u->size = size_of_locked(r);
	u->created_ns = r->created_ns;
	u->last_used_ns = r->last_used_ns;
	u->usage_count = r->uses;
	u->description = g_strdup(r->description);
	u->record_type = g_strdup(r->type);
	return u;
}

/* Counts holders; records that only unused records hold are not in use. */
static void discount_unused_locked(cache *c, GHashTable *counts)
{
	GQueue queue = G_QUEUE_INIT;
	for (struct hash_walk it = hash_walk(counts); hash_walk_next(&it);)
		g_queue_push_tail(&queue, it.key);
	g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);
	for (char *id; (id = g_queue_pop_head(&queue));) {
		cache_ref *r = g_hash_table_lookup(c->records, id);
		int *count = g_hash_table_lookup(counts, id);
		if (!r || !count || *count > 0 || !g_hash_table_add(done, id))
			continue;
		g_auto(GStrv) parents = parent_ids(r);
		for (char **p = parents; *p; p++) {
			cache_ref *parent = g_hash_table_lookup(c->records, *p);
			int *held = g_hash_table_lookup(counts, *p);
			if (!held || !parent)
				continue;
			*held -= r->twin ? 2 : 1;
			g_queue_push_tail(&queue, parent->id);
		}
	}
}

static gint oldest_first(gconstpointer a, gconstpointer b)
{
	const struct cache_usage *x = *(struct cache_usage *const *)a, *y = *(struct cache_usage *const *)b;
	return (x->created_ns > y->created_ns) - (x->created_ns < y->created_ns);
}

/* ---- layers that images elsewhere share */
GHashTable *usage_images(cache *c)
{
	return c->images ? c->images(c->images_data) : NULL;
}

bool usage_is_shared_locked(const cache_ref *r, GHashTable *images)
{
	g_autoptr(GString) chain = g_string_new(NULL);
	if (!images || g_hash_table_size(images) == 0)
		return false;
	for (; r; r = r->parent) {
		if (!r->blob || r->kind != RECORD_LAYER)
			return false;
		g_string_prepend(chain, r->blob->digest.text);
	}
	return g_hash_table_contains(images, chain->str);
}

/* Ids of records that an image shares, and of their ancestors. */
static GHashTable *shared_ids_locked(cache *c, GHashTable *images)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);
	for (struct hash_walk it = hash_walk(c->records); images && hash_walk_next(&it);)
		if (usage_is_shared_locked(it.value, images))
			for (cache_ref *r = it.value; r && g_hash_table_add(ids, r->id); r = r->parent)
				;
	return ids;
}

static GPtrArray *all_usage(cache *c)
{
	g_autoptr(GHashTable) images = usage_images(c);
	GPtrArray *rows = g_ptr_array_new_with_free_func(usage_free);
	g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	g_mutex_lock(&c->mu);
	for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);) {
		cache_ref *r = it.value;
		if (usage_is_hidden_locked(r))
			continue;
		int count = r->handles + r->children;
		g_hash_table_insert(counts, r->id, g_memdup2(&count, sizeof count));
	}
	discount_unused_locked(c, counts);
	g_autoptr(GHashTable) shared = shared_ids_locked(c, images);
	for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);) {
		cache_ref *r = it.value;
		const int *count = g_hash_table_lookup(counts, r->id);
		if (!count)
			continue;
		struct cache_usage *u = usage_of_locked(r);
		u->in_use = *count > 0;
		u->shared = g_hash_table_contains(shared, r->id);
		g_ptr_array_add(rows, u);
	}
	g_mutex_unlock(&c->mu);
	g_ptr_array_sort(rows, oldest_first);
	return rows;
}

struct filtered_row {
	const struct cache_usage *usage;
	const char *parents; /* joined by ';', NULL: none */
};

static const char *lookup(const void *data, const char *const *path, size_t n_path)
{
	const struct filtered_row *row = data;
	const struct cache_usage *u = row->usage;
	const char *field = n_path > 0 ? path[0] : "";
	const struct {
		const char *name, *value;
	} texts[] = {{"id", u->id}, {"description", u->description}, {"type", u->record_type}};
	const struct {
		const char *name;
		bool present;
	} flags[] = {{"inuse", u->in_use},
		     {"mutable", u->mutable_},
		     {"immutable", !u->mutable_},
		     {"shared", u->shared},
		     {"private", !u->shared}};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (strcmp(field, texts[i].name) == 0)
			return texts[i].value && *texts[i].value ? texts[i].value : NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		if (strcmp(field, flags[i].name) == 0)
			return flags[i].present ? "" : NULL;
	return strcmp(field, "parents") == 0 ? row->parents : NULL;
}

bool usage_matches(const struct cache_usage *u, const filter *f, bool with_parents)
{
	g_autofree char *parents = with_parents && u->parents[0] ? g_strjoinv(";", u->parents) : NULL;
	struct filtered_row row = {u, parents};
	return filter_match(f, lookup, &row);
}

GPtrArray *cache_disk_usage(cache *c, const char *const *filters, GError **error)
{
	g_autoptr(filter) f = filter_new(filters, error);
	if (!f) {
		g_autofree char *list = g_strjoinv(" ", (char **)filters);
		return error_prefix_null(error, "failed to parse diskusage filters [%s]: ", list);
	}
	usage_measure(c);
	record_release_dead(c);
	g_autoptr(GPtrArray) rows = all_usage(c);
	GPtrArray *ret = g_ptr_array_new_with_free_func(usage_free);
	for (guint i = 0; i < rows->len; i++) {
		struct cache_usage *u = rows->pdata[i];
		if (!usage_matches(u, f, true))
			continue;
		rows->pdata[i] = NULL;
		g_ptr_array_add(ret, u);
	}
	return ret;
}
