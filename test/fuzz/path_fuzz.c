/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openat2 and the walk without it give the same result for every path in a root full of links, and never leave the
 * root.
 */
#include "os/path.h"
#include "os/path_walk.h"
#include "os/tree.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char *top;

static void remove_root(void)
{
	tree_remove_at(AT_FDCWD, top, NULL);
	g_clear_pointer(&top, g_free);
}

static int make_root(void)
{
	static int root = -1;
	if (root >= 0)
		return root;
	atexit(remove_root);
	top = g_dir_make_tmp("path-fuzz-XXXXXX", NULL);
	root = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const dirs[] = {"a", "a/b", "a/b/c"};
	static const char *const links[][2] = {
		{"../../..", "a/u"}, {"/a", "r"}, {"b/../u", "a/v"}, {"l", "l"}, {"no", "d"}};
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++)
		mkdirat(root, dirs[i], 0700);
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
		g_assert_cmpint(symlinkat(links[i][0], root, links[i][1]), ==, 0);
	return root;
}

static void compare(int root, const char *path, int flags, enum path_mode mode)
{
	scoped_fd kernel = path_open_errno(root, path, flags, mode);
	scoped_fd walk = path_walk_open(root, path, flags, mode);
	struct stat a, b;
	g_assert_true((kernel < 0) == (walk < 0));
	if (kernel < 0)
		return;
	g_assert_cmpint(fstat(kernel, &a), ==, 0);
	g_assert_cmpint(fstat(walk, &b), ==, 0);
	g_assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	int root = make_root();
	g_autofree char *path = g_strndup((const char *)bytes, n);
	compare(root, path, O_PATH, PATH_IN_ROOT);
	compare(root, path, O_PATH | O_NOFOLLOW, PATH_IN_ROOT);
	compare(root, path, O_RDONLY | O_DIRECTORY, PATH_BENEATH);
	g_autofree char *clean = path_clean(path);
	g_autofree char *again = path_clean(clean);
	g_assert_cmpstr(clean, ==, again);
	g_autofree char *resolved = path_resolve(root, path, true, NULL);
	g_assert_true(!resolved || (resolved[0] == '/' && !strstr(resolved, "/../")));
	return 0;
}
