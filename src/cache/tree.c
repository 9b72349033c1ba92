/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include "cache/record.h"
#include "cache/share.h"
#include "os/tree.h"

struct tree *tree_new(const char *id, struct tree *parent)
{
	struct tree *t = g_new0(struct tree, 1);
	t->id = g_strdup(id);
	t->parent = parent;
	t->refs = 1;
	t->size = -1;
	return t;
}

void tree_free(struct tree *t)
{
	snapshot_view_close(t->view);
	contenthash_unref(t->content);
	g_clear_pointer(&t->over, g_ptr_array_unref);
	g_clear_pointer(&t->shares, g_ptr_array_unref);
	g_clear_pointer(&t->inodes, g_array_unref);
	g_free(t->id);
	g_free(t);
}

struct tree *tree_ref_locked(struct tree *t)
{
	if (t)
		t->refs++;
	return t;
}

void tree_unref_locked(cache *c, struct tree *t)
{
	while (t && --t->refs == 0) {
		struct tree *parent = t->parent;
		if (g_hash_table_lookup(c->trees, t->id) == t)
			g_hash_table_remove(c->trees, t->id);
		g_hash_table_remove(c->dirty_trees, t->id);
		share_changed_locked(c, t);
		t->parent = NULL;
		/* Trees in over have no parent, so the recursion is one level deep. */
		for (guint i = 0; t->over && i < t->over->len; i++)
			tree_unref_locked(c, t->over->pdata[i]);
		g_clear_pointer(&t->over, g_ptr_array_unref);
		g_queue_push_tail(&c->unlinked, t);
		store_wake_locked(c);
		t = parent;
	}
}

int tree_open_dir(cache *c, const struct tree *t, GError **error)
{
	int fd = openat(t->in_work ? c->work_fd : c->snapshots_fd, t->id,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open snapshot %s", t->id);
	return fd;
}

GPtrArray *tree_layers(cache *c, const struct tree *t)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	GPtrArray *layers = g_ptr_array_new();
	/* overlayfs accepts a directory only once: the uppermost one counts. */
	for (; t; t = snapshotter_is_stacked(c->snapshotter) ? t->parent : NULL) {
		for (guint i = t->over ? t->over->len : 0; i > 0; i--)
			if (g_hash_table_add(seen, t->over->pdata[i - 1]))
				g_ptr_array_add(layers, t->over->pdata[i - 1]);
		if (!t->over && g_hash_table_add(seen, (gpointer)t))
			g_ptr_array_add(layers, (gpointer)t);
	}
	return layers;
}

struct tree *tree_stack(cache *c, const char *id, struct tree *parent, GPtrArray *over)
{
	g_mutex_lock(&c->mu);
	struct tree *t = tree_new(id, tree_ref_locked(parent));
	t->over = g_ptr_array_new();
	for (guint i = 0; i < over->len; i++)
		g_ptr_array_add(t->over, tree_ref_locked(over->pdata[i]));
	t->size = 0;
	g_hash_table_insert(c->trees, t->id, t);
	g_hash_table_add(c->dirty_trees, g_strdup(t->id));
	g_mutex_unlock(&c->mu);
	return t;
}

/* ---- creating trees */
/* *ret_parent: the uppermost tree below that has a directory, -1: none. */
static bool open_with_parent(cache *c, const struct tree *t, int *ret_dir, int *ret_parent, GError **error)
{
	scoped_fd dir = tree_open_dir(c, t, error);
	if (dir < 0)
		return false;
	g_autoptr(GPtrArray) below = tree_layers(c, t->parent);
	scoped_fd parent = t->parent ? tree_open_dir(c, below->pdata[0], error) : -1;
	if (t->parent && parent < 0)
		return false;
	*ret_dir = fd_steal(&dir);
	*ret_parent = fd_steal(&parent);
	return true;
}

static bool prepare(cache *c, struct tree *t, bool share, cancel *stop, GError **error)
{
	scoped_fd dir = -1, parent = -1;
	if (!open_with_parent(c, t, &dir, &parent, error))
		return false;
	return snapshotter_prepare(c->snapshotter, dir, parent, share, stop, error);
}

static struct tree *make_in_work(cache *c, const char *id, struct tree *parent, GError **error)
{
	trash_put(c, c->work_fd, id);
	if (mkdirat(c->work_fd, id, 0700) < 0)
		return error_null_errno(error, errno, "create snapshot %s", id);
	g_mutex_lock(&c->mu);
	struct tree *t = tree_new(id, tree_ref_locked(parent));
	g_mutex_unlock(&c->mu);
	t->in_work = true;
	return t;
}

struct tree *tree_create(cache *c, const char *id, struct tree *parent, bool share, cancel *stop, GError **error)
{
	struct tree *t = make_in_work(c, id, parent, error);
	if (!t || prepare(c, t, share, stop, error))
		return t;
	tree_discard(c, t);
	return NULL;
}

static bool prepare_remote(cache *c, struct tree *t, const struct snapshot_remote *from, cancel *stop, GError **error)
{
	scoped_fd dir = -1, parent = -1;
	if (!open_with_parent(c, t, &dir, &parent, error))
		return false;
	return snapshotter_prepare_remote(c->snapshotter, dir, parent, from, stop, &t->remote, error);
}

struct tree *tree_create_remote(cache *c, const char *id, struct tree *parent, const struct snapshot_remote *from,
				cancel *stop, GError **error)
{
	struct tree *t = make_in_work(c, id, parent, error);
	if (!t || (prepare_remote(c, t, from, stop, error) && t->remote))
		return t;
	tree_discard(c, t);
	return NULL;
}

