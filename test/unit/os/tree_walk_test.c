/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree_walk.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { DEPTH = 1100, FEW_FDS = 24 };

struct fixture {
	char *path;
	int fd;
};

static void set_up(struct fixture *f, gconstpointer data)
{
	f->path = g_dir_make_tmp("walk-XXXXXX", NULL);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	assert_succeeds(tree_remove_contents(f->fd, &failure));
	close(f->fd);
	g_assert_cmpint(rmdir(f->path), ==, 0);
	g_free(f->path);
}

static guint open_fds(void)
{
	guint n = 0;
	g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
	while (g_dir_read_name(dir))
		n++;
	return n;
}

static int open_dir(int fd, const char *name)
{
	int dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(dir, >=, 0);
	return dir;
}

/* Makes files and directories; a name that ends in "/" is a directory. */
static void make(int root, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (g_str_has_suffix(names[i], "/")) {
			g_assert_cmpint(mkdirat(root, names[i], 0755), ==, 0);
			continue;
		}
		scoped_fd fd = openat(root, names[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		g_assert_cmpint(fd, >=, 0);
	}
}

static void make_deep(int root, int depth)
{
	scoped_fd at = open_dir(root, ".");
	for (int i = 0; i < depth; i++) {
		make(at, (const char *[]){"d/", "f"}, 2);
		int next = open_dir(at, "d");
		close(at);
		at = next;
	}
}

/* "name <left " of each entry; enters every directory. */
static char *list(tree_walk *w, GError **error)
{
	GString *text = g_string_new(NULL);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));) {
		g_string_append_printf(text, "%s%s ", e->left ? "<" : "", e->path);
		g_assert_true(g_str_has_suffix(e->path, e->name));
		if (!e->left && e->type == DT_DIR)
			g_assert_true(tree_walk_enter(w, error));
	}
	return g_string_free(text, FALSE);
}

static void test_order(struct fixture *f, gconstpointer data)
{
	static const char *const names[] = {"b/", "b/x", "a", "b-c", "b/a/", "b/a/y", "e/"};
	make(f->fd, names, G_N_ELEMENTS(names));
	g_assert_cmpint(symlinkat("b", f->fd, "link"), ==, 0);
	const struct tree_walk_options options = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &options, NULL);
	g_autofree char *got = list(w, NULL);
	g_assert_cmpstr(got, ==, "a b b/a b/a/y <b/a b/x <b b-c e <e link < ");
	g_assert_true(tree_walk_is_done(w));
}

/* Descriptors stay few, and every directory is the right one again after its entries. */
static void test_deep(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, DEPTH);
	const struct tree_walk_options options = {.sorted = true, .data_size = sizeof(ino_t)};
	g_autoptr(tree_walk) w = tree_walk_new(&options);
	ino_t inode;
	struct stat st;
	guint before = open_fds(), entries = 0, left = 0;
	assert_succeeds(tree_walk_enter_fd(w, open_dir(f->fd, "."), NULL, &failure));
	tree_walk_pair(w, open_dir(f->fd, "."), false);
	for (const struct tree_entry *e; (e = tree_walk_next(w, NULL));) {
		g_assert_cmpuint(open_fds() - before, <, FEW_FDS);
		if (e->left) {
			g_assert_cmpint(fstat(e->dir_fd, &st), ==, 0);
			g_assert_true(e->parent_fd < 0 || st.st_ino == *(ino_t *)e->data);
			ino_t own = st.st_ino;
			g_assert_cmpint(fstat(e->pair_fd, &st), ==, 0);
			g_assert_true(st.st_ino == own);
			left++;
			continue;
		}
		entries++;
		if (e->type != DT_DIR)
			continue;
		int fd = open_dir(e->dir_fd, e->name), pair = open_dir(e->pair_fd, e->name);
		g_assert_cmpint(fstat(fd, &st), ==, 0);
		inode = st.st_ino;
		assert_succeeds(tree_walk_enter_fd(w, fd, &inode, &failure));
		tree_walk_pair(w, pair, false);
	}
	g_assert_true(tree_walk_is_done(w));
	g_assert_cmpuint(entries, ==, 2 * DEPTH);
	g_assert_cmpuint(left, ==, DEPTH + 1);
	g_assert_cmpuint(open_fds(), ==, before);
}

