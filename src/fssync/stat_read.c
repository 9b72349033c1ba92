/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/stat_read.h"
#include "base/limits.h"
#include "base/time.h"
#include "os/tree.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct inode_table {
	GHashTable *inodes; /* struct tree_inode to the path (owned) under which it was noted */
};

inode_table *inode_table_new(void)
{
	inode_table *t = g_new0(inode_table, 1);
	t->inodes = g_hash_table_new_full(tree_inode_hash, tree_inode_equal, g_free, g_free);
	return t;
}

void inode_table_free(inode_table *t)
{
	if (!t)
		return;
	g_hash_table_unref(t->inodes);
	g_free(t);
}

static bool is_linkable(const struct stat *st)
{
	return st->st_nlink > 1 && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode);
}

/* The path under which the inode was noted, or NULL. */
static const char *inode_table_find(const inode_table *t, const struct stat *st)
{
	const struct tree_inode key = {st->st_dev, st->st_ino};
	return is_linkable(st) ? g_hash_table_lookup(t->inodes, &key) : NULL;
}

void inode_table_note(inode_table *t, const struct stat *st, const char *path)
{
	if (is_linkable(st) && !inode_table_find(t, st))
		g_hash_table_insert(t->inodes, tree_inode_new(st), g_strdup(path));
}

static enum stat_read_result gone_or_failed(const char *what, const char *path, GError **error)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return STAT_READ_GONE;
	error_set_errno(error, errno, "%s %s", what, path);
	return STAT_READ_FAILED;
}

enum stat_read_result stat_read(int dir_fd, const char *name, const char *path, const inode_table *table,
				struct fssync_stat *ret, struct stat *ret_st, GError **error)
{
	struct stat st;
	char target[PATH_MAX];
	const char *linkname = NULL;
	int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
	if (fstatat(dir_fd, name, &st, flags) < 0)
		return gone_or_failed("lstat", path, error);
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
		if (n < 0)
			return gone_or_failed("readlink", path, error);
		target[n] = '\0';
		linkname = target;
	} else if (table) {
		linkname = inode_table_find(table, &st);
	}
	bool hard_link = linkname && !S_ISLNK(st.st_mode), device = S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode);
	*ret = (struct fssync_stat){
		.path = g_strdup(path),
		.mode = fssync_mode_from_st(st.st_mode),
		.uid = st.st_uid,
		.gid = st.st_gid,
		.size = S_ISDIR(st.st_mode) || hard_link ? 0 : st.st_size,
		.mtime_ns = timespec_to_ns(&st.st_mtim),
		.linkname = g_strdup(linkname ? linkname : ""),
		.devmajor = device ? major(st.st_rdev) : 0,
		.devminor = device ? minor(st.st_rdev) : 0,
	};
	if (ret_st)
		*ret_st = st;
	return STAT_READ_OK;
}

/* False on a shortage; a value that cannot be read for another reason is left out. */
static bool add_xattr(const char *file, const char *name, struct fssync_stat *stat, size_t *room, GError **error)
{
	g_autofree char *value = g_malloc(*room + 1);
	ssize_t n = lgetxattr(file, name, value, *room);
	size_t n_name = strlen(name);
	if (n < 0 && error_errno_is_shortage(errno))
		return error_set_errno(error, errno, "getxattr %s of %s", name, stat->path);
	if (n < 0 || (size_t)n + n_name > *room || stat->n_xattrs == (size_t)LIMIT_XATTRS)
		return true;
	*room -= (size_t)n + n_name;
	stat->xattrs = g_renew(struct fssync_xattr, stat->xattrs, stat->n_xattrs + 1);
	stat->xattrs[stat->n_xattrs++] = (struct fssync_xattr){g_strdup(name), g_memdup2(value, (gsize)n), (size_t)n};
	return true;
}

/* The file was removed, has no xattrs, or the client has no /proc or no permission to read them. */
static bool xattrs_absent(int errnum)
{
	return errnum == ENOENT || errnum == ENOTSUP || errnum == ENOSYS || errnum == EACCES || errnum == EPERM;
}

/* The same number on all architectures that Debian has; the C library has no function for it yet. */
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

/* As llistxattr of an entry of a directory. Kernels before Linux 6.13 have no such call: file is another name of it. */
static ssize_t list_xattrs_at(int dir_fd, const char *name, const char *file, char *list, size_t size)
{
	static gint is_missing;
	if (!g_atomic_int_get(&is_missing)) {
		ssize_t n = syscall(SYS_listxattrat, dir_fd, *name ? name : ".", AT_SYMLINK_NOFOLLOW, list, size);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		g_atomic_int_set(&is_missing, 1);
	}
	return llistxattr(file, list, size);
}

bool stat_read_xattrs(int dir_fd, const char *name, struct fssync_stat *stat, GError **error)
{
	/* The magic link refers to the directory without a path. */
	char file[32 + NAME_MAX], few[1024];
	g_snprintf(file, sizeof(file), "/proc/self/fd/%d/%s", dir_fd, *name ? name : ".");
	ssize_t n = list_xattrs_at(dir_fd, name, file, few, sizeof(few));
	if (n < 0 && errno != ERANGE)
		return xattrs_absent(errno) ||
		       error_set_errno(error, errno, "list extended attributes of %s", stat->path);
	if (n == 0)
		return true;
	g_autofree char *many = n < 0 ? g_malloc(XATTR_LIST_MAX) : NULL;
	if (many && (n = list_xattrs_at(dir_fd, name, file, many, XATTR_LIST_MAX)) < 0)
		return xattrs_absent(errno) ||
		       error_set_errno(error, errno, "list extended attributes of %s", stat->path);
	size_t room = (size_t)LIMIT_XATTR_BYTES;
	for (const char *list = many ? many : few, *p = list; p < list + n; p += strlen(p) + 1)
		if (!g_str_has_prefix(p, "com.apple.") && !add_xattr(file, p, stat, &room, error))
			return false;
	return true;
}
