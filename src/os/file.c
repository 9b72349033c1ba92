/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "os/tree.h"
#include "base/limits.h"
#include "base/scope.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

enum { SMALL_FILE = 64 * 1024, BUFFER_BYTES = 1024 * 1024, RANGE_BYTES = 64 * 1024 * 1024 };

FILE *file_open_text_at(int dir_fd, const char *name)
{
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
	if (f)
		fd_steal(&fd);
	return f;
}

bool file_write_all(int fd, const void *bytes, size_t n)
{
	for (const char *at = bytes; n > 0;) {
		ssize_t done = TEMP_FAILURE_RETRY(write(fd, at, n));
		if (done == 0)
			errno = EIO;
		if (done <= 0)
			return false;
		at += done;
		n -= (size_t)done;
	}
	return true;
}

bool file_write_all_at(int fd, const void *bytes, size_t n, off_t offset)
{
	for (const char *at = bytes; n > 0;) {
		ssize_t done = TEMP_FAILURE_RETRY(pwrite(fd, at, n, offset));
		if (done == 0)
			errno = EIO;
		if (done <= 0)
			return false;
		at += done;
		offset += done;
		n -= (size_t)done;
	}
	return true;
}

/* Copies bytes [start, end) through a buffer. */
static bool copy_by_buffer(int src_fd, int dst_fd, off_t start, off_t end, cancel *c, GError **error)
{
	size_t size = (size_t)MIN(end - start, BUFFER_BYTES);
	g_autofree char *buffer = g_malloc(MAX(size, 1));
	while (start < end) {
		if (!cancel_check(c, error))
			return false;
		ssize_t n = pread(src_fd, buffer, (size_t)MIN(end - start, (off_t)size), start);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read");
		if (n == 0)
			return error_set(error, ERROR_ABORTED, "file was truncated while it was copied");
		if (!file_write_all_at(dst_fd, buffer, (size_t)n, start))
			return error_set_errno(error, errno, "write");
		start += n;
	}
	return true;
}

/* Copies bytes [start, end) inside the kernel, otherwise through a buffer. */
static bool copy_range(int src_fd, int dst_fd, off_t start, off_t end, cancel *c, GError **error)
{
	while (start < end) {
		if (!cancel_check(c, error))
			return false;
		off_t in = start, out = start;
		ssize_t n = copy_file_range(src_fd, &in, dst_fd, &out, (size_t)MIN(end - start, RANGE_BYTES), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
			return error_set_errno(error, errno, "copy");
		if (n <= 0) /* not supported for these file systems or this file; copy_by_buffer detects a short file */
			return copy_by_buffer(src_fd, dst_fd, start, end, c, error);
		start += n;
	}
	return true;
}

bool file_copy_data(int src_fd, int dst_fd, int64_t size, cancel *c, GError **error)
{
	if (size <= SMALL_FILE)
		return copy_by_buffer(src_fd, dst_fd, 0, size, c, error);
	if (ioctl(dst_fd, FICLONE, src_fd) == 0)
		return true;
	off_t end = 0;
	while (end < size) {
		off_t start = lseek(src_fd, end, SEEK_DATA);
		if (start < 0 && errno == ENXIO)
			break; /* a hole to the end */
		if (start < 0)
			return copy_range(src_fd, dst_fd, end, size, c, error);
		end = lseek(src_fd, start, SEEK_HOLE);
		if (end < 0)
			end = size;
		if (!copy_range(src_fd, dst_fd, start, MIN(end, size), c, error))
			return false;
	}
	if (ftruncate(dst_fd, size) < 0)
		return error_set_errno(error, errno, "truncate");
	return true;
}

/* A path for an fd that also works for O_PATH fds of links and devices; used only in this file. */
static void fd_name(int fd, char ret[32])
{
	g_snprintf(ret, 32, "/proc/self/fd/%d", fd);
}

static bool is_no_xattr(int errnum)
{
	return errnum == ENOTSUP || errnum == ENODATA || errnum == ENOSYS;
}

char *file_list_xattrs(int fd, size_t *ret_len, GError **error)
{
	char name[32], small[1024];
	fd_name(fd, name);
	*ret_len = 0;
	ssize_t n = listxattr(name, small, sizeof small);
	if (n >= 0) {
		*ret_len = (size_t)n;
		return n > 0 ? g_memdup2(small, (size_t)n) : NULL;
	}
	if (errno == ERANGE) {
		g_autofree char *large = g_malloc(XATTR_LIST_MAX);
		n = listxattr(name, large, XATTR_LIST_MAX);
		if (n >= 0) {
			*ret_len = (size_t)n;
			return g_steal_pointer(&large);
		}
	}
	if (!is_no_xattr(errno))
		error_set_errno(error, errno, "list extended attributes");
	return NULL;
}

void *file_get_xattr(int fd, const char *name, size_t *ret_len, GError **error)
{
	char path[32], small[256];
	fd_name(fd, path);
	*ret_len = 0;
	ssize_t n = getxattr(path, name, small, sizeof small);
	if (n >= 0) {
		*ret_len = (size_t)n;
		char *copy = g_malloc((size_t)n + 1); /* an empty value is not NULL */
		memcpy(copy, small, (size_t)n);
		copy[n] = '\0';
		return copy;
	}
	if (errno == ERANGE) {
		g_autofree char *large = g_malloc(XATTR_SIZE_MAX + 1);
		n = getxattr(path, name, large, XATTR_SIZE_MAX);
		if (n >= 0) {
			*ret_len = (size_t)n;
			large[n] = '\0';
			return g_realloc(g_steal_pointer(&large), (size_t)n + 1);
		}
	}
	if (!is_no_xattr(errno))
		error_set_errno(error, errno, "read extended attribute %s", name);
	return NULL;
}

bool file_set_xattr(int fd, const char *name, const void *value, size_t len, GError **error)
{
	char path[32];
	fd_name(fd, path);
	if (setxattr(path, name, value, len, 0) == 0)
		return true;
	return error_set_errno(error, errno, "set extended attribute %s", name);
}

bool file_xattr_is_portable(const char *name)
{
	if (g_str_has_prefix(name, "user."))
		return !g_str_has_prefix(name, "user.overlay.");
	return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

/* Attributes that overlayfs and security modules manage themselves. */
static bool is_private_xattr(const char *name)
{
	return g_str_has_prefix(name, "trusted.overlay.") || g_str_has_prefix(name, "user.overlay.") ||
	       strcmp(name, "security.selinux") == 0 || strcmp(name, "security.ima") == 0 ||
	       strcmp(name, "security.evm") == 0;
}

static bool copy_xattr(int src_fd, int dst_fd, const char *name, GError **error)
{
	size_t len;
	GError *problem = NULL;
	g_autofree void *value = file_get_xattr(src_fd, name, &len, &problem);
	if (problem)
		return error_propagate(error, problem);
	if (!value)
		return true; /* it was removed meanwhile */
	char path[32];
	fd_name(dst_fd, path);
	if (setxattr(path, name, value, len, 0) == 0 || errno == ENOTSUP)
		return true;
	return error_set_errno(error, errno, "set extended attribute %s", name);
}

bool file_copy_xattrs(int src_fd, int dst_fd, GError **error)
{
	size_t len;
	GError *problem = NULL;
	g_autofree char *names = file_list_xattrs(src_fd, &len, &problem);
	if (problem)
		return error_propagate(error, problem);
	for (size_t at = 0; at < len; at += strlen(names + at) + 1)
		if (!is_private_xattr(names + at) && !copy_xattr(src_fd, dst_fd, names + at, error))
			return false;
	return true;
}