static void test_max_depth(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, 12);
	g_autoptr(GError) error = NULL;
	const struct tree_walk_options enough = {.max_depth = 12}, few = {.max_depth = 11};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &enough, NULL);
	g_autofree char *got = list(w, NULL);
	g_assert_true(tree_walk_is_done(w));
	g_autoptr(tree_walk) refused = tree_walk_open(f->fd, &few, NULL);
	const struct tree_entry *e;
	while ((e = tree_walk_next(refused, NULL)))
		if (e->type == DT_DIR && !tree_walk_enter(refused, &error))
			break;
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_cmpuint(tree_walk_depth(refused), ==, 12);
}

/* A directory was moved when the walk returns to its parent. */
static void test_moved(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, 20);
	g_autoptr(GError) error = NULL;
	g_autofree char *from = g_build_filename(f->path, "d", "d", NULL);
	g_autofree char *to = g_build_filename(f->path, "elsewhere", NULL);
	const struct tree_walk_options options = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &options, NULL);
	for (const struct tree_entry *e; (e = tree_walk_next(w, &error));) {
		if (!e->left && e->type == DT_DIR)
			assert_succeeds(tree_walk_enter(w, &failure));
		if (tree_walk_depth(w) == 20 && !e->left && e->type == DT_DIR)
			rename(from, to);
	}
	g_assert_true(error_is(error, ERROR_ABORTED));
	g_assert_false(tree_walk_is_done(w));
}

/* Entries that disappear or change their type during the walk are skipped. */
static void test_changes(struct fixture *f, gconstpointer data)
{
	static const char *const names[] = {"a/", "b/", "c/", "c/x"};
	make(f->fd, names, G_N_ELEMENTS(names));
	const struct tree_walk_options options = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &options, NULL);
	g_assert_cmpstr(tree_walk_next(w, NULL)->name, ==, "a");
	g_assert_cmpint(unlinkat(f->fd, "a", AT_REMOVEDIR), ==, 0);
	assert_succeeds(tree_walk_enter(w, &failure));
	g_assert_cmpstr(tree_walk_next(w, NULL)->name, ==, "b");
	g_assert_cmpint(unlinkat(f->fd, "b", AT_REMOVEDIR), ==, 0);
	g_assert_cmpint(symlinkat("c", f->fd, "b"), ==, 0);
	assert_succeeds(tree_walk_enter(w, &failure));
	g_autofree char *got = list(w, NULL);
	g_assert_cmpstr(got, ==, "c c/x <c < ");
}

/* Names of both trees, once; a counterpart of the outer directories only. */
static void test_pair(struct fixture *f, gconstpointer data)
{
	static const char *const names[] = {"one/", "one/a",     "one/both/", "one/both/x", "one/z",
					    "two/", "two/both/", "two/b",     "two/both/w", "two/zz"};
	make(f->fd, names, G_N_ELEMENTS(names));
	const struct tree_walk_options options = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_new(&options);
	g_autoptr(GString) text = g_string_new(NULL);
	g_assert_cmpint(tree_walk_pair_fd(w), ==, -1);
	assert_succeeds(tree_walk_enter_fd(w, open_dir(f->fd, "one"), NULL, &failure));
	tree_walk_pair(w, open_dir(f->fd, "two"), true);
	for (const struct tree_entry *e; (e = tree_walk_next(w, NULL));) {
		g_string_append_printf(text, "%s%s:%d ", e->left ? "<" : "", e->path, e->pair_fd >= 0);
		if (e->left || e->type != DT_DIR)
			continue;
		assert_succeeds(tree_walk_enter(w, &failure));
		g_assert_cmpuint(tree_walk_paired(w), ==, 1);
	}
	g_assert_cmpstr(text->str, ==, "a:1 b:1 both:1 both/x:0 <both:0 z:1 zz:1 <:1 ");
}

