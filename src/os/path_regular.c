/* SPDX-License-Identifier: Apache-2.0 */
#include "os/path.h"
#include <stdio.h>

bool path_is_irregular(int negative_errno)
{
	return negative_errno == -EISDIR || negative_errno == -ELOOP || negative_errno == -ENXIO;
}

/* Returns 0 for a regular file, else the errno of path_open_regular_errno. */
static int check_type(const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	return S_ISLNK(st->st_mode) ? -ELOOP : -ENXIO;
}

/* A client may run without /proc. The name is then looked up again and must still refer to the same inode. */
static int reopen_by_name(int root_fd, const char *path, int flags, enum path_mode mode, const struct stat *st)
{
	struct stat now;
	scoped_fd fd = path_open_errno(root_fd, path, flags, mode);
	if (fd < 0)
		return fd;
	if (fstat(fd, &now) < 0)
		return -errno;
	return now.st_dev == st->st_dev && now.st_ino == st->st_ino ? fd_steal(&fd) : -ESTALE;
}

static int reopen(int root_fd, const char *path, int flags, enum path_mode mode, int path_fd, const struct stat *st)
{
	char link[32];
	flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	g_snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	int fd = open(link, flags & ~O_NOFOLLOW);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? reopen_by_name(root_fd, path, flags, mode, st) : -errno;
}

int path_open_regular_errno(int root_fd, const char *path, int flags, enum path_mode mode, struct stat *ret_st)
{
	struct stat st;
	scoped_fd path_fd = path_open_errno(root_fd, path, O_PATH | (flags & O_NOFOLLOW), mode);
	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	int type = check_type(&st);
	int fd = type < 0 ? type : reopen(root_fd, path, flags, mode, path_fd, &st);
	if (fd >= 0 && ret_st)
		*ret_st = st;
	return fd;
}

int path_open_regular_at(int dir_fd, const char *name, int flags, struct stat *ret_st)
{
	return path_open_regular_errno(dir_fd, name, flags | O_NOFOLLOW, PATH_BENEATH, ret_st);
}

int path_open_regular(int root_fd, const char *path, int flags, enum path_mode mode, struct stat *ret_st,
		      GError **error)
{
	int fd = path_open_regular_errno(root_fd, path, flags, mode, ret_st);
	if (path_is_irregular(fd))
		error_set(error, ERROR_INVALID_ARGUMENT, "open %s: not a regular file", path);
	else if (fd < 0)
		error_set_errno(error, -fd, "open %s", path);
	return MAX(fd, -1);
}
