/* SPDX-License-Identifier: Apache-2.0 */
#include "os/path.h"
#include "os/path_walk.h"
#include "os/tree.h"
#include <string.h>

static int root_fd;
static char *top;

/* A canary file outside of the root, and a root full of attempts to reach it. */
static void make_tree(void)
{
	top = g_dir_make_tmp("path-test-XXXXXX", NULL);
	scoped_fd dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd secret = openat(dir, "secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(write(secret, "outside", 7), ==, 7);
	mkdirat(dir, "root", 0755);
	root_fd = openat(dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const dirs[] = {"etc", "a", "a/b", "a/b/c", "usr", "usr/lib"};
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++)
		mkdirat(root_fd, dirs[i], 0755);
	static const char *const files[] = {"secret", "etc/passwd", "a/b/file"};
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		scoped_fd fd = openat(root_fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		g_assert_cmpint(write(fd, "inside", 6), ==, 6);
	}
	static const char *const links[][2] = {
		{"../secret", "up"},
		{"/secret", "absolute"},
		{"../../../../secret", "a/b/far"},
		{"loop2", "loop1"},
		{"loop1", "loop2"},
		{"self/x", "self"},
		{"usr/lib", "lib"},
		{"/a/b", "etc/ab"},
		{"missing", "dangling"},
		{"..", "a/parent"},
		{"/proc/self/root/etc/hostname", "magic"},
		{"/new/dir", "etc/dangling-dir"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
		g_assert_cmpint(symlinkat(links[i][0], root_fd, links[i][1]), ==, 0);
}

static const struct {
	const char *path;
	int flags;
	enum path_mode mode;
	int want; /* 0 or -errno */
} table[] = {
	{"etc/passwd", O_RDONLY, PATH_IN_ROOT, 0},
	{"/etc/passwd", O_RDONLY, PATH_IN_ROOT, 0},
	{"//etc//./passwd", O_RDONLY, PATH_IN_ROOT, 0},
	{"", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, 0},
	{"/", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, 0},
	{"..", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, 0},
	{"../../../secret", O_RDONLY, PATH_IN_ROOT, 0},
	{"a/../../secret", O_RDONLY, PATH_IN_ROOT, 0},
	{"up", O_RDONLY, PATH_IN_ROOT, 0},
	{"absolute", O_RDONLY, PATH_IN_ROOT, 0},
	{"a/b/far", O_RDONLY, PATH_IN_ROOT, 0},
	{"a/parent/secret", O_RDONLY, PATH_IN_ROOT, 0},
	{"a/parent/parent/secret", O_RDONLY, PATH_IN_ROOT, -ENOENT},
	{"etc/ab/file", O_RDONLY, PATH_IN_ROOT, 0},
	{"lib", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, 0},
	{"lib/", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, 0},
	{"lib", O_PATH | O_NOFOLLOW, PATH_IN_ROOT, 0},
	{"loop1", O_RDONLY, PATH_IN_ROOT, -ELOOP},
	{"loop1/x", O_RDONLY, PATH_IN_ROOT, -ELOOP},
	{"self", O_RDONLY, PATH_IN_ROOT, -ELOOP},
	{"magic", O_RDONLY, PATH_IN_ROOT, -ENOENT},
	{"dangling", O_RDONLY, PATH_IN_ROOT, -ENOENT},
	{"missing", O_RDONLY, PATH_IN_ROOT, -ENOENT},
	{"missing/x", O_RDONLY, PATH_IN_ROOT, -ENOENT},
	{"etc/passwd/x", O_RDONLY, PATH_IN_ROOT, -ENOTDIR},
	{"etc/passwd/", O_RDONLY, PATH_IN_ROOT, -ENOTDIR},
	{"etc/passwd", O_RDONLY | O_DIRECTORY, PATH_IN_ROOT, -ENOTDIR},
	{"up", O_RDONLY | O_NOFOLLOW, PATH_IN_ROOT, -ELOOP},
	{"up", O_WRONLY | O_CREAT | O_EXCL, PATH_IN_ROOT, -EEXIST},
	{"etc/passwd", O_RDONLY, PATH_BENEATH, 0},
	{"/etc/passwd", O_RDONLY, PATH_BENEATH, 0},
	{"/", O_RDONLY, PATH_BENEATH, 0},
	{"../secret", O_RDONLY, PATH_BENEATH, -EXDEV},
	{"a/../secret", O_RDONLY, PATH_BENEATH, -EXDEV},
	{"up", O_RDONLY, PATH_BENEATH, -ELOOP},
	{"up", O_PATH | O_NOFOLLOW, PATH_BENEATH, 0},
	{"etc/ab/file", O_RDONLY, PATH_BENEATH, -ELOOP},
	{"lib/x", O_RDONLY, PATH_BENEATH, -ELOOP},
};

static int reopen_contents(int fd, char ret[16])
{
	ssize_t n = read(fd, ret, 15);
	ret[MAX(n, 0)] = '\0';
	return (int)n;
}

static void test_open(void)
{
	typedef int (*open_fn)(int, const char *, int, enum path_mode);
	static const open_fn ways[] = {path_open_errno, path_walk_open};
	for (size_t way = 0; way < G_N_ELEMENTS(ways); way++)
		for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
			scoped_fd fd = ways[way](root_fd, table[i].path, table[i].flags, table[i].mode);
			int got = fd < 0 ? fd : 0;
			if (got != table[i].want)
				g_error("way %zu: %s: %d instead of %d", way, table[i].path, got, table[i].want);
			char text[16] = "inside";
			if (fd >= 0 && table[i].flags == O_RDONLY && strcmp(table[i].path, "/") != 0)
				reopen_contents(fd, text);
			g_assert_cmpstr(text, ==, "inside");
		}
}

static void test_too_long(void)
{
	g_autofree char *component = g_strnfill(256, 'x');
	g_autofree char *path = g_malloc(6000);
	memset(path, '/', 5999);
	path[5998] = 'x';
	path[5999] = '\0';
	g_assert_cmpint(path_open_errno(root_fd, component, O_RDONLY, PATH_IN_ROOT), ==, -ENAMETOOLONG);
	g_assert_cmpint(path_walk_open(root_fd, component, O_RDONLY, PATH_IN_ROOT), ==, -ENAMETOOLONG);
	g_assert_cmpint(path_walk_open(root_fd, path, O_RDONLY, PATH_IN_ROOT), ==, -ENAMETOOLONG);
}

static void test_resolve(void)
{
	static const struct {
		const char *path, *follow, *no_follow;
	} rows[] = {
		{"/", "/", "/"},
		{"lib", "/usr/lib", "/lib"},
		{"lib/x/y", "/usr/lib/x/y", "/usr/lib/x/y"},
		{"lib/../x", "/usr/x", "/usr/x"},
		{"up", "/secret", "/up"},
		{"dangling", "/missing", "/dangling"},
		{"etc/dangling-dir/sub", "/new/dir/sub", "/new/dir/sub"},
		{"etc/ab/../..", "/", "/"},
		{"../../x/../y", "/y", "/y"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *follow = path_resolve(root_fd, rows[i].path, true, NULL);
		g_autofree char *no_follow = path_resolve(root_fd, rows[i].path, false, NULL);
		g_assert_cmpstr(follow, ==, rows[i].follow);
		g_assert_cmpstr(no_follow, ==, rows[i].no_follow);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(path_resolve(root_fd, "loop1", true, &error));
	g_assert_error(error, error_domain(), ERROR_UNKNOWN);
	g_assert_cmpstr(error->message, ==, "too many links");
	g_clear_error(&error);
	g_assert_null(path_resolve(root_fd, "etc/ab/file/x/y", true, &error));
	g_assert_cmpstr(error->message, ==, "lstat /a/b/file/x: not a directory");
	g_autofree char *entry = path_resolve(root_fd, "etc/ab/file/x", false, NULL);
	g_assert_cmpstr(entry, ==, "/a/b/file/x"); /* the last component is not looked up */
}

static void test_parent(void)
{
	char name[256];
	g_autoptr(GError) error = NULL;
	scoped_fd fd = path_open_parent(root_fd, "etc/ab/../ab/file/", name, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(name, ==, "file");
	struct stat st;
	g_assert_cmpint(fstatat(fd, name, &st, 0), ==, 0);
	static const char *const bad[] = {"", "/", ".", "..", "a/..", "../.."};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) problem = NULL;
		g_assert_cmpint(path_open_parent(root_fd, bad[i], name, &problem), ==, -1);
		g_assert_true(error_is(problem, ERROR_INVALID_ARGUMENT));
	}
}

static void test_make_dirs(void)
{
	g_autoptr(GError) error = NULL;
	struct stat st;
	scoped_fd fd = path_make_dirs(root_fd, "etc/dangling-dir/../made/deep", 0751, 11, 12, 1500000000, &error);
	g_assert_no_error(error);
	static const char *const made[] = {"new", "new/made", "new/made/deep"};
	for (size_t i = 0; i < G_N_ELEMENTS(made); i++) {
		g_assert_cmpint(fstatat(root_fd, made[i], &st, 0), ==, 0);
		g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0751);
		g_assert_cmpuint(st.st_uid, ==, 11);
		g_assert_cmpuint(st.st_gid, ==, 12);
		g_assert_cmpint(st.st_mtim.tv_sec, ==, 1);
		g_assert_cmpint(st.st_mtim.tv_nsec, ==, 500000000);
	}
	g_assert_cmpint(path_make_dirs(root_fd, "etc/passwd/x", 0755, 0, 0, -1, &error), ==, -1);
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, "lstat /etc/passwd/x: not a directory");
}

static void test_read(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = path_read(root_fd, "etc/passwd", 6, PATH_IN_ROOT, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, 6);
	g_assert_null(path_read(root_fd, "etc/passwd", 5, PATH_IN_ROOT, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_clear_error(&error);
	g_assert_cmpint(mkfifoat(root_fd, "fifo", 0600), ==, 0);
	g_assert_null(path_read(root_fd, "fifo", 10, PATH_IN_ROOT, &error)); /* returns at once */
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

static void test_clean(void)
{
	static const char *const rows[][2] = {
		{"", "."},
		{"/", "/"},
		{"a/b/../c", "a/c"},
		{"../a", "../a"},
		{"a/../..", ".."},
		{"/../a", "/a"},
		{"a//b/./c/", "a/b/c"},
		{"..", ".."},
		{"a/..", "."},
		{"../../a/..", "../.."},
		{"/a/b/../../..", "/"},
		{"./a", "a"},
		{"//a", "/a"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *clean = path_clean(rows[i][0]);
		g_assert_cmpstr(clean, ==, rows[i][1]);
	}
	static const char *const joins[][3] = {
		{"", "", ""}, {"a", "", "a"}, {"", "b/", "b"}, {"/a", "../b", "/b"}, {"a", "/b", "a/b"}};
	for (size_t i = 0; i < G_N_ELEMENTS(joins); i++) {
		g_autofree char *joined = path_join(joins[i][0], joins[i][1]);
		g_assert_cmpstr(joined, ==, joins[i][2]);
	}
	g_assert_true(path_is_below("a/b", "a"));
	g_assert_true(path_is_below("/a/b/c", "/a"));
	g_assert_false(path_is_below("a", "a"));
	g_assert_false(path_is_below("ab/c", "a"));
	g_assert_false(path_is_below("a", "a/b"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	make_tree();
	g_test_add_func("/path/open", test_open);
	g_test_add_func("/path/too-long", test_too_long);
	g_test_add_func("/path/resolve", test_resolve);
	g_test_add_func("/path/parent", test_parent);
	g_test_add_func("/path/make-dirs", test_make_dirs);
	g_test_add_func("/path/read", test_read);
	g_test_add_func("/path/clean", test_clean);
	int r = g_test_run();
	tree_remove_at(AT_FDCWD, top, NULL);
	return r;
}
