/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/merge.h"
#include "lib/cache_rig.h"
#include "lib/outcome.h"

static cache_ref *merge_of(struct rig *g, cache_ref *a, cache_ref *b, cache_ref *c)
{
	GError *error = NULL;
	cache_ref *refs[] = {a, b, c};
	struct cache_record_options options = {.description = "merged"};
	cache_ref *r = cache_merge(g->c, refs, 3, &options, NULL, &error);
	g_assert_no_error(error);
	return r;
}

static cache_ref *diff_of(struct rig *g, cache_ref *lower, cache_ref *upper)
{
	GError *error = NULL;
	cache_ref *r = cache_diff(g->c, lower, upper, NULL, NULL, &error);
	g_assert_no_error(error);
	return r;
}

/* A child of parent without one of its files. */
static cache_ref *without(struct rig *g, cache_ref *parent, const char *name)
{
	cache_ref *m = rig_mutable(g, parent, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	assert_succeeds(tree_remove_at(fd, name, &failure));
	close(fd_steal(&fd));
	return rig_commit(m);
}

static guint n_layers(struct rig *g, cache_ref *r)
{
	GError *error = NULL;
	struct cache_layer_options options = {.compression = COMPRESSION_GZIP, .level = -1};
	g_autoptr(GPtrArray) layers = cache_ref_layers(g->c, r, &options, NULL, &error);
	g_assert_no_error(error);
	return layers->len;
}

static guint entries(struct rig *g, cache_ref *r)
{
	scoped_fd fd = rig_tree(g, r, CACHE_TREE_READ);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	GDir *d = g_dir_open(path, 0, NULL);
	guint n = 0;
	while (g_dir_read_name(d))
		n++;
	g_dir_close(d);
	return n;
}

static void test_of_scratch_layers(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) b = rig_record(g, NULL, "two", "2");
	g_autoptr(cache_ref) c = rig_record(g, NULL, "one", "over");
	g_autoptr(cache_ref) m = merge_of(g, a, b, c);
	g_assert_null(m->tree); /* nothing is made before the tree is opened */
	rig_expect(g, m, "one", "over");
	rig_expect(g, m, "two", "2");
	g_assert_cmpuint(entries(g, m), ==, 2);
	g_assert_cmpuint(n_layers(g, m), ==, 3);
	if (strcmp(cache_snapshotter_name(g->c), "overlayfs") == 0)
		g_assert_nonnull(m->tree->over); /* nothing was copied */
	g_autoptr(cache_ref) child = rig_record(g, m, "three", "3");
	rig_expect(g, child, "one", "over");
	rig_expect(g, child, "three", "3");
	g_assert_cmpuint(n_layers(g, child), ==, 4);
	g_autoptr(cache_ref) again = merge_of(g, child, a, NULL);
	rig_expect(g, again, "one", "1");
	rig_expect(g, again, "three", "3");
	g_assert_cmpuint(n_layers(g, again), ==, 5);
	g_autoptr(cache_ref) one = merge_of(g, NULL, a, NULL);
	g_assert_true(one == a);
	g_autoptr(cache_ref) twice = merge_of(g, a, b, a);
	rig_expect(g, twice, "one", "1");
	rig_expect(g, twice, "two", "2");
	scoped_fd mount_fd = rig_tree(g, m, CACHE_TREE_MOUNT);
	g_autofree char *text = tree_dir_read(mount_fd, "two");
	g_assert_cmpstr(text, ==, "2");
}

static void test_of_chains(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) base = rig_record(g, NULL, "shared", "s");
	g_autoptr(cache_ref) a = rig_record(g, base, "one", "1");
	g_autoptr(cache_ref) gone = without(g, base, "shared");
	g_autoptr(cache_ref) b = rig_record(g, gone, "two", "2");
	g_autoptr(cache_ref) pure = rig_record(g, NULL, "three", "3");
	g_autoptr(cache_ref) m = merge_of(g, a, b, pure);
	rig_expect(g, m, "one", "1");
	rig_expect(g, m, "two", "2");
	rig_expect(g, m, "three", "3");
	rig_expect(g, m, "shared", NULL); /* a deletion applies to the layers below as well */
	g_assert_cmpuint(entries(g, m), ==, 3);
	g_assert_cmpuint(n_layers(g, m), ==, 6);
	g_autoptr(cache_ref) n = merge_of(g, a, pure, b);
	rig_expect(g, n, "three", "3");
	rig_expect(g, n, "shared", NULL);
	rig_expect(g, a, "shared", "s");
}

