/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree.h"
#include "os/path.h"
#include "os/tree_walk.h"
#include "base/scope.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* Immutable and append-only entries cannot be removed, not even by root. */
static void clear_flags(int dir_fd, const char *name)
{
	scoped_fd fd = path_open_regular_at(dir_fd, name, O_RDONLY, NULL);
	if (fd == -EISDIR)
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int flags;
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* Returns 0 or -errno; a missing entry is 0. */
static int unlink_entry(int dir_fd, const char *name, int flags)
{
	if (unlinkat(dir_fd, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno != EPERM)
		return -errno;
	clear_flags(dir_fd, ".");
	clear_flags(dir_fd, name);
	return unlinkat(dir_fd, name, flags) == 0 || errno == ENOENT ? 0 : -errno;
}

bool tree_remove_contents(int dir_fd, GError **error)
{
	const struct tree_walk_options options = {.removes = true, .one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(dir_fd, &options, error);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));) {
		if (e->left && e->parent_fd < 0)
			continue;
		int r = !e->left && e->type != DT_DIR ? unlink_entry(e->dir_fd, e->name, 0) : -EISDIR;
		if (r == -EISDIR)
			r = unlink_entry(e->left ? e->parent_fd : e->dir_fd, e->name, AT_REMOVEDIR);
		if (!e->left && (r == -ENOTEMPTY || r == -EEXIST)) {
			if (!tree_walk_enter(w, error))
				return false;
		} else if (r < 0) {
			return error_set_errno(error, -r, "remove %s", e->path);
		}
	}
	return w && tree_walk_is_done(w);
}

bool tree_remove_at(int parent_fd, const char *name, GError **error)
{
	int r = unlink_entry(parent_fd, name, 0);
	if (r == 0)
		return true;
	if (r != -EISDIR)
		return error_set_errno(error, -r, "remove %s", name);
	if (unlink_entry(parent_fd, name, AT_REMOVEDIR) == 0)
		return true;
	scoped_fd fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || error_set_errno(error, errno, "remove %s", name);
	if (!tree_remove_contents(fd, error))
		return false;
	r = unlink_entry(parent_fd, name, AT_REMOVEDIR);
	return r == 0 || error_set_errno(error, -r, "remove %s", name);
}

bool tree_copy_file(int from_dir, const char *from, int to_dir, const char *to, const struct stat *st, cancel *c,
		    GError **error)
{
	scoped_fd src = path_open_regular_at(from_dir, from, O_RDONLY, NULL);
	if (src < 0)
		return error_set_errno(error, -src, "open %s", from);
	scoped_fd dst = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return error_set_errno(error, errno, "create %s", to);
	if (!file_copy_data(src, dst, st->st_size, c, error))
		return false;
	/* Owner first: changing it clears the set-id bits and capabilities. */
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	if (fchown(dst, st->st_uid, st->st_gid) < 0 || fchmod(dst, st->st_mode & 07777) < 0)
		return error_set_errno(error, errno, "set owner and mode of %s", to);
	if (!file_copy_xattrs(src, dst, error))
		return false;
	return futimens(dst, times) == 0 || error_set_errno(error, errno, "set times of %s", to);
}

struct tree_inode *tree_inode_new(const struct stat *st)
{
	struct tree_inode *i = g_new(struct tree_inode, 1);
	*i = (struct tree_inode){st->st_dev, st->st_ino};
	return i;
}

guint tree_inode_hash(gconstpointer inode)
{
	const struct tree_inode *i = inode;
	return (guint)(i->ino * 0x9E3779B97F4A7C15ULL >> 32) ^ (guint)i->dev;
}

gboolean tree_inode_equal(gconstpointer a, gconstpointer b)
{
	const struct tree_inode *x = a, *y = b;
	return x->dev == y->dev && x->ino == y->ino;
}

struct usage {
	int64_t bytes, inodes;
	GHashTable *seen; /* struct tree_inode to the number of its names seen */
	bool own;         /* only files without names elsewhere */
};

static void usage_add(struct usage *u, const struct stat *st)
{
	if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) {
		struct tree_inode *key = tree_inode_new(st);
		guint names = GPOINTER_TO_UINT(g_hash_table_lookup(u->seen, key)) + 1;
		g_hash_table_insert(u->seen, key, GUINT_TO_POINTER(names));
		if (names != (u->own ? st->st_nlink : 1))
			return;
	}
	u->bytes += (int64_t)st->st_blocks * 512;
	u->inodes++;
}

static bool usage_of(int dir_fd, struct usage *u, GError **error)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(dir_fd, &options, error);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(tree_inode_hash, tree_inode_equal, g_free, NULL);
	struct stat st;
	if (!w)
		return false;
	if (fstat(dir_fd, &st) < 0)
		return error_set_errno(error, errno, "stat directory");
	u->seen = seen;
	usage_add(u, &st);
	for (const struct tree_entry *e; (e = tree_walk_next(w, error));) {
		if (e->left)
			continue;
		if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT) /* entries of a tree in use may disappear meanwhile */
				continue;
			return error_set_errno(error, errno, "stat %s", e->path);
		}
		usage_add(u, &st);
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(w, error))
			return false;
	}
	return tree_walk_is_done(w);
}

bool tree_usage(int dir_fd, int64_t *ret_bytes, int64_t *ret_inodes, GError **error)
{
	struct usage u = {0};
	if (!usage_of(dir_fd, &u, error))
		return false;
	*ret_bytes = u.bytes;
	if (ret_inodes)
		*ret_inodes = u.inodes;
	return true;
}

bool tree_usage_own(int dir_fd, int64_t *ret_bytes, GError **error)
{
	struct usage u = {.own = true};
	if (!usage_of(dir_fd, &u, error))
		return false;
	*ret_bytes = u.bytes;
	return true;
}
