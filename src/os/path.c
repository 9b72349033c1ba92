/* SPDX-License-Identifier: Apache-2.0 */
#include "os/path.h"
#include "base/time.h"
#include "os/path_walk.h"
#include <linux/openat2.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

enum { PIECE_BYTES = 3072 }; /* per openat of a long path; the kernel accepts 4096 bytes */
enum { AGAIN_MAX = 128 };    /* openat2 returns EAGAIN if something was renamed meanwhile */

static bool has_dot_dot(const char *path)
{
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");
		if (len == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += len;
		p += strspn(p, "/");
	}
	return false;
}

static int open_kernel(int root_fd, const char *path, int flags, enum path_mode mode)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_NO_MAGICLINKS};
	how.resolve |= mode == PATH_IN_ROOT ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	how.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? 0600 : 0;
	for (int i = 0; i < AGAIN_MAX; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

static int open_piece(int root_fd, const char *path, int flags, enum path_mode mode)
{
	static gint is_missing; /* openat2 */
	if (g_atomic_int_get(&is_missing))
		return path_walk_open(root_fd, path, flags, mode);
	int fd = open_kernel(root_fd, path, flags, mode);
	if (fd == -ENOSYS)
		g_atomic_int_set(&is_missing, 1);
	/* EAGAIN: also for every "..", if the root is that of a mount that is not mounted any more. */
	if (fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN)
		return path_walk_open(root_fd, path, flags, mode);
	return fd;
}

/* Without links and "..", the parts of a path are opened one after the other: the tree may be deeper than PATH_MAX. */
static int open_long(int root_fd, const char *path, int flags)
{
	g_autofree char *copy = g_strdup(path);
	char *rest = copy;
	scoped_fd at = -1;
	while (strlen(rest) > PIECE_BYTES) {
		char *cut = g_strrstr_len(rest, PIECE_BYTES, "/");
		if (!cut)
			return -ENAMETOOLONG;
		*cut = '\0';
		int next = open_piece(at < 0 ? root_fd : at, rest, O_PATH | O_DIRECTORY, PATH_BENEATH);
		if (next < 0)
			return next;
		fd_close(&at);
		at = next;
		rest = cut + 1 + strspn(cut + 1, "/");
	}
	return open_piece(at < 0 ? root_fd : at, *rest ? rest : ".", flags, PATH_BENEATH);
}

int path_open_errno(int root_fd, const char *path, int flags, enum path_mode mode)
{
	path += strspn(path, "/");
	if (*path == '\0')
		path = ".";
	if (mode == PATH_BENEATH && has_dot_dot(path))
		return -EXDEV;
	if (mode == PATH_BENEATH && strlen(path) > PIECE_BYTES)
		return open_long(root_fd, path, flags);
	return open_piece(root_fd, path, flags, mode);
}

int path_open(int root_fd, const char *path, int flags, enum path_mode mode, GError **error)
{
	int fd = path_open_errno(root_fd, path, flags, mode);
	if (fd < 0) {
		error_set_errno(error, -fd, "open %s", path);
		return -1;
	}
	return fd;
}

int path_open_parent(int root_fd, const char *path, char ret_name[256], GError **error)
{
	g_autofree char *rooted = g_strconcat("/", path, NULL);
	g_autofree char *clean = path_clean(rooted);
	char *slash = strrchr(clean, '/');
	if (slash[1] == '\0') {
		error_set(error, ERROR_INVALID_ARGUMENT, "path %s does not name an entry of a directory", path);
		return -1;
	}
	if (strlen(slash + 1) > NAME_MAX) {
		error_set_errno(error, ENAMETOOLONG, "open %s", path);
		return -1;
	}
	*slash = '\0';
	int fd = path_open(root_fd, clean, O_PATH | O_DIRECTORY, PATH_IN_ROOT, error);
	if (fd >= 0)
		g_strlcpy(ret_name, slash + 1, 256);
	return fd;
}

char *path_resolve(int root_fd, const char *path, bool follow_last, GError **error)
{
	char *resolved = NULL;
	int r = path_walk_resolve(root_fd, path, follow_last, &resolved);
	if (r == 0)
		return resolved;
	g_autofree char *below = resolved;
	if (r == -ELOOP)
		error_set(error, ERROR_UNKNOWN, "too many links");
	else if (r == -ENOTDIR)
		error_set_errno(error, ENOTDIR, "lstat %s", below);
	else
		error_set_errno(error, -r, "resolve %s", path);
	return NULL;
}

struct dir_attributes {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t time_ns;
};

/* 0 or -errno. A file system without times is no reason to fail. */
static int set_times(int fd, int64_t time_ns)
{
	if (time_ns < 0)
		return 0;
	struct timespec t = timespec_from_ns(time_ns);
	struct timespec both[2] = {t, t};
	return futimens(fd, both) < 0 && error_errno_is_shortage(errno) ? -errno : 0;
}

static int open_real_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens name in dir, creating it if it is missing; *ret_made: it was created. */
static int enter_or_make(int dir, const char *name, const struct dir_attributes *attributes, bool *ret_made)
{
	int fd = open_real_dir(dir, name);
	*ret_made = false;
	if (fd != -ENOENT)
		return fd;
	if (mkdirat(dir, name, 0700) == 0)
		*ret_made = true;
	else if (errno != EEXIST)
		return -errno;
	fd = open_real_dir(dir, name);
	if (fd < 0 || !*ret_made)
		return fd;
	if (fchown(fd, attributes->uid, attributes->gid) < 0 || fchmod(fd, attributes->mode) < 0) {
		int err = errno;
		close(fd);
		return -err;
	}
	int r = set_times(fd, attributes->time_ns);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int path_make_dirs(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid, int64_t time_ns, GError **error)
{
	int there = path_open_errno(root_fd, path, O_RDONLY | O_DIRECTORY, PATH_IN_ROOT);
	if (there >= 0)
		return there;
	g_autofree char *resolved = path_resolve(root_fd, path, true, error);
	if (!resolved)
		return -1;
	const struct dir_attributes attributes = {mode, uid, gid, time_ns};
	g_auto(GStrv) names = g_strsplit(resolved + 1, "/", -1);
	scoped_fd cur = open_real_dir(root_fd, ".");
	bool made = false;
	for (size_t i = 0; cur >= 0 && names[i]; i++) {
		bool parent_made = made;
		int next = names[i][0] ? enter_or_make(cur, names[i], &attributes, &made) : open_real_dir(cur, ".");
		int r = next >= 0 && parent_made ? set_times(cur, time_ns) : 0; /* its own entry changed them */
		if (r < 0) {
			fd_close(&next);
			next = r;
		}
		fd_close(&cur);
		cur = next;
	}
	if (cur < 0) {
		error_set_errno(error, -cur, "mkdir %s", path);
		return -1;
	}
	return fd_steal(&cur);
}

/* Reads all bytes up to the end of a file whose size is only a hint. */
static GBytes *read_all(int fd, size_t hint, size_t max_bytes, const char *path, GError **error)
{
	size_t size = MIN(hint, max_bytes) + 1, n = 0;
	g_autofree char *bytes = g_malloc(size);
	for (;;) {
		ssize_t got = read(fd, bytes + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_null_errno(error, errno, "read %s", path);
		if (got == 0)
			return g_bytes_new_take(g_steal_pointer(&bytes), n);
		n += (size_t)got;
		if (n > max_bytes)
			return error_null(error, ERROR_RESOURCE_EXHAUSTED, "read %s: larger than %zu bytes", path,
					  max_bytes);
		if (n == size) {
			size = MIN(size * 2, max_bytes + 1);
			bytes = g_realloc(bytes, size);
		}
	}
}

GBytes *path_read(int root_fd, const char *path, size_t max_bytes, enum path_mode mode, GError **error)
{
	struct stat st;
	scoped_fd fd = path_open_regular_errno(root_fd, path, O_RDONLY, mode, &st);
	if (path_is_irregular(fd))
		return error_null(error, ERROR_INVALID_ARGUMENT, "read %s: not a regular file", path);
	if (fd < 0)
		return error_null_errno(error, -fd, "open %s", path);
	return read_all(fd, (size_t)st.st_size, max_bytes, path, error);
}
