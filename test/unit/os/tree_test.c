/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree.h"
#include "lib/outcome.h"
#include "os/tree_walk.h"
#include "base/scope.h"
#include <fcntl.h>
#include <string.h>

struct fixture {
	char *top;
	int fd;
};

static void set_up(struct fixture *f, gconstpointer data)
{
	f->top = g_dir_make_tmp("tree-test-XXXXXX", NULL);
	f->fd = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	assert_succeeds(tree_remove_at(AT_FDCWD, f->top, &failure));
	g_assert_cmpint(access(f->top, F_OK), ==, -1);
	close(f->fd);
	g_free(f->top);
}

static void write_file(int dir, const char *name, const void *bytes, size_t n)
{
	scoped_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, bytes, n), ==, (ssize_t)n);
}

static void make_deep(int fd, int depth, int files)
{
	scoped_fd cur = dup(fd);
	for (int i = 0; i < depth; i++) {
		for (int k = 0; k < files; k++) {
			g_autofree char *name = g_strdup_printf("f%d", k);
			write_file(cur, name, "x", 1);
		}
		g_assert_cmpint(mkdirat(cur, "directory-with-a-long-name", 0700), ==, 0);
		int next = openat(cur, "directory-with-a-long-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(cur);
		cur = next;
	}
}

static void test_remove_deep(struct fixture *f, gconstpointer data)
{
	make_deep(f->fd, 700, 2); /* much deeper than PATH_MAX */
	g_autoptr(GError) error = NULL;
	int64_t bytes, inodes;
	g_assert_true(tree_usage(f->fd, &bytes, &inodes, &error));
	g_assert_cmpint(inodes, ==, 1 + 700 + 1400);
	g_assert_true(tree_remove_contents(f->fd, &error));
	g_assert_no_error(error);
	g_assert_true(tree_usage(f->fd, &bytes, &inodes, &error));
	g_assert_cmpint(inodes, ==, 1);
}

static void test_remove_does_not_follow(struct fixture *f, gconstpointer data)
{
	mkdirat(f->fd, "kept", 0700);
	write_file(f->fd, "kept/file", "x", 1);
	mkdirat(f->fd, "gone", 0700);
	g_assert_cmpint(symlinkat("../kept", f->fd, "gone/link"), ==, 0);
	g_assert_cmpint(symlinkat("kept", f->fd, "link"), ==, 0);
	assert_succeeds(tree_remove_at(f->fd, "gone", &failure));
	assert_succeeds(tree_remove_at(f->fd, "link", &failure));
	assert_succeeds(tree_remove_at(f->fd, "absent", &failure));
	g_assert_cmpint(faccessat(f->fd, "kept/file", F_OK, 0), ==, 0);
	g_assert_cmpint(faccessat(f->fd, "gone", F_OK, 0), ==, -1);
}

static void test_usage_counts_links_once(struct fixture *f, gconstpointer data)
{
	char bytes[8192];
	memset(bytes, 'x', sizeof bytes);
	write_file(f->fd, "a", bytes, sizeof bytes);
	int64_t one, two, inodes;
	assert_succeeds(tree_usage(f->fd, &one, &inodes, &failure));
	g_assert_cmpint(linkat(f->fd, "a", f->fd, "b", 0), ==, 0);
	assert_succeeds(tree_usage(f->fd, &two, &inodes, &failure));
	g_assert_cmpint(one, ==, two);
	g_assert_cmpint(inodes, ==, 2);
}

static void test_copy(struct fixture *f, gconstpointer data)
{
	static const int64_t sizes[] = {0, 1, 65536, 65537, 3000000};
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *bytes = g_malloc((size_t)sizes[i] + 1);
		for (int64_t k = 0; k < sizes[i]; k++)
			bytes[k] = (char)(k * 7 >> 3);
		write_file(f->fd, "src", bytes, (size_t)sizes[i]);
		scoped_fd src = openat(f->fd, "src", O_RDONLY | O_CLOEXEC);
		scoped_fd dst = openat(f->fd, "dst", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_succeeds(file_copy_data(src, dst, sizes[i], NULL, &failure));
		g_autofree char *path = g_build_filename(f->top, "dst", NULL), *got = NULL;
		gsize n;
		assert_succeeds(g_file_get_contents(path, &got, &n, &failure));
		g_assert_cmpmem(got, n, bytes, (size_t)sizes[i]);
	}
}

static void test_copy_keeps_holes(struct fixture *f, gconstpointer data)
{
	scoped_fd src = openat(f->fd, "src", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	scoped_fd dst = openat(f->fd, "dst", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	g_assert_cmpint(pwrite(src, "data", 4, 64 << 20), ==, 4);
	g_assert_cmpint(ftruncate(src, 128 << 20), ==, 0);
	assert_succeeds(file_copy_data(src, dst, 128 << 20, NULL, &failure));
	struct stat st;
	fstat(dst, &st);
	g_assert_cmpint(st.st_size, ==, 128 << 20);
	g_assert_cmpint(st.st_blocks * 512, <, 1 << 20);
	char got[4];
	g_assert_cmpint(pread(dst, got, 4, 64 << 20), ==, 4);
	g_assert_cmpmem(got, 4, "data", 4);
}

static void test_copy_canceled(struct fixture *f, gconstpointer data)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autoptr(GError) error = NULL;
	cancel_set(c, ERROR_CANCELED, NULL);
	write_file(f->fd, "src", "x", 1);
	scoped_fd src = openat(f->fd, "src", O_RDONLY | O_CLOEXEC);
	scoped_fd dst = openat(f->fd, "dst", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	g_assert_false(file_copy_data(src, dst, 1, c, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
}

static void test_xattrs(struct fixture *f, gconstpointer data)
{
	write_file(f->fd, "src", "x", 1);
	write_file(f->fd, "dst", "x", 1);
	scoped_fd src = openat(f->fd, "src", O_PATH | O_CLOEXEC);
	scoped_fd dst = openat(f->fd, "dst", O_PATH | O_CLOEXEC);
	g_autoptr(GError) error = NULL;
	if (!file_set_xattr(src, "user.one", "1", 1, &error)) {
		g_test_skip("no user xattrs here");
		return;
	}
	g_autofree char *large = g_strnfill(2000, 'v');
	g_assert_true(file_set_xattr(src, "user.large", large, 2000, &error));
	g_assert_true(file_set_xattr(src, "user.empty", "", 0, &error));
	g_assert_true(file_set_xattr(src, "user.overlay.opaque", "y", 1, &error));
	g_assert_true(file_copy_xattrs(src, dst, &error));
	size_t n;
	g_autofree void *value = file_get_xattr(dst, "user.large", &n, &error);
	g_assert_cmpmem(value, n, large, 2000);
	g_autofree void *empty = file_get_xattr(dst, "user.empty", &n, &error);
	g_assert_nonnull(empty);
	g_assert_cmpuint(n, ==, 0);
	g_assert_null(file_get_xattr(dst, "user.overlay.opaque", &n, &error));
	g_assert_no_error(error);
}

static void test_portable_xattrs(void)
{
	static const char *const yes[] = {"user.a", "security.capability", "system.posix_acl_access",
					  "system.posix_acl_default"};
	static const char *const no[] = {
		"user.overlay.opaque",  "trusted.overlay.opaque", "trusted.a", "security.selinux",
		"security.capabilityx", "system.posix_acl_",      "useful"};
	for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
		g_assert_true(file_xattr_is_portable(yes[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
		g_assert_false(file_xattr_is_portable(no[i]));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/tree/remove-deep", struct fixture, NULL, set_up, test_remove_deep, tear_down);
	g_test_add("/tree/remove-does-not-follow", struct fixture, NULL, set_up, test_remove_does_not_follow,
		   tear_down);
	g_test_add("/tree/usage-links", struct fixture, NULL, set_up, test_usage_counts_links_once, tear_down);
	g_test_add("/tree/copy", struct fixture, NULL, set_up, test_copy, tear_down);
	g_test_add("/tree/copy-holes", struct fixture, NULL, set_up, test_copy_keeps_holes, tear_down);
	g_test_add("/tree/copy-canceled", struct fixture, NULL, set_up, test_copy_canceled, tear_down);
	g_test_add("/tree/xattrs", struct fixture, NULL, set_up, test_xattrs, tear_down);
	g_test_add_func("/tree/portable-xattrs", test_portable_xattrs);
	return g_test_run();
}