static void test_diff_of_ancestor(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) base = rig_record(g, NULL, "shared", "s");
	g_autoptr(cache_ref) one = rig_record(g, base, "one", "1");
	g_autoptr(cache_ref) top = without(g, one, "shared");
	g_autoptr(cache_ref) d = diff_of(g, base, top);
	g_assert_cmpuint(n_layers(g, d), ==, 2);
	g_autoptr(GPtrArray) units = merge_units(d);
	g_assert_true(units->pdata[0] == one && units->pdata[1] == top); /* their blobs are the diff's */
	rig_expect(g, d, "one", "1");
	g_assert_cmpuint(entries(g, d), ==, 1); /* and no trace of the deletion */
	g_autoptr(cache_ref) other = rig_record(g, NULL, "shared", "other");
	g_autoptr(cache_ref) m = merge_of(g, other, d, NULL);
	rig_expect(g, m, "one", "1");
	rig_expect(g, m, "shared", NULL);
}

static void test_diff_of_strangers(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) b = rig_record(g, NULL, "two", "2");
	g_autoptr(cache_ref) d = diff_of(g, a, b);
	rig_expect(g, d, "two", "2");
	g_assert_cmpuint(entries(g, d), ==, 1);
	g_assert_cmpuint(n_layers(g, d), ==, 1);
	g_autoptr(cache_ref) m = merge_of(g, a, d, NULL);
	rig_expect(g, m, "one", NULL);
	rig_expect(g, m, "two", "2");
	g_autoptr(cache_ref) nothing = diff_of(g, a, NULL); /* everything deleted */
	g_assert_cmpuint(entries(g, nothing), ==, 0);
	g_assert_cmpuint(n_layers(g, nothing), ==, 1);
	g_autoptr(cache_ref) emptied = merge_of(g, a, nothing, NULL);
	g_assert_cmpuint(entries(g, emptied), ==, 0);
	GError *error = NULL;
	g_assert_null(cache_diff(g->c, NULL, a, NULL, NULL, &error));
	g_assert_cmpstr(error->message, ==, "lower ref for diff cannot be nil");
	g_clear_error(&error);
}

/*
 * One layer more than lower, but not stacked on it: trees are compared, and lower never had the file that the layer
 * deletes.
 */
static void test_diff_of_diffs(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) bottom = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) base = rig_record(g, bottom, "two", "2");
	g_autoptr(cache_ref) fewer = without(g, base, "one");
	g_autoptr(cache_ref) fewest = without(g, fewer, "two");
	g_autoptr(cache_ref) lower = diff_of(g, base, fewer);
	g_autoptr(cache_ref) upper = diff_of(g, base, fewest);
	g_autoptr(cache_ref) d = diff_of(g, lower, upper);
	g_assert_cmpuint(n_layers(g, d), ==, 1);
	g_autoptr(cache_ref) other = rig_record(g, NULL, "two", "other");
	g_autoptr(cache_ref) m = merge_of(g, other, d, NULL);
	rig_expect(g, m, "two", "other");
	/* Compared with the record that it lies on, the same layer does delete. */
	g_autoptr(cache_ref) direct = diff_of(g, fewer, fewest);
	g_autoptr(cache_ref) n = merge_of(g, other, direct, NULL);
	rig_expect(g, n, "two", NULL);
	/* The second of two layers deletes as well: both layers are reused. */
	g_autoptr(cache_ref) more = rig_record(g, fewest, "three", "3");
	g_autoptr(cache_ref) upmost = diff_of(g, base, more);
	g_autoptr(cache_ref) two = diff_of(g, lower, upmost);
	g_assert_cmpuint(n_layers(g, two), ==, 2);
	g_autoptr(cache_ref) o = merge_of(g, other, two, NULL);
	rig_expect(g, o, "two", NULL);
	rig_expect(g, o, "three", "3");
	/* A merge is not a layer on its first input: files that both have are not a difference. */
	g_autoptr(cache_ref) merged = merge_of(g, base, other, NULL);
	g_autoptr(cache_ref) added = diff_of(g, base, merged);
	g_autoptr(GPtrArray) units = merge_units(added);
	g_assert_true(units->len == 1 && units->pdata[0] == added);
	rig_expect(g, added, "two", "other");
}

