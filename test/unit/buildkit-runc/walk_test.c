/* SPDX-License-Identifier: Apache-2.0 */
/* The walk of old kernels gives the results of openat2, and never leaves the root, whatever moves meanwhile. */
#include "walk.h"
#include "lib/outcome.h"
#include "namespaces.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 2000

static char work[] = "/tmp/walk-XXXXXX";
static int work_fd, root_fd;

static void write_file(int dir_fd, const char *path, const char *text)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
	close(fd);
}

static void make_tree(void)
{
	static const char *const dirs[] = {"root",     "root/a",   "root/a/b",    "root/a/b/c",
					   "root/etc", "root/usr", "root/usr/lib"};
	static const char *const links[][2] = {
		{"../secret", "root/up"},      {"/secret", "root/absolute"}, {"../../../../secret", "root/a/b/far"},
		{"loop2", "root/loop1"},       {"loop1", "root/loop2"},      {"usr/lib", "root/lib"},
		{"/a/b", "root/etc/ab"},       {"missing", "root/dangling"}, {"..", "root/a/parent"},
		{"usr/lib/", "root/lib-slash"}};
	g_assert_nonnull(g_mkdtemp(work));
	work_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++)
		g_assert_cmpint(mkdirat(work_fd, dirs[i], 0755), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
		g_assert_cmpint(symlinkat(links[i][0], work_fd, links[i][1]), ==, 0);
	write_file(work_fd, "secret", "outside");
	write_file(work_fd, "root/secret", "inside");
	write_file(work_fd, "root/a/b/file", "inside");
	root_fd = openat(work_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int by_kernel(const char *path, uint64_t flags, enum walk_kind kind)
{
	static const uint64_t resolve[] = {
		[WALK_IN_ROOT] = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
		[WALK_BENEATH] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
		[WALK_NO_LINKS] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = sys_openat2(root_fd, path, flags | O_CLOEXEC, 0, resolve[kind]);
	return fd < 0 ? -errno : fd;
}

static void test_same_as_kernel(void)
{
	if (by_kernel(".", O_PATH, WALK_IN_ROOT) == -ENOSYS) {
		g_test_skip("no openat2");
		return;
	}
	static const char *const paths[] = {".",           "a",           "a/",
					    "a//b/./c",    "a/b/file",    "a/b/file/",
					    "a/b/file/x",  "up",          "absolute",
					    "a/b/far",     "loop1",       "loop1/x",
					    "lib",         "lib/",        "lib/x",
					    "lib-slash",   "etc/ab/file", "etc/ab/../ab/c",
					    "dangling",    "dangling/x",  "a/parent/secret",
					    "a/b/c/../..", "a/..",        "missing",
					    "missing/x",   "secret",      "a/parent/parent/secret"};
	static const uint64_t flags[] = {O_PATH, O_PATH | O_NOFOLLOW, O_PATH | O_DIRECTORY, O_RDONLY,
					 O_RDONLY | O_NOFOLLOW};
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		for (size_t f = 0; f < G_N_ELEMENTS(flags); f++)
			for (int kind = WALK_IN_ROOT; kind <= WALK_NO_LINKS; kind++) {
				/* Refused even where it stays beneath: no caller has such a path. */
				if (kind == WALK_NO_LINKS && strstr(paths[i], "..") != NULL)
					continue;
				struct stat a = {0}, b = {0};
				int want = by_kernel(paths[i], flags[f], kind);
				int got = walk_open(root_fd, paths[i], flags[f], kind);
				if ((want < 0 || got < 0) && want != got)
					g_error("%s, kind %d, flags %zu: %d instead of %d", paths[i], kind, f, got,
						want);
				if (want >= 0 && (fstat(want, &a) != 0 || fstat(got, &b) != 0 || a.st_ino != b.st_ino))
					g_error("%s, kind %d, flags %zu: another file", paths[i], kind, f);
				sys_close(&want);
				sys_close(&got);
			}
	g_assert_cmpint(walk_open(root_fd, "a/..", O_PATH, WALK_NO_LINKS), ==, -EXDEV);
}

static void test_limits(void)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (int i = 0; i < 500; i++)
		g_string_append(path, "a/../");
	int fd = walk_open(root_fd, path->str, O_PATH, WALK_IN_ROOT);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_autofree char *name = g_strnfill(256, 'x'), *longer = g_strnfill(5000, '/');
	g_assert_cmpint(walk_open(root_fd, name, O_PATH, WALK_IN_ROOT), ==, -ENAMETOOLONG);
	g_assert_cmpint(walk_open(root_fd, longer, O_PATH, WALK_IN_ROOT), ==, -ENAMETOOLONG);
	/* 40 links that each go down and up again many times. */
	g_autoptr(GString) target = g_string_new("a/b/c/../../..");
	while (target->len < 3900)
		g_string_append(target, "/a/b/c/../../..");
	g_assert_cmpint(symlinkat(target->str, root_fd, "slow"), ==, 0);
	fd = walk_open(root_fd, "slow", O_PATH, WALK_IN_ROOT);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
}

static gint end;

/* Moves a directory out of the root and back: ".." of it is then outside. */
static gpointer move_directory(gpointer unused)
{
	while (!g_atomic_int_get(&end)) {
		g_assert_cmpint(renameat(root_fd, "a/b", work_fd, "b"), ==, 0);
		g_assert_cmpint(renameat(work_fd, "b", root_fd, "a/b"), ==, 0);
	}
	return unused;
}

static void test_moved(void)
{
	GThread *mover = g_thread_new("move", move_directory, NULL);
	int found = 0;
	for (int i = 0; i < ROUNDS; i++) {
		char text[16] = "";
		int fd = walk_open(root_fd, "a/b/../../secret", O_RDONLY, WALK_IN_ROOT);
		if (fd < 0)
			continue;
		g_assert_cmpint(read(fd, text, sizeof text - 1), >, 0);
		g_assert_cmpstr(text, ==, "inside");
		close(fd);
		found++;
	}
	g_atomic_int_set(&end, 1);
	g_thread_join(mover);
	g_test_message("%d of %d lookups succeeded", found, ROUNDS);
}

static void test_other_mount(void)
{
	if (geteuid() != 0) {
		g_test_skip("needs root");
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		int status = unshare(CLONE_NEWNS) == 0 ? 0 : 1;
		if (status == 0)
			namespaces_detach_mounts(MS_PRIVATE); /* exits on failure */
		g_autofree char *point = g_strconcat(work, "/root/usr", NULL);
		if (status == 0 && mount(point, point, NULL, MS_BIND, NULL) != 0)
			status = 2; /* the same file system, another mount */
		g_autofree char *root = g_strconcat(work, "/root", NULL);
		int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC); /* in this mount namespace */
		if (status == 0 && walk_open(fd, "usr/lib", O_PATH, WALK_BENEATH) != -EXDEV)
			status = 3;
		if (status == 0 && walk_open(fd, "usr/lib", O_PATH, WALK_IN_ROOT) < 0)
			status = 4;
		_exit(status);
	}
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(status, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	make_tree();
	g_test_add_func("/walk/same-as-kernel", test_same_as_kernel);
	g_test_add_func("/walk/limits", test_limits);
	g_test_add_func("/walk/moved", test_moved);
	g_test_add_func("/walk/other-mount", test_other_mount);
	int status = g_test_run();
	close(root_fd);
	close(work_fd);
	g_autofree char *command = g_strconcat("rm -rf ", work, NULL);
	assert_succeeds(g_spawn_command_line_sync(command, NULL, NULL, NULL, &failure));
	return status;
}
