/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cache_rig.h"

void rig_open(struct rig *g)
{
	GError *error = NULL;
	g->blobs = blob_store_open(g->root, &error);
	g_assert_no_error(error);
	struct cache_options options = {
		.root_fd = g->root, .root_path = g->path, .snapshotter = g->snapshotter, .blobs = g->blobs};
	g->c = cache_open(&options, &error);
	g_assert_no_error(error);
}

void rig_close(struct rig *g)
{
	g_clear_pointer(&g->c, cache_close);
	g_clear_pointer(&g->blobs, blob_store_close);
}

void rig_reopen(struct rig *g)
{
	rig_close(g);
	rig_open(g);
}

void rig_set_up(struct rig *g, gconstpointer name)
{
	umask(022);
	g->path = tree_dir_new(&g->root);
	g->snapshotter = name;
	rig_open(g);
}

void rig_tear_down(struct rig *g, gconstpointer unused)
{
	rig_close(g);
	tree_dir_free(g->path, g->root);
}

cache_ref *rig_mutable(struct rig *g, cache_ref *parent, enum cache_policy policy, const char *type)
{
	GError *error = NULL;
	struct cache_record_options options = {.description = "a test", .policy = policy, .record_type = type};
	cache_ref *m = cache_new_mutable(g->c, parent, &options, NULL, &error);
	g_assert_no_error(error);
	return m;
}

int rig_tree(struct rig *g, cache_ref *r, unsigned flags)
{
	GError *error = NULL;
	int fd = cache_ref_open_tree(g->c, r, flags, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

void rig_write(struct rig *g, cache_ref *m, const char *name, const char *text)
{
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	tree_dir_write(fd, name, text);
}

void rig_expect(struct rig *g, cache_ref *r, const char *name, const char *text)
{
	scoped_fd fd = rig_tree(g, r, CACHE_TREE_READ);
	g_autofree char *got = tree_dir_read(fd, name);
	g_assert_cmpstr(got, ==, text);
}

cache_ref *rig_commit(cache_ref *m)
{
	GError *error = NULL;
	cache_ref *r = cache_commit(m, NULL, &error);
	g_assert_no_error(error);
	g_assert_nonnull(r);
	return r;
}

cache_ref *rig_record(struct rig *g, cache_ref *parent, const char *name, const char *text)
{
	cache_ref *m = rig_mutable(g, parent, CACHE_POLICY_DEFAULT, NULL);
	rig_write(g, m, name, text);
	return rig_commit(m);
}

guint rig_count(struct rig *g, const char *dir)
{
	g_autofree char *path = g_build_filename(g->path, dir, NULL);
	GDir *d = g_dir_open(path, 0, NULL);
	guint n = 0;
	while (d && g_dir_read_name(d))
		n++;
	if (d)
		g_dir_close(d);
	return n;
}

static void rig_prune_row(void *data, const struct cache_usage *u)
{
	if (data)
		g_ptr_array_add(data, g_strdup(u->id));
}

void rig_prune(struct rig *g, const struct cache_prune_options *options, GPtrArray *ret_ids)
{
	GError *error = NULL;
	cache_prune(g->c, options, NULL, rig_prune_row, ret_ids, &error);
	g_assert_no_error(error);
}

guint rig_usage(struct rig *g)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, &error);
	g_assert_no_error(error);
	return rows->len;
}
