/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/share.h"
#include "base/hash_walk.h"
#include "os/tree_walk.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SHARES_MAX 64

/* ---- lists */
static bool has_id(const struct tree *t, const char *id)
{
	for (guint i = 0; t->shares && i < t->shares->len; i++)
		if (strcmp(t->shares->pdata[i], id) == 0)
			return true;
	return false;
}

static void add_id(struct tree *t, const char *id)
{
	if (!t->shares)
		t->shares = g_ptr_array_new_with_free_func(g_free);
	if (!has_id(t, id))
		g_ptr_array_add(t->shares, g_strdup(id));
}

bool share_add(cache *c, struct tree *t, struct tree *from)
{
	g_mutex_lock(&c->mu);
	bool ok = t == from || (t->shares ? t->shares->len : 0) + (from->shares ? from->shares->len : 0) < SHARES_MAX;
	if (ok && t != from) {
		add_id(t, from->id);
		for (guint i = 0; from->shares && i < from->shares->len; i++)
			add_id(t, from->shares->pdata[i]);
		c->has_shares = from->lends = true;
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

void share_forget(cache *c, struct tree *t)
{
	g_mutex_lock(&c->mu);
	add_id(t, SHARE_UNKNOWN);
	g_mutex_unlock(&c->mu);
}

bool share_meets(const struct tree *t, const struct tree *u)
{
	if (t == u || has_id(t, SHARE_UNKNOWN) || has_id(u, SHARE_UNKNOWN) || has_id(t, u->id) || has_id(u, t->id))
		return true;
	for (guint i = 0; t->shares && i < t->shares->len; i++)
		if (has_id(u, t->shares->pdata[i]))
			return true;
	return false;
}

void share_put_text(const struct tree *t, GString *ret)
{
	for (guint i = 0; t->shares && i < t->shares->len; i++)
		g_string_append_printf(ret, "%s%s", i > 0 ? ";" : "", (const char *)t->shares->pdata[i]);
}

void share_load_text(struct tree *t, const char *text)
{
	g_auto(GStrv) ids = g_strsplit(text ? text : "", ";", -1);
	for (char **id = ids; *id; id++)
		if (**id != '\0')
			add_id(t, *id);
}

void share_load_end(cache *c)
{
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		const struct tree *t = it.value;
		c->has_shares = c->has_shares || t->shares;
		for (guint i = 0; t->shares && i < t->shares->len; i++) {
			struct tree *from = g_hash_table_lookup(c->trees, t->shares->pdata[i]);
			if (from)
				from->lends = true;
		}
	}
}

/* ---- inodes */
static int compare_inodes(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
	return (x > y) - (x < y);
}

static bool read_inodes(int fs_fd, GArray *ret)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(fs_fd, &options, NULL);
	struct stat st;
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, NULL));) {
		if (e->left)
			continue;
		if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		guint64 inode = st.st_ino;
		if (S_ISREG(st.st_mode))
			g_array_append_val(ret, inode);
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(w, NULL))
			return false;
	}
	return w && tree_walk_is_done(w);
}

GArray *share_inodes(cache *c, struct tree *t)
{
	g_mutex_lock(&c->mu);
	GArray *known = t->inodes ? g_array_ref(t->inodes) : NULL;
	bool is_stable = !t->in_work && !t->rewritable;
	g_mutex_unlock(&c->mu);
	if (known)
		return known;
	GArray *inodes = g_array_new(FALSE, FALSE, sizeof(guint64));
	scoped_fd dir = t->over ? -1 : tree_open_dir(c, t, NULL);
	scoped_fd fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, NULL);
	bool complete = fs >= 0 && read_inodes(fs, inodes);
	g_array_sort(inodes, compare_inodes);
	g_mutex_lock(&c->mu);
	if (complete && is_stable && !t->inodes)
		t->inodes = g_array_ref(inodes);
	g_mutex_unlock(&c->mu);
	return inodes;
}

static bool arrays_meet(const GArray *a, const GArray *b)
{
	for (guint i = 0, k = 0; i < a->len && k < b->len;) {
		guint64 x = g_array_index(a, guint64, i), y = g_array_index(b, guint64, k);
		if (x == y)
			return true;
		i += x < y;
		k += y < x;
	}
	return false;
}

bool share_conflicts(cache *c, const GPtrArray *trees, struct tree *u)
{
	for (guint i = 0; i < trees->len; i++) {
		struct tree *t = trees->pdata[i];
		if (t == u || !share_meets(t, u))
			continue;
		g_autoptr(GArray) a = share_inodes(c, t);
		g_autoptr(GArray) b = share_inodes(c, u);
		if (arrays_meet(a, b))
			return true;
	}
	return false;
}

/* ---- digests */
static void add_content_locked(GPtrArray *ret, const struct tree *t)
{
	if (t && t->content && !g_ptr_array_find(ret, t->content, NULL))
		g_ptr_array_add(ret, contenthash_ref(t->content));
}

static void unref_content(void *content)
{
	contenthash_unref(content);
}

GPtrArray *share_contents(cache *c, struct tree *t)
{
	GPtrArray *ret = g_ptr_array_new_with_free_func(unref_content);
	g_autoptr(GPtrArray) layers = tree_layers(c, t);
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < layers->len; i++) {
		const struct tree *layer = layers->pdata[i];
		if (layer != t)
			add_content_locked(ret, layer);
		for (guint k = 0; layer->shares && k < layer->shares->len; k++)
			add_content_locked(ret, g_hash_table_lookup(c->trees, layer->shares->pdata[k]));
	}
	g_mutex_unlock(&c->mu);
	return ret;
}

