/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/share.h"
#include <fcntl.h>
#include <sys/stat.h>

struct cache_links {
	cache_ref *to;      /* borrowed */
	cache_ref *from;    /* ref; NULL: nothing may be linked now */
	bool is_direct;     /* the tree is a plain directory */
	bool has_second;    /* a file was linked under several names */
	guint copy;         /* number of the current copy, from 1 */
	GHashTable *inodes; /* inode number to the number of the copy that linked it; 0: of a tree below to's */
	GHashTable *known;  /* set of ids of trees below to's whose inodes are in the table */
};

cache_links *cache_links_new(cache_ref *to)
{
	cache *c = to->cache;
	cache_links *l = g_new0(cache_links, 1);
	g_autoptr(GPtrArray) layers = tree_layers(c, to->tree);
	l->to = to;
	l->is_direct = layers->len == 1;
	l->inodes = g_hash_table_new(NULL, NULL);
	l->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return l;
}

void cache_links_free(cache_links *l)
{
	if (!l)
		return;
	cache_ref_unref(l->from);
	g_hash_table_unref(l->inodes);
	g_hash_table_unref(l->known);
	g_free(l);
}

/* Adds the inodes of the trees below to's that may have files of from. */
static void add_inodes_below(cache_links *l, const struct tree *from)
{
	cache *c = l->to->cache;
	g_autoptr(GPtrArray) layers = tree_layers(c, l->to->tree);
	for (guint i = 0; i < layers->len; i++) {
		struct tree *t = layers->pdata[i];
		if (t == l->to->tree || !share_meets(t, from) || !g_hash_table_add(l->known, g_strdup(t->id)))
			continue;
		g_autoptr(GArray) inodes = share_inodes(c, t);
		for (guint k = 0; k < inodes->len; k++)
			g_hash_table_insert(l->inodes, GSIZE_TO_POINTER(g_array_index(inodes, guint64, k)), NULL);
	}
}

bool cache_links_begin(cache_links *l, cache_ref *from)
{
	cache *c = l->to->cache;
	g_clear_pointer(&l->from, cache_ref_unref);
	if (!from || from->is_mutable || !from->tree || from->tree->over || !snapshotter_can_link(c->snapshotter))
		return false;
	g_autoptr(GPtrArray) layers = tree_layers(c, from->tree);
	if (layers->len != 1 || !share_add(c, l->to->tree, from->tree))
		return false;
	add_inodes_below(l, from->tree);
	l->from = cache_ref_ref(from);
	return true;
}

void cache_links_next(cache_links *l)
{
	l->copy++;
}

bool cache_links_is_direct(const cache_links *l)
{
	return l->is_direct;
}

bool cache_links_may(const cache_links *l, const struct stat *st)
{
	void *copy = NULL;
	bool found = g_hash_table_lookup_extended(l->inodes, GSIZE_TO_POINTER(st->st_ino), NULL, &copy);
	return l->from && (!found || GPOINTER_TO_UINT(copy) == l->copy);
}

void cache_links_add(cache_links *l, const struct stat *st)
{
	bool is_new = g_hash_table_insert(l->inodes, GSIZE_TO_POINTER(st->st_ino), GUINT_TO_POINTER(l->copy));
	l->has_second = l->has_second || !is_new;
}

bool cache_links_has(const cache_links *l, const struct stat *st, bool *ret_has_second)
{
	*ret_has_second = l->has_second;
	return GPOINTER_TO_UINT(g_hash_table_lookup(l->inodes, GSIZE_TO_POINTER(st->st_ino))) > 0;
}

void cache_links_note(cache_links *l, const struct stat *st, const char *path)
{
	g_autoptr(contenthash) content = tree_content(l->to->cache, l->from->tree);
	contenthash_relinked(content, path, st);
}

int cache_links_open_target(cache_links *l, GError **error)
{
	cache *c = l->to->cache;
	g_mutex_lock(&c->mu);
	snapshot_view *view = tree_take_idle_view_locked(l->to->tree);
	g_mutex_unlock(&c->mu);
	snapshot_view_close(view);
	scoped_fd dir = tree_open_dir(c, l->to->tree, error);
	return dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, error);
}
