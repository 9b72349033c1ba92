/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "cache/record.h"
#include "base/hash_walk.h"
#include "cache/merge.h"
#include "cache/row_order.h"
#include "cache/rows.h"
#include "os/dirlist.h"

/*
 * States that a crash can leave, and how they are handled:
 *   a directory in work/ or trash/          removed
 *   a directory in snapshots/ without row   killed between rename and row: removed
 *   a row without its directory             becomes described if its layer is known, otherwise dropped
 *   a row of another boot, not synced       its files may be torn: dropped, with blobs that only such rows name
 *   a row whose parent was dropped          dropped
 * States that only a damaged database has:
 *   a row that is its own ancestor, has an invalid name or lacks a column of its kind   dropped
 *   a twin that does not point back         loses its twin
 */
struct recovery {
	cache *c;
	GPtrArray *rows;        /* of struct loaded_row * */
	GHashTable *by_id;      /* id to loaded_row, borrowed; without dropped rows */
	GHashTable *torn_blobs; /* digest text; named by rows of another boot */
};

static bool has_directory(cache *c, const char *id)
{
	struct stat st;
	return fstatat(c->snapshots_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool is_remote(cache *c, const char *id)
{
	if (!snapshotter_has_remote(c->snapshotter))
		return false;
	scoped_fd dir = openat(c->snapshots_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir >= 0 && snapshotter_is_remote(c->snapshotter, dir);
}

/* Drops the row's references, so that the trees of a cycle are freed. */
static void tree_break(struct tree *t)
{
	t->broken = true;
	if (t->parent)
		t->parent->refs--;
	t->parent = NULL;
	for (guint i = 0; t->over && i < t->over->len; i++)
		((struct tree *)t->over->pdata[i])->refs--;
	if (t->over)
		g_ptr_array_set_size(t->over, 0);
}

/* A tree is complete when its directory and those of all trees below it exist. */
static void mark_broken_trees(cache *c)
{
	row_order *o = row_order_new();
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *t = it.value;
		t->remote = is_remote(c, t->id);
		row_order_add(o, t);
	}
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *t = it.value;
		if (t->broken || (!t->over && !has_directory(c, t->id)))
			row_order_needs(o, t, NULL);
		if (t->parent)
			row_order_needs(o, t, t->parent);
		for (guint i = 0; t->over && i < t->over->len; i++) {
			struct tree *over = t->over->pdata[i];
			row_order_needs(o, t, over->parent || over->over ? NULL : over); /* see is_pure in merge.c */
		}
	}
	g_autoptr(GPtrArray) whole = row_order_run(o);
	g_autoptr(GHashTable) kept = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < whole->len; i++)
		g_hash_table_add(kept, whole->pdata[i]);
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);)
		if (!g_hash_table_contains(kept, it.value))
			tree_break(it.value);
}

static struct tree *whole_tree(cache *c, const struct loaded_row *row)
{
	struct tree *t = row->tree ? g_hash_table_lookup(c->trees, row->tree) : NULL;
	return t && !t->broken ? t : NULL;
}

static void add_name(const struct digest *digest, void *set)
{
	g_hash_table_add(set, g_strdup(digest->text));
}

static void name_blobs(GHashTable *set, const cache_ref *r)
{
	record_each_blob(r, add_name, set);
}

/* Transfers rewrite local sources in place at any time; other mutable trees have what the file system kept. */
static bool may_be_torn(const cache *c, const struct loaded_row *row)
{
	const cache_ref *r = row->record;
	if (g_strcmp0(row->boot, c->boot_id) == 0)
		return false;
	return r->is_mutable ? strcmp(r->type, "source.local") == 0 : !r->synced;
}

/* A merge has all of its inputs; a difference has a lower and an upper one that may be scratch. */
static bool is_well_formed(const struct loaded_row *row)
{
	guint n = row->inputs ? g_strv_length(row->inputs) : 0;
	switch (row->record->kind) {
	case RECORD_LAYER:
		return n == 0;
	case RECORD_MERGE:
		for (guint i = 0; i < n; i++)
			if (!*row->inputs[i])
				return false;
		return n > 0 && !row->parent;
	case RECORD_DIFF:
		return n == 2 && *row->inputs[0] && !row->parent;
	}
	return false;
}

static void drop(struct recovery *v, const struct loaded_row *row)
{
	g_hash_table_remove(v->by_id, row->record->id);
	g_queue_push_tail(&v->c->dirty, g_strdup(row->record->id));
}

/* Drops rows above a missing row, or above themselves. */
static void drop_baseless(struct recovery *v)
{
	row_order *o = row_order_new();
	for (struct hash_walk it = hash_walk(v->by_id); hash_walk_next(&it);)
		row_order_add(o, it.value);
	for (struct hash_walk it = hash_walk(v->by_id); hash_walk_next(&it);) {
		const struct loaded_row *row = it.value;
		if (row->parent)
			row_order_needs(o, it.value, g_hash_table_lookup(v->by_id, row->parent));
		for (char **id = row->inputs; id && *id; id++)
			if (**id)
				row_order_needs(o, it.value, g_hash_table_lookup(v->by_id, *id));
	}
	g_autoptr(GPtrArray) based = row_order_run(o);
	g_autoptr(GHashTable) kept = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < based->len; i++)
		g_hash_table_add(kept, based->pdata[i]);
	for (guint i = 0; i < v->rows->len; i++) {
		struct loaded_row *row = v->rows->pdata[i];
		if (g_hash_table_lookup(v->by_id, row->record->id) == row && !g_hash_table_contains(kept, row))
			drop(v, row);
	}
}

