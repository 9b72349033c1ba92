/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/files.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/time.h"
#include "format/patterns.h"
#include "os/dirlist.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/*
 * Opens a regular file beneath the root; links are resolved inside the root. FIFOs and devices are refused without
 * blocking.
 */
static int open_file(int root_fd, const char *path, struct stat *ret_st, GError **error)
{
	int fd = path_open_regular_errno(root_fd, path, O_RDONLY, PATH_IN_ROOT, ret_st);
	if (path_is_irregular(fd))
		error_set(error, ERROR_UNKNOWN, "%s is not a regular file", path);
	else if (fd == -ENOENT)
		error_set(error, ERROR_UNKNOWN, "open %s: no such file or directory", path);
	else if (fd < 0)
		error_set_errno(error, -fd, "open %s", path);
	return MAX(fd, -1);
}

GBytes *files_read(int root_fd, const char *path, int64_t offset, int64_t length, GError **error)
{
	struct stat st = {0};
	scoped_fd fd = open_file(root_fd, path, &st, error);
	if (fd < 0)
		return NULL;
	int64_t rest = offset < st.st_size ? st.st_size - MAX(offset, 0) : 0;
	int64_t want = length > 0 ? MIN(length, rest) : rest;
	if (want > LIMIT_MESSAGE_BYTES - KIB(64))
		return error_null(error, ERROR_RESOURCE_EXHAUSTED,
				  "read %s: %" G_GINT64_FORMAT " bytes do not fit a message", path, want);
	g_autofree char *bytes = g_malloc((gsize)want + 1);
	int64_t done = 0;
	while (done < want) {
		ssize_t n = pread(fd, bytes + done, (size_t)(want - done), MAX(offset, 0) + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_null_errno(error, errno, "read %s", path);
		if (n == 0)
			break;
		done += n;
	}
	return g_bytes_new_take(g_steal_pointer(&bytes), (gsize)done);
}

static bool read_stat(int dir_fd, const char *name, const char *path, struct fssync_stat *ret, GError **error)
{
	struct stat st;
	char target[4096] = ""; /* LIMIT_SYMLINK_BYTES and a NUL */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) < 0)
		return error_set_errno(error, errno, "lstat %s", path);
	if (S_ISLNK(st.st_mode) && readlinkat(dir_fd, name, target, sizeof target - 1) < 0)
		return error_set_errno(error, errno, "readlink %s", path);
	bool is_device = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
	*ret = (struct fssync_stat){
		.path = g_strdup(path),
		.mode = fssync_mode_from_st(st.st_mode),
		.uid = st.st_uid,
		.gid = st.st_gid,
		.size = S_ISDIR(st.st_mode) ? 0
					    : st.st_size, /* size of a link: the length of its target, as upstream */
		.mtime_ns = timespec_to_ns(&st.st_mtim),
		.linkname = g_strdup(target),
		.devmajor = is_device ? major(st.st_rdev) : 0,
		.devminor = is_device ? minor(st.st_rdev) : 0,
	};
	return true;
}

static void stat_free(void *data)
{
	fssync_stat_clear(data);
	g_free(data);
}

/* Lists one directory, sorted; with an include pattern, only the names that match. */
static bool list_dir(int dir_fd, const patterns *include, GPtrArray *entries, GError **error)
{
	scoped_dirlist list = {0};
	bool ok = dirlist_read(&list, dir_fd, error);
	for (size_t i = 0; ok && i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		struct fssync_stat stat;
		if (include && !patterns_match(include, name))
			continue;
		ok = read_stat(dir_fd, name, name, &stat, error);
		if (ok)
			g_ptr_array_add(entries, g_memdup2(&stat, sizeof stat));
	}
	return ok;
}

GPtrArray *files_list(int root_fd, const char *path, const char *include, GError **error)
{
	scoped_fd dir_fd = path_open(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, PATH_IN_ROOT, error);
	if (dir_fd < 0)
		return NULL;
	g_autoptr(patterns) matcher = NULL;
	if (include && *include && !(matcher = patterns_new((const char *const[]){include, NULL}, error)))
		return NULL;
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(stat_free);
	return list_dir(dir_fd, matcher, entries, error) ? g_steal_pointer(&entries) : NULL;
}

static bool is_absolute_link(int fd)
{
	char first[2];
	return readlinkat(fd, "", first, sizeof first) > 0 && first[0] == '/';
}

bool files_stat(int root_fd, const char *path, bool absolute_links, struct fssync_stat *ret, GError **error)
{
	int fd = absolute_links ? -1 : path_open_errno(root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, PATH_IN_ROOT);
	if (fd >= 0 && !is_absolute_link(fd))
		fd_close(&fd);
	if (fd < 0)
		fd = path_open_errno(root_fd, path, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (fd < 0)
		return error_set_errno(error, -fd, "lstat %s", path);
	g_autofree char *base = g_path_get_basename(path);
	bool ok = read_stat(fd, "", base, ret, error);
	close(fd);
	return ok;
}
