/* SPDX-License-Identifier: Apache-2.0 */
#include "inroot.h"
#include "sys.h"
#include "walk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LINKS 40

int inroot_open(int root_fd, const char *path, uint64_t flags)
{
	while (*path == '/')
		path++;
	if (sys_is_old())
		return walk_open(root_fd, path, flags, WALK_IN_ROOT);
	int fd = sys_openat2(root_fd, *path != '\0' ? path : ".", flags | O_CLOEXEC, 0,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	return fd < 0 ? -errno : fd;
}

int inroot_open_kernel(int fs_fd, const char *path, uint64_t flags)
{
	if (sys_is_old())
		return walk_open(fs_fd, path, flags, WALK_BENEATH);
	int fd = sys_openat2(fs_fd, path, flags | O_CLOEXEC, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
	return fd < 0 ? -errno : fd;
}

/*
 * Creates one component in an open directory. Returns a descriptor or -errno (EEXIST: a dangling symbolic link, or another
 * step that shares the directory was faster).
 */
static int make_at(int dir_fd, const char *name, bool directory)
{
	if (directory ? mkdirat(dir_fd, name, 0755) != 0 : mknodat(dir_fd, name, S_IFREG | 0755, 0) != 0)
		return -errno;
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Returns the path with the symbolic link at its prefix of n bytes (in dir) replaced by the link's target. */
static int follow(int dir_fd, const char *name, size_t n_prefix, char path[PATH_MAX])
{
	char target[PATH_MAX], next[2 * PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof target - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	size_t n_parent = target[0] == '/' ? 0 : n_prefix - strlen(name);
	int length = snprintf(next, sizeof next, "%.*s/%s%s", (int)n_parent, path, target, path + n_prefix);
	if (length < 0 || length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, next, (size_t)length + 1);
	return 0;
}

/* Walks the path and creates missing components. Returns a descriptor or -errno, and whether to start over. */
static int walk(int root_fd, char path[PATH_MAX], bool directory, bool *ret_again)
{
	int at = inroot_open(root_fd, "/", O_PATH | O_DIRECTORY);
	for (char *begin = path, *end; at >= 0; begin = end) {
		begin += strspn(begin, "/");
		if (*begin == '\0')
			return at;
		end = begin + strcspn(begin, "/");
		bool last = end[strspn(end, "/")] == '\0';
		char name[NAME_MAX + 1], saved = *end;
		if ((size_t)(end - begin) > NAME_MAX) {
			close(at);
			return -ENAMETOOLONG;
		}
		memcpy(name, begin, (size_t)(end - begin));
		name[end - begin] = '\0';
		*end = '\0';
		int next = inroot_open(root_fd, path, O_PATH);
		*end = saved;
		if (next == -ENOENT)
			next = make_at(at, name, last ? directory : true);
		if (next == -EEXIST) {
			int followed = follow(at, name, (size_t)(end - path), path);
			*ret_again = followed == 0 || followed == -EINVAL || followed == -ENOENT;
		}
		close(at);
		at = next;
	}
	return at;
}

int inroot_ensure(int root_fd, const char *path, bool directory)
{
	char copy[PATH_MAX];
	int fd = inroot_open(root_fd, path, O_PATH);
	if (fd != -ENOENT)
		return fd;
	if (strlen(path) >= sizeof copy)
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	for (int links = 0; links < MAX_LINKS; links++) {
		bool again = false;
		fd = walk(root_fd, copy, directory, &again);
		if (!again)
			return fd;
	}
	return -ELOOP;
}

int inroot_ensure_parent(int root_fd, const char *path, const char **ret_name)
{
	char copy[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;
	*ret_name = slash != NULL ? slash + 1 : path;
	if (**ret_name == '\0' || strcmp(*ret_name, ".") == 0 || strcmp(*ret_name, "..") == 0 || n >= sizeof copy)
		return -EINVAL;
	memcpy(copy, path, n);
	copy[n] = '\0';
	return inroot_ensure(root_fd, copy, true);
}
