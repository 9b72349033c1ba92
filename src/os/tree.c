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

/* Removes an entry that is not a directory, or enters a directory. */
static void remove_entry(tree_walk *w, const struct dirent *entry, GError **problem)
{
	int fd = tree_walk_fd(w);
	int r = -EISDIR;
	if (entry->d_type != DT_DIR)
		r = unlink_entry(fd, entry->d_name, 0);
	if (r == 0 || (r == -EISDIR && unlink_entry(fd, entry->d_name, AT_REMOVEDIR) == 0))
		return;
	if (r != -EISDIR)
		error_set_errno(problem, -r, "remove %s", entry->d_name);
	else if (tree_walk_enter(w, entry->d_name, problem) == TREE_WALK_OTHER_MOUNT)
		error_set_errno(problem, EBUSY, "remove %s: a file system is mounted on it", entry->d_name);
}

static void leave_and_remove(tree_walk *w, GError **problem)
{
	g_autofree char *name = NULL;
	if (!tree_walk_leave(w, &name, problem))
		return;
	int r = unlink_entry(tree_walk_fd(w), name, AT_REMOVEDIR);
	if (r < 0)
		error_set_errno(problem, -r, "remove %s", name);
}

bool tree_remove_contents(int dir_fd, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(tree_walk) w = tree_walk_new(dir_fd, true, error);
	if (!w)
		return false;
	while (!problem) {
		const struct dirent *entry = tree_walk_next(w, &problem);
		if (entry)
			remove_entry(w, entry, &problem);
		else if (!problem && tree_walk_depth(w) == 0)
			return true;
		else if (!problem)
			leave_and_remove(w, &problem);
	}
	return error_propagate(error, g_steal_pointer(&problem));
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

struct usage {
	int64_t bytes, inodes;
	GHashTable *seen; /* struct inode_key to the number of its names seen */
	bool own;         /* only files without names elsewhere */
};
struct inode_key {
	uint64_t dev, ino;
};

static guint inode_hash(gconstpointer data)
{
	const struct inode_key *k = data;
	return (guint)(k->ino * 0x9E3779B97F4A7C15ULL >> 32) ^ (guint)k->dev;
}

static gboolean inode_equal(gconstpointer a, gconstpointer b)
{
	const struct inode_key *x = a, *y = b;
	return x->dev == y->dev && x->ino == y->ino;
}

static void usage_add(struct usage *u, const struct stat *st)
{
	if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) {
		struct inode_key key = {st->st_dev, st->st_ino};
		guint names = GPOINTER_TO_UINT(g_hash_table_lookup(u->seen, &key)) + 1;
		g_hash_table_insert(u->seen, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(names));
		if (names != (u->own ? st->st_nlink : 1))
			return;
	}
	u->bytes += (int64_t)st->st_blocks * 512;
	u->inodes++;
}

static void usage_entry(tree_walk *w, const struct dirent *entry, struct usage *u, GError **problem)
{
	struct stat st;
	if (fstatat(tree_walk_fd(w), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT) /* entries of a tree in use may disappear meanwhile */
			error_set_errno(problem, errno, "stat %s", entry->d_name);
		return;
	}
	usage_add(u, &st);
	if (S_ISDIR(st.st_mode))
		tree_walk_enter(w, entry->d_name, problem);
}

/* Makes one step: false when the walk is done. */
static bool usage_step(tree_walk *w, struct usage *u, GError **problem)
{
	const struct dirent *entry = tree_walk_next(w, problem);
	if (entry) {
		usage_entry(w, entry, u, problem);
		return true;
	}
	if (*problem || tree_walk_depth(w) == 0)
		return false;
	g_autofree char *name = NULL;
	return tree_walk_leave(w, &name, problem);
}

static bool usage_of(int dir_fd, struct usage *u, GError **error)
{
	g_autoptr(tree_walk) w = tree_walk_new(dir_fd, false, error);
	struct stat st;
	if (!w)
		return false;
	if (fstat(dir_fd, &st) < 0)
		return error_set_errno(error, errno, "stat directory");
	g_autoptr(GHashTable) seen = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
	u->seen = seen;
	usage_add(u, &st);
	GError *problem = NULL;
	while (!problem && usage_step(w, u, &problem))
		;
	if (problem)
		return error_propagate(error, problem);
	return true;
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