/* A counterpart that is added later is that of the directory in which the walk is. */
static void test_pair_late(struct fixture *f, gconstpointer data)
{
	static const char *const names[] = {"one/", "one/d/", "one/d/x", "two/", "two/d/"};
	make(f->fd, names, G_N_ELEMENTS(names));
	const struct tree_walk_options options = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_new(&options);
	assert_succeeds(tree_walk_enter_fd(w, open_dir(f->fd, "one"), NULL, &failure));
	g_assert_cmpstr(tree_walk_next(w, NULL)->path, ==, "d");
	assert_succeeds(tree_walk_enter(w, &failure));
	const struct tree_entry *e = tree_walk_next(w, NULL);
	g_assert_cmpstr(e->path, ==, "d/x");
	g_assert_cmpint(e->pair_fd, ==, -1);
	g_autofree char *path = tree_walk_path(w, tree_walk_paired(w) + 1);
	g_assert_cmpstr(path, ==, "d");
	tree_walk_pair(w, open_dir(f->fd, "two"), false);
	g_assert_cmpint(e->pair_fd, ==, -1);
	int inner = open_dir(tree_walk_pair_fd(w), "d");
	tree_walk_pair(w, inner, false);
	g_assert_cmpint(e->pair_fd, ==, inner);
	g_assert_cmpint(tree_walk_pair_fd(w), ==, inner);
}

/* More entries than one read of a directory returns, removed on the way, also in directories that are read again. */
static void test_removes(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, 12);
	scoped_fd at = open_dir(f->fd, "d/d");
	for (int i = 0; i < 3000; i++) {
		g_autofree char *name = g_strdup_printf("a-file-with-a-name-of-some-length-%d", i);
		make(at, (const char *[]){name}, 1);
	}
	const struct tree_walk_options options = {.removes = true};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &options, NULL);
	guint n = 0;
	for (const struct tree_entry *e; (e = tree_walk_next(w, NULL));) {
		if (e->left && e->parent_fd >= 0)
			g_assert_cmpint(unlinkat(e->parent_fd, e->name, AT_REMOVEDIR), ==, 0);
		else if (!e->left && e->type == DT_DIR)
			assert_succeeds(tree_walk_enter(w, &failure));
		else if (!e->left)
			g_assert_cmpint(unlinkat(e->dir_fd, e->name, 0), ==, 0);
		n += !e->left;
	}
	g_assert_true(tree_walk_is_done(w));
	g_assert_cmpuint(n, ==, 3000 + 24);
	g_assert_cmpint(faccessat(f->fd, "d", F_OK, 0), ==, -1);
}

static void test_mount(struct fixture *f, gconstpointer data)
{
	static const char *const names[] = {"m/", "n"};
	make(f->fd, names, G_N_ELEMENTS(names));
	g_autofree char *at = g_build_filename(f->path, "m", NULL);
	if (mount("tmpfs", at, "tmpfs", 0, NULL) != 0) {
		g_test_skip("cannot mount here");
		return;
	}
	scoped_fd inner = open_dir(f->fd, "m");
	make(inner, (const char *[]){"x"}, 1);
	const struct tree_walk_options one = {.sorted = true, .one_mount = true}, all = {.sorted = true};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &one, NULL);
	g_autofree char *inside = list(w, NULL);
	g_autoptr(tree_walk) w_all = tree_walk_open(f->fd, &all, NULL);
	g_autofree char *everything = list(w_all, NULL);
	g_autoptr(GError) error = NULL;
	bool removed = tree_remove_contents(f->fd, &error);
	int kept = faccessat(inner, "x", F_OK, 0);
	umount2(at, MNT_DETACH);
	g_assert_cmpstr(inside, ==, "m n < ");
	g_assert_cmpstr(everything, ==, "m m/x <m n < ");
	g_assert_false(removed);
	g_assert_cmpint(kept, ==, 0);
	g_assert_cmpstr(error->message, ==, "remove m: device or resource busy");
}

static void test_cancel(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, 2);
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autoptr(GError) error = NULL;
	const struct tree_walk_options options = {.cancel = c};
	g_autoptr(tree_walk) w = tree_walk_open(f->fd, &options, NULL);
	g_assert_nonnull(tree_walk_next(w, NULL));
	cancel_set(c, ERROR_CANCELED, NULL);
	g_assert_null(tree_walk_next(w, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_assert_false(tree_walk_is_done(w));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct fixture *f, gconstpointer data);
	} tests[] = {
		{"/tree_walk/order", test_order},         {"/tree_walk/deep", test_deep},
		{"/tree_walk/max-depth", test_max_depth}, {"/tree_walk/moved", test_moved},
		{"/tree_walk/changes", test_changes},     {"/tree_walk/pair", test_pair},
		{"/tree_walk/pair-late", test_pair_late}, {"/tree_walk/removes", test_removes},
		{"/tree_walk/mount", test_mount},         {"/tree_walk/cancel", test_cancel},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, struct fixture, NULL, set_up, tests[i].run, tear_down);
	return g_test_run();
}
