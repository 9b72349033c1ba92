/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount.h"
#include "lib/detached.h"
#include "os/overlay_method.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/user_namespace.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

static char *top, *detached;
static int top_fd;
static bool may_mount;

static int make_dir(const char *name)
{
	mkdirat(top_fd, name, 0755);
	return openat(top_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void touch(int dir, const char *name, const char *text)
{
	scoped_fd fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
}

static void assert_text(int dir, const char *path, const char *want)
{
	g_autoptr(GBytes) bytes = path_read(dir, path, 100, PATH_IN_ROOT, NULL);
	g_assert_nonnull(bytes);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), want, strlen(want));
}

static bool skip_unprivileged(void)
{
	if (!may_mount)
		g_test_skip("needs privileges to mount");
	return !may_mount;
}

static void test_overlay(void)
{
	if (skip_unprivileged())
		return;
	g_autoptr(GError) error = NULL;
	scoped_fd a = make_dir("a"), b = make_dir("b"), upper = make_dir("upper"), work = make_dir("work");
	touch(a, "x", "top");
	touch(b, "x", "bottom");
	touch(b, "y", "bottom");
	const int lowers[] = {a, b};
	scoped_fd m = mount_overlay(lowers, 2, upper, work, true, &error);
	g_assert_no_error(error);
	assert_text(m, "x", "top");
	assert_text(m, "y", "bottom");
	touch(m, "y", "new");
	assert_text(upper, "y", "new");
	assert_text(b, "y", "bottom");
	scoped_fd ro = mount_overlay(lowers, 2, -1, -1, false, &error);
	g_assert_no_error(error);
	assert_text(ro, "x", "top");
	g_assert_cmpint(openat(ro, "z", O_CREAT | O_WRONLY, 0600), ==, -1);
	g_assert_cmpint(errno, ==, EROFS);
	scoped_fd one = mount_overlay(lowers, 1, -1, -1, false, &error);
	g_assert_no_error(error);
	g_assert_cmpint(openat(one, "z", O_CREAT | O_WRONLY, 0600), ==, -1);
}

/* The methods of older kernels also work on this one. */
static void test_each_way(void)
{
	if (skip_unprivileged())
		return;
	scoped_fd a = make_dir("way-a"), b = make_dir("way-b"), upper = make_dir("way-upper"),
		  work = make_dir("way-work");
	touch(a, "x", "top");
	touch(b, "y", "bottom");
	const int lowers[] = {a, b};
	static const enum overlay_method methods[] = {OVERLAY_JOINED, OVERLAY_MOUNT};
	for (size_t i = mount_is_old() ? 1 : 0; i < G_N_ELEMENTS(methods); i++) {
		const struct overlay ro = {lowers, 2, -1, -1, false}, rw = {lowers, 2, upper, work, false};
		scoped_fd r = overlay_mount_with(methods[i], &ro);
		g_assert_cmpint(r, >=, 0);
		assert_text(r, "x", "top");
		assert_text(r, "y", "bottom");
		g_assert_cmpint(openat(r, "z", O_CREAT | O_WRONLY, 0600), ==, -1);
		scoped_fd w = overlay_mount_with(methods[i], &rw);
		g_assert_cmpint(w, >=, 0);
		touch(w, "z", "new");
		assert_text(upper, "z", "new");
	}
}

static void test_many_layers(void)
{
	if (skip_unprivileged())
		return;
	enum { N = 300 };
	int fds[N];
	g_autoptr(GError) error = NULL;
	const struct overlay all = {fds, N, -1, -1, false};
	for (int i = 0; i < N; i++) {
		g_autofree char *name = g_strdup_printf("layer%d", i);
		fds[i] = make_dir(name);
		touch(fds[i], name, name);
	}
	scoped_fd m = mount_overlay(fds, N, -1, -1, false, &error);
	g_assert_no_error(error);
	assert_text(m, "layer0", "layer0");
	assert_text(m, "layer299", "layer299");
	scoped_fd old_way = overlay_mount_with(OVERLAY_MOUNT, &all);
	g_assert_cmpint(old_way, >=, 0);
	assert_text(old_way, "layer299", "layer299");
	for (int i = 0; i < N; i++)
		close(fds[i]);
}

