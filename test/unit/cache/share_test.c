/* SPDX-License-Identifier: Apache-2.0 */
/* Records whose trees have files in common: sizes, removal, and merges of them. */
#include "cache/share.h"
#include "lib/cache_rig.h"
#include "lib/outcome.h"

enum { FILE_KIB = 1024 };

static void put_large(int fd, const char *name)
{
	scoped_fd file = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_autofree char *text = g_malloc(1024);
	memset(text, 'x', 1024);
	for (int i = 0; i < FILE_KIB; i++)
		g_assert_cmpint(write(file, text, 1024), ==, 1024);
}

static cache_ref *large(struct rig *g, const char *name)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	put_large(fd, name);
	fd_close(&fd);
	return rig_commit(m);
}

/* A record with a link to a file of another one. */
static cache_ref *linked(struct rig *g, cache_ref *from, const char *from_name, const char *name)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_WRITE);
	scoped_fd source = rig_tree(g, from, CACHE_TREE_READ);
	g_autoptr(cache_links) l = cache_links_new(m);
	struct stat st;
	g_assert_cmpint(fstatat(source, from_name, &st, 0), ==, 0);
	g_assert_true(cache_links_begin(l, from));
	cache_links_next(l);
	g_assert_true(cache_links_is_direct(l));
	g_assert_true(cache_links_may(l, &st));
	g_assert_cmpint(linkat(source, from_name, fd, name, 0), ==, 0);
	cache_links_add(l, &st);
	fd_close(&fd);
	return rig_commit(m);
}

static int64_t size_of(struct rig *g, const char *id)
{
	g_autoptr(GPtrArray) rows = cache_disk_usage(g->c, NULL, NULL);
	for (guint i = 0; i < rows->len; i++) {
		const struct cache_usage *u = rows->pdata[i];
		if (!id || strcmp(u->id, id) == 0)
			return u->size / 1024;
	}
	return -1;
}

static void add_size(void *data, const struct cache_usage *u)
{
	*(int64_t *)data += u->size / 1024;
}

static int64_t prune_id(struct rig *g, const char *id)
{
	g_autofree char *wanted = id ? g_strconcat("id==", id, NULL) : NULL;
	const char *filters[] = {wanted, NULL};
	const struct cache_prune_options options = {.all = true, .filters = filters};
	int64_t kib = 0;
	assert_succeeds(cache_prune(g->c, &options, NULL, add_size, &kib, &failure));
	return kib;
}

static void assert_near(int64_t kib, int64_t expected)
{
	g_assert_cmpint(kib, >=, expected);
	g_assert_cmpint(kib, <, expected + 64);
}

/* A file counts once; what a removal frees is what it says, also after a restart. */
static void test_sizes(struct rig *g, gconstpointer unused)
{
	cache_ref *a = large(g, "one"), *b = linked(g, a, "one", "two"), *c = linked(g, b, "two", "three");
	g_autofree char *id_a = g_strdup(cache_ref_id(a)), *id_b = g_strdup(cache_ref_id(b)),
			*id_c = g_strdup(cache_ref_id(c));
	cache_ref_unref(a);
	cache_ref_unref(b);
	cache_ref_unref(c);
	assert_near(size_of(g, id_a), FILE_KIB);
	assert_near(size_of(g, id_b), 0);
	assert_near(size_of(g, id_c), 0);
	rig_reopen(g);
	assert_near(size_of(g, id_a), FILE_KIB);
	assert_near(prune_id(g, id_a), 0);
	assert_near(size_of(g, id_b), FILE_KIB);
	assert_near(size_of(g, id_c), 0);
	assert_near(prune_id(g, id_c), 0);
	assert_near(prune_id(g, id_b), FILE_KIB);
	g_assert_cmpuint(rig_usage(g), ==, 0);
}

static void test_all_at_once(struct rig *g, gconstpointer unused)
{
	cache_ref *a = large(g, "one"), *b = linked(g, a, "one", "two");
	cache_ref_unref(a);
	cache_ref_unref(b);
	assert_near(prune_id(g, NULL), FILE_KIB);
	g_assert_cmpuint(rig_usage(g), ==, 0);
}

static ino_t inode_in(int fd, const char *name)
{
	struct stat st;
	g_assert_cmpint(fstatat(fd, name, &st, 0), ==, 0);
	return st.st_ino;
}

static cache_ref *merge_of(struct rig *g, cache_ref *a, cache_ref *b, cache_ref *c)
{
	GError *error = NULL;
	cache_ref *refs[] = {a, b, c};
	cache_ref *r = cache_merge(g->c, refs, 3, NULL, NULL, &error);
	g_assert_no_error(error);
	return r;
}

/* Two paths of an inode in a merged tree would be taken for a hard link. */
static void test_merge(struct rig *g, gconstpointer reopen)
{
	cache_ref *a = large(g, "one"), *b = linked(g, a, "one", "two");
	g_autoptr(cache_ref) other = rig_record(g, NULL, "other", "o");
	g_autoptr(cache_ref) m = merge_of(g, a, other, b);
	scoped_fd fd = rig_tree(g, m, CACHE_TREE_READ);
	g_assert_cmpuint(inode_in(fd, "one"), !=, inode_in(fd, "two"));
	/* Without a conflict they are stacked or linked as they are. */
	g_autoptr(cache_ref) n = merge_of(g, other, b, other);
	scoped_fd plain = rig_tree(g, n, CACHE_TREE_READ), own = rig_tree(g, b, CACHE_TREE_READ);
	g_assert_cmpuint(inode_in(plain, "two"), ==, inode_in(own, "two"));
	/* The tree of a merge has files of its inputs: a copy of these must not be put over it. */
	cache_ref *child = rig_mutable(g, n, CACHE_POLICY_DEFAULT, NULL);
	g_autoptr(cache_links) l = cache_links_new(child);
	struct stat st;
	g_assert_cmpint(fstatat(own, "two", &st, 0), ==, 0);
	cache_links_begin(l, b);
	cache_links_next(l);
	g_assert_cmpint(cache_links_may(l, &st), ==, strcmp(g->snapshotter, "native") == 0);
	cache_ref_unref(child);
	cache_ref_unref(a);
	cache_ref_unref(b);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct rig *, gconstpointer);
	} tests[] = {{"sizes", test_sizes}, {"all", test_all_at_once}, {"merge", test_merge}};
	static const char *const snapshotters[] = {"overlayfs", "native"};
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0)
		return 77;
	for (size_t s = 0; s < G_N_ELEMENTS(snapshotters); s++)
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf("/share/%s/%s", snapshotters[s], tests[i].name);
			g_test_add(path, struct rig, snapshotters[s], rig_set_up, tests[i].fn, rig_tear_down);
		}
	return g_test_run();
}