bool tree_keep(cache *c, struct tree *t, GError **error)
{
	if (!t->in_work)
		return true;
	if (renameat2(c->work_fd, t->id, c->snapshots_fd, t->id, RENAME_NOREPLACE) < 0)
		return error_set_errno(error, errno, "keep snapshot %s", t->id);
	g_mutex_lock(&c->mu);
	t->in_work = false;
	g_hash_table_insert(c->trees, t->id, t);
	g_hash_table_add(c->dirty_trees, g_strdup(t->id));
	g_mutex_unlock(&c->mu);
	return true;
}

/* The directory has the record's name, and the next attempt needs that name before the writer removes this tree. */
void tree_discard(cache *c, struct tree *t)
{
	if (t->in_work)
		trash_put(c, c->work_fd, t->id);
	g_mutex_lock(&c->mu);
	t->in_trash = t->in_work;
	tree_unref_locked(c, t);
	g_mutex_unlock(&c->mu);
}

/* ---- views */
static void close_dirs(int *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(dirs[i]);
	g_free(dirs);
}

/*
 * Lists the directories of t and of all trees below it, top first; only t's own if the snapshotter keeps whole trees.
 */
static int *open_dirs(cache *c, const struct tree *t, size_t *ret_n, GError **error)
{
	g_autoptr(GArray) dirs = g_array_new(FALSE, FALSE, sizeof(int));
	g_autoptr(GPtrArray) layers = tree_layers(c, t);
	bool ok = true;
	for (guint i = 0; i < layers->len && ok; i++) {
		int fd = tree_open_dir(c, layers->pdata[i], error);
		ok = fd >= 0;
		if (ok)
			g_array_append_val(dirs, fd);
	}
	*ret_n = dirs->len;
	int *fds = (int *)g_array_free(g_steal_pointer(&dirs), FALSE);
	if (ok)
		return fds;
	close_dirs(fds, *ret_n);
	return NULL;
}

static snapshot_view *open_view(cache *c, struct tree *t, bool write, GError **error)
{
	size_t n;
	int *dirs = open_dirs(c, t, &n, error);
	if (!dirs)
		return NULL;
	snapshot_view *v = snapshot_view_open(c->snapshotter, dirs, n, write, error);
	close_dirs(dirs, n);
	return v;
}

snapshot_view *tree_get_view(cache *c, struct tree *t, bool write, GError **error)
{
	g_mutex_lock(&c->mu);
	snapshot_view *v = t->view && t->view_writes >= write ? t->view : NULL;
	t->view_users++;
	t->view_unwanted = false;
	g_mutex_unlock(&c->mu);
	if (v)
		return v;
	v = open_view(c, t, write, error);
	g_mutex_lock(&c->mu);
	snapshot_view *surplus = NULL;
	if (!v) {
		t->view_users--;
	} else if (t->view && t->view_writes >= write) {
		surplus = v; /* another thread was faster: two overlays over one upper directory must not exist */
		v = t->view;
	} else {
		surplus = t->view_users == 1 ? t->view : NULL;
		t->view = v;
		t->view_writes = write;
	}
	g_mutex_unlock(&c->mu);
	snapshot_view_close(surplus);
	return v;
}

void tree_put_view(cache *c, struct tree *t)
{
	snapshot_view *unwanted = NULL;
	g_mutex_lock(&c->mu);
	if (--t->view_users == 0 && t->view_unwanted)
		unwanted = tree_take_idle_view_locked(t);
	g_mutex_unlock(&c->mu);
	snapshot_view_close(unwanted);
}

int tree_open_merged(cache *c, struct tree *t, GError **error)
{
	g_mutex_lock(&c->mu);
	snapshot_view *shared = t->view_writes ? NULL : t->view;
	t->view_users += shared != NULL;
	g_mutex_unlock(&c->mu);
	if (!shared) {
		/* The directory fd keeps the mount alive. */
		g_autoptr(snapshot_view) own = open_view(c, t, false, error);
		return own ? snapshot_view_dir(own, error) : -1;
	}
	int fd = snapshot_view_dir(shared, error);
	tree_put_view(c, t);
	return fd;
}

snapshot_view *tree_take_idle_view_locked(struct tree *t)
{
	t->view_unwanted = t->view_users > 0;
	if (t->view_unwanted)
		return NULL;
	t->view_writes = false;
	return g_steal_pointer(&t->view);
}

/* ---- digests and size */
contenthash *tree_content(cache *c, struct tree *t)
{
	g_mutex_lock(&c->mu);
	contenthash *have = t->content ? contenthash_ref(t->content) : NULL;
	bool has_row = t->has_row;
	g_mutex_unlock(&c->mu);
	if (have)
		return have;
	g_autoptr(GBytes) stored = has_row ? store_read_digests(c, t->id) : NULL;
	gsize n = 0;
	const void *bytes = stored ? g_bytes_get_data(stored, &n) : NULL;
	g_autoptr(contenthash) loaded = bytes ? contenthash_load(bytes, n) : NULL;
	if (!loaded)
		loaded = contenthash_new();
	g_mutex_lock(&c->mu);
	if (t->rewritable)
		contenthash_distrust(loaded);
	if (!t->content)
		t->content = g_steal_pointer(&loaded);
	have = contenthash_ref(t->content);
	g_mutex_unlock(&c->mu);
	return have;
}

int64_t tree_measure(cache *c, struct tree *t)
{
	int64_t bytes = 0;
	if (t->over || t->remote)
		return 0;
	scoped_fd dir = tree_open_dir(c, t, NULL);
	scoped_fd fs = dir < 0 ? -1 : snapshotter_open_fs(c->snapshotter, dir, NULL);
	if (fs < 0)
		return 0;
	int64_t own = share_measure(c, t, fs);
	return own >= 0 || !tree_usage(fs, &bytes, NULL, NULL) ? MAX(own, 0) : bytes;
}
