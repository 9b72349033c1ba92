/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the same table with the new mount API and with mount(2); each case in a process with a separate mount namespace.
 */
#include "mountfd.h"
#include "sys.h"
#include "namespaces.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static char work[] = "/tmp/mountfd-XXXXXX";

static int place(const char *name)
{
	g_autofree char *path = g_strconcat(work, "/", name, NULL);
	g_assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static unsigned long flags_of(int fd)
{
	struct statvfs st;
	g_assert_cmpint(fstatvfs(fd, &st), ==, 0);
	return st.f_flag;
}

static void test_type(void)
{
	const struct mountfd_type type = {.type = "tmpfs",
					  .source = "x",
					  .data = "mode=0711,size=64k",
					  .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	struct stat st;
	int at = place("type"), fd = mountfd_type(at, &type);
	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(fstat(fd, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0711);
	g_assert_cmpint(flags_of(fd) & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_RDONLY), ==, ST_NOSUID | ST_NODEV);
	/* The path leads to the mount. */
	g_autofree char *path = g_strconcat(work, "/type", NULL);
	struct stat there;
	g_assert_cmpint(stat(path, &there), ==, 0);
	g_assert_cmpuint(there.st_dev, ==, st.st_dev);
	g_assert_cmpint(mountfd_type(at, &(struct mountfd_type){.type = "tmpfs", .data = "nonsense=1"}), ==, -EINVAL);
	g_assert_cmpint(mountfd_type(at, &(struct mountfd_type){.type = "nosuchfs"}), ==, -ENODEV);
}

static void test_bind(void)
{
	int source = place("source"), at = place("bound");
	int tree = mountfd_type(source, &(struct mountfd_type){.type = "tmpfs", .attributes = MOUNT_ATTR_NODEV});
	int file = openat(tree, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(file, >=, 0);
	int fd = mountfd_bind(at, tree, &(struct mountfd_change){.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC});
	g_assert_cmpint(fd, >=, 0);
	/* Attributes of the source are kept. */
	g_assert_cmpint(flags_of(fd) & (ST_RDONLY | ST_NOEXEC | ST_NODEV), ==, ST_RDONLY | ST_NOEXEC | ST_NODEV);
	g_assert_cmpint(openat(fd, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644), ==, -1);
	g_assert_cmpint(errno, ==, EROFS);
	/* The source mount is unchanged. */
	g_assert_cmpint(flags_of(tree) & ST_RDONLY, ==, 0);
	g_assert_cmpint(mountfd_change(fd, &(struct mountfd_change){.clear = MOUNT_ATTR_RDONLY}), ==, 0);
	g_assert_cmpint(flags_of(fd) & (ST_RDONLY | ST_NOEXEC), ==, ST_NOEXEC);
	/* A file mounted on a file. */
	int onto = openat(tree, "onto", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int bound = mountfd_bind(onto, file, &(struct mountfd_change){.set = MOUNT_ATTR_RDONLY});
	g_assert_cmpint(bound, >=, 0);
	struct stat a, b;
	g_assert_cmpint(fstat(file, &a), ==, 0);
	g_assert_cmpint(fstat(bound, &b), ==, 0);
	g_assert_cmpuint(a.st_ino, ==, b.st_ino);
}

static void test_below(void)
{
	int source = place("outer"), at = place("copy");
	int outer = mountfd_type(source, &(struct mountfd_type){.type = "tmpfs"});
	g_assert_cmpint(mkdirat(outer, "in", 0755), ==, 0);
	int inner_place = openat(outer, "in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(mountfd_type(inner_place, &(struct mountfd_type){.type = "tmpfs"}), >=, 0);
	/* Names that mountinfo escapes, a mount over a mount, and one that keeps what it has. */
	g_assert_cmpint(mkdirat(outer, "a b\\c", 0755), ==, 0);
	int odd_place = openat(outer, "a b\\c", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct mountfd_type odd = {.type = "tmpfs", .attributes = MOUNT_ATTR_NOEXEC};
	g_assert_cmpint(mountfd_type(odd_place, &odd), >=, 0);
	g_assert_cmpint(mountfd_type(inner_place, &(struct mountfd_type){.type = "tmpfs"}), >=, 0);
	int fd = mountfd_bind(at, outer, &(struct mountfd_change){.set_recursive = MOUNT_ATTR_RDONLY});
	g_assert_cmpint(fd, >=, 0);
	int inner = openat(fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int other = openat(fd, "a b\\c", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(flags_of(fd) & ST_RDONLY, ==, ST_RDONLY);
	g_assert_cmpint(flags_of(inner) & ST_RDONLY, ==, ST_RDONLY);
	g_assert_cmpint(flags_of(other) & (ST_RDONLY | ST_NOEXEC), ==, ST_RDONLY | ST_NOEXEC);
	/* The source is unchanged, and ids cannot be mapped there without an id-mapped mount. */
	g_assert_cmpint(flags_of(outer) & ST_RDONLY, ==, 0);
	g_assert_cmpint(mountfd_change(fd, &(struct mountfd_change){.clear_recursive = MOUNT_ATTR_RDONLY}), ==, 0);
	g_assert_cmpint(flags_of(inner) & ST_RDONLY, ==, 0);
	g_assert_cmpint(flags_of(other) & (ST_RDONLY | ST_NOEXEC), ==, ST_NOEXEC);
}

static void in_namespace(gconstpointer data)
{
	bool old = GPOINTER_TO_INT(data) != 0;
	if (geteuid() != 0) {
		g_test_skip("needs root");
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
		namespaces_detach_mounts(MS_PRIVATE); /* exits on failure */
		g_assert_nonnull(mkdtemp(work));
		g_assert_cmpint(mount("x", work, "tmpfs", 0, NULL), ==, 0);
		if (old)
			sys_set_old();
		g_autofree char *staging = g_strconcat(work, "/staging", NULL);
		g_assert_cmpint(mkdir(staging, 0700), ==, 0);
		g_assert_cmpint(mountfd_prepare(staging), ==, 0);
		test_type();
		test_bind();
		test_below();
		umount2(work, MNT_DETACH);
		rmdir(work);
		_exit(0);
	}
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/mountfd/new", GINT_TO_POINTER(0), in_namespace);
	g_test_add_data_func("/mountfd/old", GINT_TO_POINTER(1), in_namespace);
	return g_test_run();
}