static void test_attach(void)
{
	if (skip_unprivileged())
		return;
	g_autoptr(GError) error = NULL;
	scoped_fd at = make_dir("at"), point = make_dir("at/point"), src = make_dir("src");
	touch(src, "file", "text");
	scoped_fd m = mount_clone(src, true, &error);
	g_assert_true(mount_set_readonly(m, true, &error));
	g_assert_true(mount_attach(m, at, "point", &error));
	g_assert_no_error(error);
	assert_text(at, "point/file", "text");
	assert_fails(mount_attach(m, at, "../x", &failure), "mount point ../x is not a plain file name");
	assert_fails(tree_remove_at(top_fd, "at", &failure),
		     "remove point: device or resource busy"); /* a mount blocks removal, and is kept */
	assert_text(src, "file", "text");
	g_assert_true(mount_detach(at, "point", &error));
	scoped_fd tmpfs = mount_tmpfs(1 << 20, 01777, &error);
	g_assert_no_error(error);
	struct stat st;
	fstat(tmpfs, &st);
	g_assert_cmpuint(st.st_mode & 07777, ==, 01777);
	g_assert_true(mount_attach(tmpfs, point, "", &error));
	g_assert_no_error(error);
	mount_sweep_below(top);
	g_assert_true(tree_remove_at(top_fd, "at", &error));
	g_assert_no_error(error);
}

