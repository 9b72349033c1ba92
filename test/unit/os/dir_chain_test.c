/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dir_chain.h"
#include "base/scope.h"
#include "os/tree.h"
#include <dirent.h>
#include <stdio.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { DEPTH = 300 };

static guint open_fds(void)
{
	guint n = 0;
	DIR *dir = opendir("/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void push_new(dir_chain *c, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(mkdirat(dir_chain_fd(c), name, 0755), ==, 0);
	int fd = openat(dir_chain_fd(c), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_true(dir_chain_push(c, fd, &error));
	g_assert_no_error(error);
}

static dir_chain *chain_in(const char *path)
{
	dir_chain *c = dir_chain_new();
	g_assert_cmpint(dir_chain_fd(c), ==, -1);
	g_assert_true(dir_chain_push(c, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), NULL));
	return c;
}

static void remove_tree(const char *path)
{
	scoped_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_true(tree_remove_contents(fd, NULL));
	g_assert_cmpint(rmdir(path), ==, 0);
}

static void test_deep(void)
{
	g_autofree char *path = g_dir_make_tmp("chain-XXXXXX", NULL);
	g_autoptr(GError) error = NULL;
	guint before = open_fds();
	g_autoptr(dir_chain) c = chain_in(path);
	ino_t inodes[DEPTH];
	struct stat st;
	for (int i = 0; i < DEPTH; i++) {
		g_assert_cmpint(fstat(dir_chain_fd(c), &st), ==, 0);
		inodes[i] = st.st_ino;
		push_new(c, "d");
	}
	g_assert_cmpuint(dir_chain_depth(c), ==, DEPTH + 1);
	g_assert_cmpuint(open_fds() - before, <, 16);
	for (int i = DEPTH - 1; i >= 0; i--) {
		g_assert_true(dir_chain_pop(c, &error));
		g_assert_no_error(error);
		g_assert_cmpint(fstat(dir_chain_fd(c), &st), ==, 0);
		g_assert_cmpuint(st.st_ino, ==, inodes[i]);
	}
	g_assert_true(dir_chain_pop(c, &error));
	g_assert_cmpint(dir_chain_fd(c), ==, -1);
	remove_tree(path);
}

/* The child was moved when the walk returns to its parent. */
static void test_moved(void)
{
	g_autofree char *path = g_dir_make_tmp("chain-XXXXXX", NULL);
	g_autofree char *target = g_build_filename(path, "elsewhere", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(dir_chain) c = chain_in(path);
	g_autofree char *from = g_build_filename(path, "d", "d", NULL);
	for (int i = 0; i < 20; i++)
		push_new(c, "d");
	g_assert_cmpint(rename(from, target), ==, 0);
	while (!error && dir_chain_depth(c) > 1)
		dir_chain_pop(c, &error);
	g_assert_true(error_is(error, ERROR_ABORTED));
	g_clear_pointer(&c, dir_chain_free);
	remove_tree(path);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dir_chain/deep", test_deep);
	g_test_add_func("/dir_chain/moved", test_moved);
	return g_test_run();
}