/* ---- sizes: a file that several trees contain counts for the first of them */
void share_changed_locked(cache *c, const struct tree *t)
{
	if (!c->has_shares || (!t->shares && !t->lends))
		return;
	g_hash_table_add(c->shares_changed, g_strdup(t->id));
	for (guint i = 0; t->shares && i < t->shares->len; i++)
		g_hash_table_add(c->shares_changed, g_strdup(t->shares->pdata[i]));
}

static bool is_concerned(const cache *c, const struct tree *t)
{
	for (guint i = 0; t->shares && i < t->shares->len; i++)
		if (g_hash_table_contains(c->shares_changed, t->shares->pdata[i]))
			return true;
	return t->shares && g_hash_table_contains(c->shares_changed, t->id);
}

void share_unmeasure_locked(cache *c)
{
	if (g_hash_table_size(c->shares_changed) == 0)
		return;
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *t = it.value;
		if (is_concerned(c, t) && !t->over)
			t->size = -1;
	}
	g_hash_table_remove_all(c->shares_changed);
}

/* An origin comes before the trees that were made from it, because their lists contain its list. */
static bool is_before(const struct tree *t, const struct tree *u)
{
	guint a = t->shares ? t->shares->len : 0, b = u->shares ? u->shares->len : 0;
	return a != b ? a < b : strcmp(t->id, u->id) < 0;
}

static GPtrArray *partners_before(cache *c, const struct tree *t)
{
	GPtrArray *list = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *u = it.value;
		if (u != t && !u->over && !has_id(u, SHARE_UNKNOWN) && share_meets(t, u) && is_before(u, t))
			g_ptr_array_add(list, tree_ref_locked(u));
	}
	g_mutex_unlock(&c->mu);
	return list;
}

static bool array_has(const GArray *sorted, guint64 inode)
{
	return g_array_binary_search((GArray *)sorted, &inode, compare_inodes, NULL);
}

static bool counts_elsewhere(const struct stat *st, const GPtrArray *others)
{
	for (guint i = 0; i < others->len; i++)
		if (array_has(others->pdata[i], st->st_ino))
			return true;
	return false;
}

static int64_t bytes_without(int fs_fd, const GPtrArray *others)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(fs_fd, &options, NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	int64_t bytes = 0;
	struct stat st;
	if (w && fstat(fs_fd, &st) == 0)
		bytes += (int64_t)st.st_blocks * 512;
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, NULL));) {
		if (e->left || fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(w, NULL))
			break;
		bool again = false;
		if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
			guint64 inode = st.st_ino;
			again = !g_hash_table_add(seen, g_memdup2(&inode, sizeof inode)) ||
				counts_elsewhere(&st, others);
		}
		bytes += again ? 0 : (int64_t)st.st_blocks * 512;
	}
	return bytes;
}

int64_t share_measure(cache *c, struct tree *t, int fs_fd)
{
	if (!t->shares || has_id(t, SHARE_UNKNOWN))
		return -1;
	g_autoptr(GPtrArray) before = partners_before(c, t);
	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
	for (guint i = 0; i < before->len; i++)
		g_ptr_array_add(others, share_inodes(c, before->pdata[i]));
	int64_t bytes = bytes_without(fs_fd, others);
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < before->len; i++)
		tree_unref_locked(c, before->pdata[i]);
	g_mutex_unlock(&c->mu);
	return bytes;
}

/* ---- what a removal frees */
struct share_ledger {
	GHashTable *files; /* of struct shared_file *, a set */
};
struct shared_file {
	guint64 inode;
	guint64 names;   /* that it had when it was first seen */
	guint64 removed; /* of these */
};

share_ledger *share_ledger_new(void)
{
	share_ledger *l = g_new(share_ledger, 1);
	l->files = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	return l;
}

void share_ledger_free(share_ledger *l)
{
	if (!l)
		return;
	g_hash_table_unref(l->files);
	g_free(l);
}

/* Removes one name; true if it was the last one. */
static bool is_last_name(share_ledger *l, const struct stat *st)
{
	guint64 inode = st->st_ino;
	struct shared_file *f = g_hash_table_lookup(l->files, &inode);
	if (!f) {
		f = g_new(struct shared_file, 1);
		*f = (struct shared_file){.inode = inode, .names = st->st_nlink};
		g_hash_table_add(l->files, f);
	}
	return ++f->removed >= f->names;
}

int64_t share_freed(cache *c, struct tree *t, share_ledger *ledger)
{
	const struct tree_walk_options options = {.one_mount = true};
	int64_t bytes = 0;
	struct stat st;
	if (t->over || (!t->shares && !t->lends))
		return -1;
	scoped_fd dir = tree_open_dir(c, t, NULL);
	scoped_fd fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, NULL);
	g_autoptr(tree_walk) w = fs < 0 ? NULL : tree_walk_open(fs, &options, NULL);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, NULL));) {
		if (e->left || fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(w, NULL))
			break;
		if (S_ISDIR(st.st_mode) || st.st_nlink < 2 || is_last_name(ledger, &st))
			bytes += (int64_t)st.st_blocks * 512;
	}
	return bytes;
}
