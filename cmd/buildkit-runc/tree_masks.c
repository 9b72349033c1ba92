/* SPDX-License-Identifier: Apache-2.0 */
/* The step's scratch tmpfs, masked paths and read-only paths. */
#include "tree_parts.h"
#include "fail.h"
#include "inroot.h"
#include "mountfd.h"
#include "sys.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define EMPTY "empty"
#define NOTHING "null"

void tree_make_scratch(struct tree *t, int place)
{
	t->scratch_fd =
		mountfd_type(place, &(struct mountfd_type){.type = "tmpfs",
							   .source = "tmpfs",
							   .data = "mode=0755",
							   .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC});
	if (t->scratch_fd < 0)
		fail(PHASE_MASK, -t->scratch_fd, "mount a scratch tree");
	if (mkdirat(t->scratch_fd, EMPTY, 0755) != 0 || fchmodat(t->scratch_fd, EMPTY, 01777, 0) != 0)
		fail(PHASE_MASK, errno, "make an empty directory");
}

/*
 * Opens /dev/null and checks that it is the null device: a mask with another file would be exploitable
 * (CVE-2025-31133).
 */
static int open_null(struct tree *t)
{
	struct stat st;
	int scratch = t->scratch_fd, fd = -1;
	if (mknodat(scratch, NOTHING, S_IFCHR | 0666, makedev(1, 3)) == 0 || errno == EEXIST)
		fd = fchmodat(scratch, NOTHING, 0666, 0) == 0
			     ? openat(scratch, NOTHING, O_PATH | O_NOFOLLOW | O_CLOEXEC)
			     : -errno;
	else if (t->device_source != NULL)
		fd = t->device_source("/dev/null");
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		fail(PHASE_MASK, fd < 0 ? -fd : ENODEV, "find the null device");
	return fd;
}

void tree_hide(struct tree *t, const char *path)
{
	struct stat st;
	auto_fd place = inroot_open(t->root_fd, path, O_PATH);
	if (place == -ENOENT || place == -ENOTDIR)
		return;
	if (place < 0 || fstat(place, &st) != 0)
		fail(PHASE_MASK, place < 0 ? -place : errno, "find %s", path);
	bool directory = S_ISDIR(st.st_mode);
	auto_fd source = directory ? openat(t->scratch_fd, EMPTY, O_PATH | O_DIRECTORY | O_CLOEXEC) : open_null(t);
	const struct mountfd_change change = {.set = directory ? MOUNT_ATTR_RDONLY : 0};
	auto_fd fd = mountfd_bind(place, source, &change);
	if (fd < 0)
		fail(PHASE_MASK, -fd, "mask %s", path);
}

void tree_make_readonly(struct tree *t, const char *path)
{
	auto_fd place = inroot_open(t->root_fd, path, O_PATH);
	if (place == -ENOENT || place == -ENOTDIR)
		return;
	if (place < 0)
		fail(PHASE_MASK, -place, "find %s", path);
	auto_fd fd = mountfd_bind(place, place, &(struct mountfd_change){.set = MOUNT_ATTR_RDONLY});
	if (fd < 0)
		fail(PHASE_MASK, -fd, "make %s read-only", path);
}

/*
 * ---- tmpcopyup: copies the directory that a tmpfs covers into it: directories, files and links, with modes and owners
 */

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
	char buffer[65536];
	auto_fd from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (from < 0 || to < 0)
		return -errno;
	for (ssize_t n; (n = read(from, buffer, sizeof buffer)) != 0;)
		if (n < 0 || write(to, buffer, (size_t)n) != n)
			return -errno;
	return fchown(to, st->st_uid, st->st_gid) != 0 || fchmod(to, st->st_mode & 07777) != 0 ? -errno : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name)
{
	char target[4096];
	ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to_dir, name) == 0 ? 0 : -errno;
}

static int copy_tree(int from_dir, int to_dir, int depth)
{
	int result = 0, copy = openat(from_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 && depth < 64 ? fdopendir(copy) : NULL;
	if (d == NULL) {
		sys_close(&copy);
		return -ELOOP;
	}
	for (const struct dirent *e; result == 0 && (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(from_dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			result = -errno;
		} else if (S_ISREG(st.st_mode)) {
			result = copy_file(from_dir, to_dir, e->d_name, &st);
		} else if (S_ISLNK(st.st_mode)) {
			result = copy_link(from_dir, to_dir, e->d_name);
		} else if (S_ISDIR(st.st_mode)) {
			mkdirat(to_dir, e->d_name, 0700);
			auto_fd from = openat(from_dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			auto_fd to = openat(to_dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			result = from < 0 || to < 0 ? -errno : copy_tree(from, to, depth + 1);
			if (result == 0 &&
			    (fchown(to, st.st_uid, st.st_gid) != 0 || fchmod(to, st.st_mode & 07777) != 0))
				result = -errno;
		}
	}
	closedir(d);
	return result;
}

void tree_copy_up(int from_fd, int to_fd)
{
	struct stat st;
	int r = fstat(from_fd, &st) == 0 ? copy_tree(from_fd, to_fd, 0) : -errno;
	if (r != 0)
		fail(PHASE_MOUNT, -r, "copy a directory into its tmpfs");
}
