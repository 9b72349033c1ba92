/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/snapshotter.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "base/scope.h"
#include "lib/detached.h"
#include "lib/outcome.h"
#include "os/mount.h"
#include "os/tree.h"

struct fixture {
	char *path;
	int root;
	snapshotter *s;
};

static void set_up(struct fixture *f, gconstpointer name)
{
	GError *error = NULL;
	umask(022);
	f->path = g_dir_make_tmp("snapshot-test-XXXXXX", NULL);
	f->root = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->s = snapshotter_open(f->root, name, &error);
	if (!f->s)
		g_test_skip(error->message);
	g_clear_error(&error);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	snapshotter_close(f->s);
	close(f->root);
	assert_succeeds(tree_remove_at(AT_FDCWD, f->path, &failure));
	g_free(f->path);
}

static int make(struct fixture *f, const char *name, int parent)
{
	GError *error = NULL;
	g_assert_cmpint(mkdirat(f->root, name, 0700), ==, 0);
	int dir = openat(f->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snapshotter_prepare(f->s, dir, parent, false, NULL, &error);
	g_assert_no_error(error);
	return dir;
}

static void write_text(int dir, const char *name, const char *text)
{
	scoped_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void expect_text(int dir, const char *name, const char *text)
{
	char got[64] = "";
	scoped_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (!text) {
		g_assert_cmpint(fd, <, 0);
		return;
	}
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(read(fd, got, sizeof got - 1), ==, (ssize_t)strlen(text));
	g_assert_cmpstr(got, ==, text);
}

static int view_dir(snapshot_view *v)
{
	GError *error = NULL;
	g_assert_nonnull(v);
	int fd = snapshot_view_dir(v, &error);
	g_assert_no_error(error);
	return fd;
}

static void test_stack(struct fixture *f, gconstpointer unused)
{
	if (!f->s)
		return;
	GError *error = NULL;
	scoped_fd a = make(f, "a", -1);
	g_autoptr(snapshot_view) va = snapshot_view_open(f->s, &a, 1, true, &error);
	g_assert_no_error(error);
	scoped_fd da = view_dir(va);
	g_assert_cmpint(fchmod(da, 0711), ==, 0);
	write_text(da, "one", "1");
	write_text(da, "two", "2");
	g_assert_cmpint(mkdirat(da, "dir", 0700), ==, 0);
	write_text(da, "dir/deep", "d");
	g_clear_pointer(&va, snapshot_view_close);
	g_assert_true(snapshotter_seal(f->s, a, &error));

	scoped_fd b = make(f, "b", a);
	g_autoptr(snapshot_view) vb = snapshot_view_open(f->s, (const int[]){b, a}, 2, true, &error);
	g_assert_no_error(error);
	scoped_fd db = view_dir(vb);
	struct stat st;
	g_assert_cmpint(fstat(db, &st), ==, 0);
	g_assert_cmpuint(st.st_mode & 07777, ==, 0711);
	expect_text(db, "one", "1");
	write_text(db, "one", "changed");
	g_assert_cmpint(unlinkat(db, "two", 0), ==, 0);
	close(fd_steal(&db));
	g_clear_pointer(&vb, snapshot_view_close);
	g_assert_true(snapshotter_seal(f->s, b, &error));
	g_assert_cmpint(faccessat(b, "work", F_OK, 0), <, 0);

	g_autoptr(snapshot_view) merged = snapshot_view_open(f->s, (const int[]){b, a}, 2, false, &error);
	g_assert_no_error(error);
	scoped_fd dm = view_dir(merged);
	expect_text(dm, "one", "changed");
	expect_text(dm, "two", NULL);
	expect_text(dm, "dir/deep", "d");
	g_autoptr(snapshot_view) below = snapshot_view_open(f->s, &a, 1, false, &error);
	scoped_fd dl = view_dir(below);
	expect_text(dl, "one", "1");
	expect_text(dl, "two", "2");
}

static void test_mounts(struct fixture *f, gconstpointer unused)
{
	if (!f->s)
		return;
	GError *error = NULL;
	scoped_fd a = make(f, "a", -1);
	scoped_fd b = make(f, "b", a);
	g_autoptr(snapshot_view) v = snapshot_view_open(f->s, (const int[]){b, a}, 2, true, &error);
	scoped_fd first = snapshot_view_mount(v, &error);
	g_assert_no_error(error);
	scoped_fd second = snapshot_view_mount(v, &error);
	g_assert_no_error(error);
	write_text(first, "x", "1");
	expect_text(second, "x", "1"); /* one file system, two mounts */
	g_assert_cmpint(mkdirat(f->root, "at", 0755), ==, 0);
	g_assert_true(mount_attach(first, f->root, "at", &error));
	expect_text(f->root, "at/x", "1");
	g_assert_true(mount_detach(f->root, "at", &error));
	g_clear_pointer(&v, snapshot_view_close);
	expect_text(second, "x", "1"); /* a mount outlives its view */
	close(fd_steal(&first));
	close(fd_steal(&second));
	/* Mounts a tree again that was mounted for writing before. */
	v = snapshot_view_open(f->s, (const int[]){b, a}, 2, true, &error);
	g_assert_no_error(error);
	scoped_fd again = view_dir(v);
	expect_text(again, "x", "1");
	close(fd_steal(&again));
	g_clear_pointer(&v, snapshot_view_close);
	v = snapshot_view_open(f->s, (const int[]){b, a}, 2, false, &error);
	scoped_fd locked = snapshot_view_mount(v, &error);
	g_assert_no_error(error);
	g_assert_cmpint(openat(locked, "y", O_WRONLY | O_CREAT, 0644), <, 0);
	g_assert_cmpint(errno, ==, EROFS);
}

static void test_copy_keeps_metadata(struct fixture *f, gconstpointer unused)
{
	if (!f->s)
		return;
	GError *error = NULL;
	scoped_fd a = make(f, "a", -1);
	scoped_fd fs = snapshotter_open_fs(f->s, a, &error);
	struct timespec times[2] = {{1000, 5}, {2000, 7}};
	write_text(fs, "file", "x");
	g_assert_cmpint(fchownat(fs, "file", 12, 34, 0), ==, 0);
	g_assert_cmpint(fchmodat(fs, "file", 04750, 0), ==, 0);
	g_assert_cmpint(linkat(fs, "file", fs, "link", 0), ==, 0);
	g_assert_cmpint(symlinkat("file", fs, "sym"), ==, 0);
	g_assert_cmpint(mkfifoat(fs, "fifo", 0600), ==, 0);
	g_assert_cmpint(mkdirat(fs, "d", 0750), ==, 0);
	write_text(fs, "d/e", "y");
	g_assert_cmpint(utimensat(fs, "d", times, 0), ==, 0);
	g_assert_cmpint(utimensat(fs, "file", times, 0), ==, 0);
	scoped_fd b = make(f, "b", a);
	scoped_fd copy = snapshotter_open_fs(f->s, b, &error);
	struct stat file, link, d, sym, fifo;
	g_assert_cmpint(fstatat(copy, "file", &file, 0), ==, 0);
	g_assert_cmpint(fstatat(copy, "link", &link, 0), ==, 0);
	g_assert_cmpint(fstatat(copy, "d", &d, 0), ==, 0);
	g_assert_cmpint(fstatat(copy, "sym", &sym, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_cmpint(fstatat(copy, "fifo", &fifo, 0), ==, 0);
	g_assert_cmpuint(file.st_mode & 07777, ==, 04750);
	g_assert_cmpuint(file.st_uid, ==, 12);
	g_assert_cmpuint(file.st_gid, ==, 34);
	g_assert_cmpint(file.st_mtim.tv_sec, ==, 2000);
	g_assert_cmpuint(file.st_ino, ==, link.st_ino);
	g_assert_cmpint(d.st_mtim.tv_nsec, ==, 7);
	g_assert_cmpuint(d.st_mode & 07777, ==, 0750);
	g_assert_true(S_ISLNK(sym.st_mode) && S_ISFIFO(fifo.st_mode));
	expect_text(copy, "d/e", "y");
}

static void test_names(void)
{
	g_autofree char *path = g_dir_make_tmp("snapshot-test-XXXXXX", NULL);
	scoped_fd root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GError *error = NULL;
	g_assert_null(snapshotter_open(root, "zfs", &error));
	g_assert_error(error, error_domain(), ERROR_UNIMPLEMENTED);
	g_assert_cmpstr(error->message, ==, "unknown snapshotter name: \"zfs\"");
	g_clear_error(&error);
	g_autoptr(snapshotter) s = snapshotter_open(root, "auto", &error);
	g_assert_no_error(error);
	g_assert_true(strcmp(snapshotter_name(s), "overlayfs") == 0 || strcmp(snapshotter_name(s), "native") == 0);
	assert_succeeds(tree_remove_at(AT_FDCWD, path, &failure));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	char *detached = mount_is_old() && mount_make_private_namespace(NULL) ? detached_open() : NULL;
	g_test_add("/snapshot/overlay/stack", struct fixture, "overlayfs", set_up, test_stack, tear_down);
	g_test_add("/snapshot/overlay/mounts", struct fixture, "overlayfs", set_up, test_mounts, tear_down);
	g_test_add("/snapshot/native/stack", struct fixture, "native", set_up, test_stack, tear_down);
	g_test_add("/snapshot/native/mounts", struct fixture, "native", set_up, test_mounts, tear_down);
	g_test_add("/snapshot/native/copy", struct fixture, "native", set_up, test_copy_keeps_metadata, tear_down);
	g_test_add_func("/snapshot/names", test_names);
	int status = g_test_run();
	detached_close(detached);
	return status;
}