static ino_t inode_of(struct rig *g, cache_ref *r, const char *name)
{
	struct stat st;
	g_autoptr(GPtrArray) layers = tree_layers(g->c, r->tree);
	for (guint i = 0; i < layers->len; i++) {
		scoped_fd dir = tree_open_dir(g->c, layers->pdata[i], NULL);
		scoped_fd fs = snapshotter_open_fs(g->c->snapshotter, dir, NULL);
		if (fstatat(fs, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return st.st_ino;
	}
	return 0;
}

static int64_t size_of(struct rig *g, const cache_ref *r)
{
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	for (guint i = 0; i < rows->len; i++)
		if (strcmp(((struct cache_usage *)rows->pdata[i])->id, cache_ref_id(r)) == 0)
			return ((struct cache_usage *)rows->pdata[i])->size;
	return -1;
}

/* Files of a merge are hard links to its inputs' files: they use no space, and writing above changes no input. */
static void test_links(struct rig *g, gconstpointer unused)
{
	g_autofree char *large = g_strnfill(1 << 20, 'l');
	g_autoptr(cache_ref) base = rig_record(g, NULL, "shared", "s");
	g_autoptr(cache_ref) gone = without(g, base, "shared");
	cache_ref *written = rig_mutable(g, gone, CACHE_POLICY_DEFAULT, NULL);
	rig_write(g, written, "large", large);
	rig_write(g, written, "small", "few");
	g_autoptr(cache_ref) b = rig_commit(written);
	g_autoptr(cache_ref) other = rig_record(g, NULL, "other", "o");
	g_autoptr(cache_ref) m = merge_of(g, other, b, NULL);
	rig_expect(g, m, "small", "few");
	rig_expect(g, m, "other", "o");
	rig_expect(g, m, "shared", NULL);
	g_assert_cmpuint(inode_of(g, m, "large"), ==, inode_of(g, b, "large"));
	g_assert_cmpuint(inode_of(g, m, "other"), ==, inode_of(g, other, "other"));
	g_assert_cmpint(size_of(g, m), <, 1 << 16);
	cache_ref *w = rig_mutable(g, m, CACHE_POLICY_DEFAULT, NULL);
	rig_write(g, w, "small", "changed");
	g_autoptr(cache_ref) child = rig_commit(w);
	rig_expect(g, child, "small", "changed");
	rig_expect(g, m, "small", "few");
	rig_expect(g, b, "small", "few");
	g_autoptr(cache_ref) d = diff_of(g, other, b);
	rig_expect(g, d, "small", "few");
	g_assert_cmpuint(inode_of(g, d, "large"), ==, inode_of(g, b, "large"));
	g_clear_pointer(&b, cache_ref_unref);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	rig_expect(g, m, "small", "few");
}

/* A child in which path (with its directories) has been replaced. */
static cache_ref *replaced(struct rig *g, cache_ref *parent, const char *path, bool by_dir, const char *text)
{
	cache_ref *m = rig_mutable(g, parent, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	assert_succeeds(tree_remove_at(fd, path, &failure));
	if (by_dir) {
		g_assert_cmpint(mkdirat(fd, path, 0755), ==, 0);
		g_autofree char *in = g_strconcat(path, "/", text, NULL);
		tree_dir_write(fd, in, text);
	} else {
		tree_dir_write(fd, path, text);
	}
	close(fd_steal(&fd));
	return rig_commit(m);
}

/* The previous contents of a replaced directory do not reappear, whatever replaced it in between. */
static void test_opaque(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) lower = replaced(g, NULL, "d", true, "old");
	g_autoptr(cache_ref) fresh = replaced(g, lower, "d", true, "new");
	g_autoptr(cache_ref) file = replaced(g, lower, "d", false, "text");
	g_autoptr(cache_ref) again = replaced(g, file, "d", true, "again");
	g_autoptr(cache_ref) only = diff_of(g, lower, fresh);
	g_autoptr(cache_ref) by_file = diff_of(g, lower, again);
	g_autoptr(cache_ref) base = replaced(g, NULL, "d", true, "old");
	g_autoptr(cache_ref) one = merge_of(g, base, only, NULL);
	rig_expect(g, one, "d/new", "new");
	rig_expect(g, one, "d/old", NULL);
	g_autoptr(cache_ref) two = merge_of(g, base, by_file, NULL);
	rig_expect(g, two, "d/again", "again");
	rig_expect(g, two, "d/old", NULL);
	g_autoptr(cache_ref) three = merge_of(g, base, by_file, only);
	rig_expect(g, three, "d/new", "new");
	rig_expect(g, three, "d/old", NULL);
	g_autoptr(cache_ref) child = rig_record(g, two, "d/more", "m");
	rig_expect(g, child, "d/again", "again");
	rig_expect(g, child, "d/old", NULL);
	g_autoptr(cache_ref) emptied = without(g, lower, "d");
	g_autoptr(cache_ref) deletion = diff_of(g, lower, emptied);
	g_autoptr(cache_ref) four = merge_of(g, one, deletion, NULL);
	rig_expect(g, four, "d/new", NULL); /* the deletion is of the whole directory */
	g_assert_cmpuint(n_layers(g, four), ==, 3);
}

static void test_restart(struct rig *g, gconstpointer unused)
{
	char *ids[3];
	{
		g_autoptr(cache_ref) base = rig_record(g, NULL, "shared", "s");
		g_autoptr(cache_ref) a = rig_record(g, base, "one", "1");
		g_autoptr(cache_ref) b = rig_record(g, NULL, "two", "2");
		g_autoptr(cache_ref) d = diff_of(g, base, a);
		g_autoptr(cache_ref) m = merge_of(g, b, d, NULL);
		g_autoptr(cache_ref) stacked = merge_of(g, a, b, NULL);
		rig_expect(g, stacked, "two", "2");
		g_autoptr(cache_ref) child = rig_record(g, stacked, "three", "3");
		g_assert_cmpuint(n_layers(g, m), ==, 2);
		ids[0] = g_strdup(cache_ref_id(m));
		ids[1] = g_strdup(cache_ref_id(child));
		ids[2] = g_strdup(cache_ref_id(d));
	}
	for (int i = 0; i < 2; i++) {
		rig_reopen(g);
		g_autoptr(cache_ref) m = cache_get(g->c, ids[0], NULL);
		g_autoptr(cache_ref) child = cache_get(g->c, ids[1], NULL);
		g_autoptr(cache_ref) d = cache_get(g->c, ids[2], NULL);
		rig_expect(g, m, "one", "1");
		rig_expect(g, m, "two", "2");
		rig_expect(g, m, "shared", NULL);
		rig_expect(g, child, "three", "3");
		rig_expect(g, child, "two", "2");
		g_assert_cmpuint(n_layers(g, child), ==, 4);
		rig_expect(g, d, "one", "1");
	}
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	for (guint i = 0; i < rows->len; i++)
		g_assert_false(((struct cache_usage *)rows->pdata[i])->in_use);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_cmpuint(rig_usage(g), ==, 0);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
	g_assert_cmpuint(g_hash_table_size(g->c->trees), ==, 0);
	for (int i = 0; i < 3; i++)
		g_free(ids[i]);
}

int main(int argc, char **argv)
{
	static const char *const snapshotters[] = {"auto", "native"};
	static const struct {
		const char *name;
		void (*fn)(struct rig *g, gconstpointer unused);
	} tests[] = {
		{"scratch-layers", test_of_scratch_layers},
		{"chains", test_of_chains},
		{"diff-ancestor", test_diff_of_ancestor},
		{"diff-strangers", test_diff_of_strangers},
		{"diff-diffs", test_diff_of_diffs},
		{"links", test_links},
		{"opaque", test_opaque},
		{"restart", test_restart},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t s = 0; s < G_N_ELEMENTS(snapshotters); s++)
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf("/merge/%s/%s", snapshotters[s], tests[i].name);
			g_test_add(path, struct rig, snapshotters[s], rig_set_up, tests[i].fn, rig_tear_down);
		}
	return g_test_run();
}