/* A recursive clone with other mounts below it; all of them become read-only, and the source does not. */
static void test_readonly_below(void)
{
	if (skip_unprivileged())
		return;
	scoped_fd at = make_dir("below"), inner = make_dir("below/in side");
	g_autofree char *path = g_build_filename(top, "below", "in side", NULL);
	g_assert_cmpint(mount("tmpfs", path, "tmpfs", MS_NOEXEC, NULL), ==, 0);
	struct statvfs st;
	{
		g_autoptr(GError) error = NULL;
		scoped_fd copy = mount_clone(at, true, &error);
		g_assert_no_error(error);
		assert_succeeds(mount_set_readonly(copy, true, &failure));
		scoped_fd in = openat(copy, "in side", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		g_assert_cmpint(fstatvfs(copy, &st), ==, 0);
		g_assert_cmpuint(st.f_flag & ST_RDONLY, ==, ST_RDONLY);
		g_assert_cmpint(fstatvfs(in, &st), ==, 0);
		g_assert_cmpuint(st.f_flag & (ST_RDONLY | ST_NOEXEC), ==, ST_RDONLY | ST_NOEXEC);
	}
	g_assert_cmpint(statvfs(path, &st), ==, 0);
	g_assert_cmpuint(st.f_flag & (ST_RDONLY | ST_NOEXEC), ==, ST_NOEXEC);
	mount_collect();
	g_assert_cmpint(umount2(path, 0), ==, 0);
	assert_succeeds(tree_remove_at(top_fd, "below", &failure));
}

static unsigned mounts_in(const char *directory)
{
	g_autofree char *table = NULL;
	g_autofree char *word = g_strconcat(" ", directory, "/", NULL);
	unsigned n = 0;
	g_assert_true(g_file_get_contents("/proc/self/mountinfo", &table, NULL, NULL));
	for (const char *at = table; (at = strstr(at, word)); at++)
		n++;
	return n;
}

/* On old kernels a mount that is not attached has a place; it is unmounted when it has no descriptor any more. */
static void test_collect(void)
{
	if (skip_unprivileged())
		return;
	scoped_fd source = make_dir("source"), at = make_dir("attached"), point = make_dir("attached/point");
	scoped_fd a = mount_clone(source, false, NULL), b = mount_tmpfs(0, 0700, NULL),
		  c = mount_clone(source, true, NULL);
	scoped_fd held = openat(b, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned each = mount_is_old() ? 1 : 0;
	mount_collect();
	g_assert_cmpuint(mounts_in(detached), ==, 3 * each);
	assert_succeeds(mount_attach(a, at, "point", &failure));
	fd_close(&b);
	fd_close(&c);
	mount_collect();
	g_assert_cmpuint(mounts_in(detached), ==, each); /* of b, which has another descriptor */
	fd_close(&held);
	mount_collect();
	g_assert_cmpuint(mounts_in(detached), ==, 0);
	assert_succeeds(mount_detach(at, "point", &failure));
	assert_succeeds(tree_remove_at(top_fd, "attached", &failure));
}

static void test_overlay_ages(void)
{
	const struct overlay o = {(const int[]){5, 6}, 2, 7, 8, true};
	static const char *const want[] = {
		"lowerdir=5:6,index=off,metacopy=off,xino=off,redirect_dir=off,volatile,upperdir=7,workdir=8",
		"lowerdir=5:6,index=off,metacopy=off,xino=off,redirect_dir=off,upperdir=7,workdir=8",
		"lowerdir=5:6,index=off,xino=off,redirect_dir=off,upperdir=7,workdir=8",
	};
	G_STATIC_ASSERT(G_N_ELEMENTS(want) == OVERLAY_AGES);
	if (user_namespace_is_limited())
		return g_test_skip("other options in a user namespace");
	for (int age = 0; age < OVERLAY_AGES; age++) {
		g_autofree char *got = overlay_options(&o, age);
		g_assert_cmpstr(got, ==, want[age]);
	}
}

/* Exits with the line of the first failed check. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			_exit(__LINE__ & 0xff);                                                                        \
	} while (0)

static _Noreturn void leave_chroot(const char *dir)
{
	struct stat before, after, again;
	CHECK(chroot(dir) == 0 && chdir("/sub") == 0 && stat("/", &before) == 0);
	CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
	CHECK(mount_make_private_namespace(NULL));
	g_autofree char *cwd = g_get_current_dir();
	CHECK(strcmp(cwd, "/sub") == 0 && stat("/", &after) == 0 && stat("/proc/self", &again) == 0);
	CHECK(after.st_ino == before.st_ino && after.st_dev == before.st_dev);
	/* Whoever enters the namespace gets the same root, and nothing of the host. */
	scoped_fd self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CHECK(setns(self, CLONE_NEWNS) == 0 && stat("/", &again) == 0);
	CHECK(again.st_ino == before.st_ino && again.st_dev == before.st_dev && access("/etc", F_OK) != 0);
	_exit(0);
}

static void check_chroot(const char *dir)
{
	int status;
	pid_t child = fork();
	if (child == 0)
		leave_chroot(dir);
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_cmpint(status, ==, 0);
}

static void test_chroot(void)
{
	if (skip_unprivileged())
		return;
	g_autofree char *dir = g_build_filename(top, "chroot", NULL);
	g_autofree char *proc = g_build_filename(dir, "proc", NULL);
	scoped_fd d = make_dir("chroot"), p = make_dir("chroot/proc"), s = make_dir("chroot/sub");
	check_chroot(dir);
	umount2(proc, MNT_DETACH);
	g_assert_cmpint(mount(dir, dir, NULL, MS_BIND, NULL), ==, 0);
	check_chroot(dir);
	umount2(dir, MNT_DETACH);
	assert_succeeds(tree_remove_at(top_fd, "chroot", &failure));
}

/* The first process of a pid namespace, with the /proc of another one. */
static _Noreturn void use_own_proc(void)
{
	struct stat before, after;
	CHECK(getpid() == 1);
	CHECK(mount_make_private_namespace(NULL));
	CHECK(stat("/proc", &before) == 0 && access("/proc/1/comm", F_OK) == 0);
	CHECK(mount_own_proc(NULL));
	g_autofree char *self = g_file_read_link("/proc/self", NULL);
	CHECK(self && strcmp(self, "1") == 0 && stat("/proc", &after) == 0 && after.st_dev != before.st_dev);
	CHECK(mount_own_proc(NULL) && stat("/proc", &before) == 0 && after.st_dev == before.st_dev);
	_exit(0);
}

static void test_own_proc(void)
{
	if (skip_unprivileged())
		return;
	int status;
	pid_t child = fork();
	if (child == 0) {
		CHECK(unshare(CLONE_NEWPID) == 0);
		pid_t first = fork();
		if (first == 0)
			use_own_proc();
		CHECK(waitpid(first, &status, 0) == first && status == 0);
		_exit(0);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_cmpint(status, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	top = g_dir_make_tmp("mount-test-XXXXXX", NULL);
	may_mount = mount_make_private_namespace(NULL) && mount("tmpfs", top, "tmpfs", 0, NULL) == 0;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	detached = may_mount ? detached_open() : NULL;
	g_test_add_func("/mount/overlay", test_overlay);
	g_test_add_func("/mount/each-way", test_each_way);
	g_test_add_func("/mount/many-layers", test_many_layers);
	g_test_add_func("/mount/attach", test_attach);
	g_test_add_func("/mount/readonly-below", test_readonly_below);
	g_test_add_func("/mount/collect", test_collect);
	g_test_add_func("/mount/overlay-ages", test_overlay_ages);
	g_test_add_func("/mount/chroot", test_chroot);
	g_test_add_func("/mount/own-proc", test_own_proc);
	int r = g_test_run();
	detached_close(detached);
	umount2(top, MNT_DETACH);
	tree_remove_at(AT_FDCWD, top, NULL);
	return r;
}
