/* SPDX-License-Identifier: Apache-2.0 */
#include "state_dir.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel shows ids that are not mapped in the user namespace as this one (/proc/sys/kernel/overflowuid). */
#define UNMAPPED_UID 65534

char *state_dir_path(const char *path)
{
	struct stat st;
	bool is_volume = user_namespace_is_limited() && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
			 st.st_uid == UNMAPPED_UID && access(path, W_OK | X_OK) == 0;
	return is_volume ? g_build_filename(path, "state", NULL) : g_strdup(path);
}

static bool is_empty(int dir_fd)
{
	scoped_dirlist list = {0};
	return dirlist_read_at(&list, dir_fd, ".", NULL) && list.n == 0;
}

static bool check_owner(int fd, const char *path, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "stat %s", path);
	if (st.st_uid != geteuid())
		return error_set(error, ERROR_PERMISSION_DENIED,
				 "state directory %s is owned by uid %u, not by the daemon's user", path, st.st_uid);
	/* A directory that others could write to may contain their files; an empty one (a new volume) cannot. */
	if ((st.st_mode & 022) != 0 && !is_empty(fd))
		return error_set(error, ERROR_PERMISSION_DENIED,
				 "state directory %s is writable by others and not empty (mode %04o)", path,
				 st.st_mode & 07777);
	/*
	 * Mode 0700: layers contain setuid programs, which other users must not reach. Without setgid, which a volume may have:
	 * files of layers would get its group.
	 */
	if ((st.st_mode & (077 | S_ISGID)) != 0 && fchmod(fd, 0700) < 0)
		return error_set_errno(error, errno, "chmod %s", path);
	return true;
}

static int lock(int root_fd, const char *path, GError **error)
{
	scoped_fd fd = openat(root_fd, "buildkitd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		error_set_errno(error, errno, "open %s/buildkitd.lock", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			error_set(error, ERROR_UNAVAILABLE,
				  "could not lock %s/buildkitd.lock, another instance running?", path);
		else
			error_set_errno(error, errno, "lock %s/buildkitd.lock", path);
		return -1;
	}
	return fd_steal(&fd);
}

int state_dir_open(const char *path, int *ret_lock_fd, GError **error)
{
	if (g_mkdir_with_parents(path, 0700) < 0) {
		error_set_errno(error, errno, "make state directory %s", path);
		return -1;
	}
	scoped_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		bool is_link = errno == ELOOP || errno == ENOTDIR;
		if (is_link && g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			error_set(error, ERROR_PERMISSION_DENIED, "state directory %s is a symbolic link", path);
		else
			error_set_errno(error, errno, "open state directory %s", path);
		return -1;
	}
	if (!check_owner(fd, path, error))
		return -1;
	*ret_lock_fd = lock(fd, path, error);
	return *ret_lock_fd < 0 ? -1 : fd_steal(&fd);
}
