/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/native.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/limits.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/tree_walk.h"

struct copy {
	int root_fd;       /* borrowed: destination */
	tree_walk *walk;   /* of the source, paired with the destination; data: the struct stat of a directory */
	GHashTable *links; /* struct tree_inode to the path of the first copy */
	bool share;        /* hard-link files to the source's files */
	cancel *cancel;
};

static bool set_times(int fd, const char *name, const struct stat *st, GError **error)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int rc = name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times);
	return rc == 0 || error_set_errno(error, errno, "set times of %s", name ? name : "directory");
}

static bool set_owner_and_mode(int fd, const struct stat *st, GError **error)
{
	if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
		return error_set_errno(error, errno, "set owner and mode");
	return true;
}

static bool copy_symlink(int from_dir, int to_dir, const char *name, const struct stat *st, GError **error)
{
	char target[4097];
	ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
	if (n < 0)
		return error_set_errno(error, errno, "read link %s", name);
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "create link %s", name);
	return set_times(to_dir, name, st, error);
}

static bool copy_special(int to_dir, const char *name, const struct stat *st, GError **error)
{
	if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return error_set_errno(error, errno, "create %s", name);
	return set_times(to_dir, name, st, error);
}

/* Returns true if the file is another name of one copied before, and was linked. */
static bool copy_link(struct copy *c, const struct tree_entry *e, const struct stat *st)
{
	if (st->st_nlink < 2)
		return false;
	const struct tree_inode key = {st->st_dev, st->st_ino};
	const char *first = g_hash_table_lookup(c->links, &key);
	if (first)
		return linkat(c->root_fd, first, e->pair_fd, e->name, 0) == 0;
	g_hash_table_insert(c->links, tree_inode_new(st), g_strdup(e->path));
	return false;
}

static bool enter(struct copy *c, const struct tree_entry *e, const struct stat *st, GError **error)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	scoped_fd from = openat(e->dir_fd, e->name, flags);
	if (from < 0)
		return error_set_errno(error, errno, "open %s", e->name);
	if (mkdirat(e->pair_fd, e->name, 0700) < 0)
		return error_set_errno(error, errno, "create %s", e->name);
	scoped_fd to = openat(e->pair_fd, e->name, flags);
	if (to < 0)
		return error_set_errno(error, errno, "open %s", e->name);
	if (!tree_walk_enter_fd(c->walk, fd_steal(&from), st, error))
		return false;
	tree_walk_pair(c->walk, fd_steal(&to), false);
	return true;
}

static bool copy_entry(struct copy *c, const struct tree_entry *e, GError **error)
{
	int from = e->dir_fd, to = e->pair_fd;
	struct stat st;
	if (e->left) /* times last, because creating children changed them */
		return set_owner_and_mode(to, e->data, error) && file_copy_xattrs(from, to, error) &&
		       set_times(to, NULL, e->data, error);
	if (fstatat(from, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "stat %s", e->name);
	if (S_ISDIR(st.st_mode))
		return enter(c, e, &st, error);
	if (c->share && S_ISREG(st.st_mode) && linkat(from, e->name, to, e->name, 0) == 0)
		return true; /* if that fails (too many links, another device), it is copied */
	if (copy_link(c, e, &st))
		return true;
	if (S_ISREG(st.st_mode))
		return tree_copy_file(from, e->name, to, e->name, &st, c->cancel, error);
	if (S_ISLNK(st.st_mode))
		return copy_symlink(from, to, e->name, &st, error);
	return copy_special(to, e->name, &st, error);
}

bool native_copy_tree(int src_fd, int dst_fd, bool share, cancel *stop, GError **error)
{
	const struct tree_walk_options options = {
		.sorted = true, .max_depth = LIMIT_PATH_DEPTH, .data_size = sizeof(struct stat), .cancel = stop};
	g_autoptr(tree_walk) walk = tree_walk_new(&options);
	g_autoptr(GHashTable) links = g_hash_table_new_full(tree_inode_hash, tree_inode_equal, g_free, g_free);
	struct copy c = {dst_fd, walk, links, share, stop};
	struct stat st;
	scoped_fd from = openat(src_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd to = openat(dst_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return error_set_errno(error, errno, "open trees");
	if (!tree_walk_enter_fd(walk, fd_steal(&from), &st, error))
		return false;
	tree_walk_pair(walk, fd_steal(&to), false);
	for (const struct tree_entry *e; (e = tree_walk_next(walk, error));)
		if (!copy_entry(&c, e, error))
			return false;
	return tree_walk_is_done(walk);
}
