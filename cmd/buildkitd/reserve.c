/* SPDX-License-Identifier: Apache-2.0 */
#include "reserve.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/scope.h"
#include <fcntl.h>
#include <glib.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FILE_NAME "reserve"
#define FULL_BYTES MIB(1)
#define WORTHWHILE_BYTES KIB(256)
#define SHARE 32 /* the reserve takes at most 1/n of the free space */

static int64_t free_bytes(int root_fd)
{
	struct statfs s;
	if (fstatfs(root_fd, &s) < 0 || s.f_type == TMPFS_MAGIC)
		return -1;
	return (int64_t)s.f_bavail * s.f_bsize;
}

void reserve_release_when_full(int root_fd)
{
	int64_t available = free_bytes(root_fd);
	if (available < 0 || available >= FULL_BYTES)
		return;
	if (unlinkat(root_fd, FILE_NAME, 0) == 0)
		log_warn("the file system of the state directory is full: released the reserved space; prune the cache "
			 "or free disk space");
}

void reserve_make(int root_fd)
{
	struct stat st;
	int64_t available = free_bytes(root_fd), size = MIN(available / SHARE, LIMIT_DISK_RESERVE_BYTES);
	if (size < WORTHWHILE_BYTES || fstatat(root_fd, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	scoped_fd fd = openat(root_fd, FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, size) < 0)
		unlinkat(root_fd, FILE_NAME, 0);
}