static void drop_unusable(struct recovery *v)
{
	for (guint i = 0; i < v->rows->len; i++) {
		struct loaded_row *row = v->rows->pdata[i];
		bool torn = may_be_torn(v->c, row);
		bool lost =
			row->tree && !whole_tree(v->c, row) && !row->record->blob && row->record->kind == RECORD_LAYER;
		if (torn)
			name_blobs(v->torn_blobs, row->record);
		if (torn || lost || !is_well_formed(row))
			drop(v, row);
		else
			g_hash_table_insert(v->by_id, row->record->id, row);
	}
	drop_baseless(v);
}

static cache_ref *record_of(const struct recovery *v, const char *id)
{
	struct loaded_row *row = id && *id ? g_hash_table_lookup(v->by_id, id) : NULL;
	return row ? row->record : NULL;
}

static void link_row(struct recovery *v, struct loaded_row *row)
{
	cache_ref *r = row->record;
	struct loaded_row *twin_row = row->twin ? g_hash_table_lookup(v->by_id, row->twin) : NULL;
	bool mutual = twin_row && g_strcmp0(twin_row->twin, r->id) == 0;
	cache_ref *twin = mutual ? twin_row->record : NULL;
	r->parent = record_of(v, row->parent);
	r->tree = tree_ref_locked(whole_tree(v->c, row));
	r->twin = twin && twin->is_mutable != r->is_mutable ? twin : NULL;
	if (r->tree && r->is_mutable)
		r->tree->rewritable = true;
	if (!row->inputs)
		return;
	r->inputs = g_ptr_array_new();
	for (char **id = row->inputs; *id; id++)
		g_ptr_array_add(r->inputs, record_of(v, *id));
}

static void enter_rows(struct recovery *v)
{
	for (struct hash_walk it = hash_walk(v->by_id); hash_walk_next(&it);)
		link_row(v, it.value);
	for (struct hash_walk it = hash_walk(v->by_id); hash_walk_next(&it);) {
		struct loaded_row *row = it.value;
		record_add_locked(v->c, row->record);
		row->taken = true;
	}
}

/* Derives chain ids from the layers, parents first. */
static void derive_chains(struct recovery *v)
{
	for (guint i = 0; i < v->rows->len; i++) {
		struct loaded_row *row = v->rows->pdata[i];
		if (!row->taken)
			continue;
		g_autoptr(GPtrArray) chain = record_chain(row->record);
		for (guint j = 0; j < chain->len; j++)
			record_chain_locked(chain->pdata[j]);
	}
}

static void doom_unnamed_trees(cache *c)
{
	g_autoptr(GPtrArray) unnamed = g_ptr_array_new();
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);)
		if (((struct tree *)it.value)->refs == 0)
			g_ptr_array_add(unnamed, it.value);
	for (guint i = 0; i < unnamed->len; i++) {
		struct tree *t = unnamed->pdata[i];
		t->refs = 1;
		tree_unref_locked(c, t);
	}
}

static bool blob_is_whole(const struct digest *digest, void *torn)
{
	return !g_hash_table_contains(torn, digest->text);
}

static void remove_torn_blobs(struct recovery *v)
{
	for (guint i = 0; i < v->rows->len; i++) {
		struct loaded_row *row = v->rows->pdata[i];
		if (!row->taken)
			continue;
		g_autoptr(GHashTable) kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		name_blobs(kept, row->record);
		for (struct hash_walk it = hash_walk(kept); hash_walk_next(&it);)
			g_hash_table_remove(v->torn_blobs, it.key);
	}
	if (g_hash_table_size(v->torn_blobs) > 0)
		blob_store_sweep(v->c->blobs, blob_is_whole, v->torn_blobs);
}

bool recovery_load(cache *c, GError **error)
{
	struct recovery v = {.c = c, .rows = rows_load(c, error)};
	if (!v.rows)
		return false;
	v.by_id = g_hash_table_new(g_str_hash, g_str_equal);
	v.torn_blobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_mutex_lock(&c->mu);
	mark_broken_trees(c);
	drop_unusable(&v);
	enter_rows(&v);
	derive_chains(&v);
	merge_restore_units(c);
	doom_unnamed_trees(c);
	g_mutex_unlock(&c->mu);
	remove_torn_blobs(&v);
	for (guint i = 0; i < v.rows->len; i++) {
		struct loaded_row *row = v.rows->pdata[i];
		if (row->taken)
			row->record = NULL;
	}
	g_hash_table_unref(v.by_id);
	g_hash_table_unref(v.torn_blobs);
	g_ptr_array_unref(v.rows);
	return store_flush(c, false, error);
}

/* ---- directories */
static bool for_each_name(int dir_fd, void (*fn)(cache *c, int dir_fd, const char *name), cache *c, GError **error)
{
	scoped_dirlist list = {0};
	if (!dirlist_read_at(&list, dir_fd, ".", error))
		return false;
	for (size_t i = 0; i < list.n; i++)
		fn(c, dir_fd, dirlist_name(&list, i));
	return true;
}

static void discard(cache *c, int dir_fd, const char *name)
{
	trash_put(c, dir_fd, name);
}

static void discard_unnamed(cache *c, int dir_fd, const char *name)
{
	g_mutex_lock(&c->mu);
	bool named = g_hash_table_contains(c->trees, name);
	g_mutex_unlock(&c->mu);
	if (!named)
		trash_put(c, dir_fd, name);
}

static void discard_probe(cache *c, int dir_fd, const char *name)
{
	if (g_str_has_prefix(name, "probe-"))
		trash_put(c, dir_fd, name);
}

bool recovery_sweep(cache *c, GError **error)
{
	return for_each_name(c->work_fd, discard, c, error) &&
	       for_each_name(c->snapshots_fd, discard_unnamed, c, error) &&
	       for_each_name(c->root_fd, discard_probe, c, error);
}
