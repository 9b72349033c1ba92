/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/compare.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/tree.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>

enum { CHUNK_BYTES = 128 * 1024 };

static int open_entry(int dir_fd, const char *name, int flags, GError **error)
{
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

/* Returns 1 if equal (also if both have none), 0 if not, -1. */
static int same_capabilities(int lower_fd, int upper_fd, const char *name, GError **error)
{
	size_t n_a = 0, n_b = 0;
	GError *problem = NULL;
	g_autofree void *a = NULL, *b = NULL;
	scoped_fd lower = open_entry(lower_fd, name, O_PATH, &problem);
	scoped_fd upper = problem ? -1 : open_entry(upper_fd, name, O_PATH, &problem);
	if (!problem)
		a = file_get_xattr(lower, "security.capability", &n_a, &problem);
	if (!problem)
		b = file_get_xattr(upper, "security.capability", &n_b, &problem);
	if (problem) {
		g_propagate_error(error, problem);
		return -1;
	}
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a) == 0);
}

static ssize_t read_chunk(int fd, char *bytes)
{
	size_t n = 0;
	while (n < CHUNK_BYTES) {
		ssize_t got = read(fd, bytes + n, CHUNK_BYTES - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int same_contents(int lower_fd, int upper_fd, const char *name, GError **error)
{
	scoped_fd lower = path_open_regular(lower_fd, name, O_RDONLY | O_NOFOLLOW, PATH_BENEATH, NULL, error);
	if (lower < 0)
		return -1;
	scoped_fd upper = path_open_regular(upper_fd, name, O_RDONLY | O_NOFOLLOW, PATH_BENEATH, NULL, error);
	if (upper < 0)
		return -1;
	g_autofree char *a = g_malloc(CHUNK_BYTES), *b = g_malloc(CHUNK_BYTES);
	for (;;) {
		ssize_t n_a = read_chunk(lower, a), n_b = read_chunk(upper, b);
		if (n_a < 0 || n_b < 0) {
			error_set_errno(error, errno, "read %s", name);
			return -1;
		}
		if (n_a != n_b || memcmp(a, b, (size_t)n_a) != 0)
			return 0;
		if (n_a == 0)
			return 1;
	}
}

static int same_target(int lower_fd, int upper_fd, const char *name, GError **error)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t n_a = readlinkat(lower_fd, name, a, sizeof a), n_b = readlinkat(upper_fd, name, b, sizeof b);
	if (n_a < 0 || n_b < 0) {
		error_set_errno(error, errno, "readlink %s", name);
		return -1;
	}
	return n_a == n_b && memcmp(a, b, (size_t)n_a) == 0;
}

int compare_entries(int lower_fd, const struct stat *lower, int upper_fd, const struct stat *upper, const char *name,
		    GError **error)
{
	if (lower->st_dev == upper->st_dev && lower->st_ino == upper->st_ino)
		return 1;
	if (lower->st_mode != upper->st_mode || lower->st_uid != upper->st_uid || lower->st_gid != upper->st_gid ||
	    lower->st_rdev != upper->st_rdev)
		return 0;
	bool is_dir = S_ISDIR(lower->st_mode);
	if (!is_dir && (lower->st_size != upper->st_size || lower->st_mtim.tv_sec != upper->st_mtim.tv_sec ||
			lower->st_mtim.tv_nsec != upper->st_mtim.tv_nsec))
		return 0;
	bool may_have = is_dir || S_ISREG(lower->st_mode);
	int same = may_have ? same_capabilities(lower_fd, upper_fd, name, error) : 1;
	if (same <= 0 || is_dir || lower->st_mtim.tv_nsec != 0)
		return same;
	if (S_ISLNK(lower->st_mode))
		return same_target(lower_fd, upper_fd, name, error);
	return S_ISREG(lower->st_mode) && lower->st_size > 0 ? same_contents(lower_fd, upper_fd, name, error) : 1;
}
