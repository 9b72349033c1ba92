/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk for two kinds of input: an overlay's upper directory lists the changed names; two trees are compared name by
 * name. Inside an opaque directory the first kind becomes the second, with whiteouts ignored.
 */
#include "snapshot/diff.h"
#include "snapshot/change_writer.h"
#include "snapshot/compare.h"
#include "snapshot/whiteout.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/tree_walk.h"
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* How the entries of a directory of the upper tree are read; its counterpart in the walk is in the lower tree. */
struct kind {
	bool is_overlay;     /* names come from upper alone, and whiteouts are interpreted */
	bool hide_whiteouts; /* below an opaque directory: whiteouts are ignored */
};

struct diff {
	tree_walk *walk;       /* owned */
	change_writer *writer; /* owned */
};

static void diff_clear(struct diff *d)
{
	tree_walk_free(d->walk);
	change_writer_free(d->writer);
}

/* Returns 1 if it exists, 0 if not, -1. */
static int stat_in(int dir_fd, const char *name, struct stat *ret, GError **error)
{
	if (dir_fd < 0)
		return 0;
	if (fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	error_set_errno(error, errno, "stat %s", name);
	return -1;
}

static int open_dir(int dir_fd, const char *name, GError **error)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open directory %s", name);
	return fd;
}

static bool check_redirect(int fd, GError **error)
{
	char value[1];
	ssize_t n = fgetxattr(fd, "trusted.overlay.redirect", value, 0);
	return n <= 0 || error_set(error, ERROR_UNIMPLEMENTED, "diff does not support overlayfs with redirect_dir");
}

/* Enters a directory of the upper tree and its counterpart in the lower tree. Takes both fds; lower -1: none. */
static bool enter(struct diff *d, int upper_fd, int lower_fd, struct kind kind, GError **error)
{
	scoped_fd lower = lower_fd;
	if (!tree_walk_enter_fd(d->walk, upper_fd, &kind, error))
		return false;
	if (lower >= 0)
		tree_walk_pair(d->walk, fd_steal(&lower), !kind.is_overlay);
	return true;
}

static bool descend(struct diff *d, const struct tree_entry *e, const struct stat *lower, GError **error)
{
	struct kind kind = *(const struct kind *)e->data;
	scoped_fd upper_fd = open_dir(e->dir_fd, e->name, error), lower_fd = -1;
	if (upper_fd < 0)
		return false;
	if (lower && S_ISDIR(lower->st_mode)) {
		lower_fd = open_dir(e->pair_fd, e->name, error);
		if (lower_fd < 0)
			return false;
	}
	if (kind.is_overlay) {
		int opaque = check_redirect(upper_fd, error) ? whiteout_is_opaque(upper_fd, error) : -1;
		if (opaque < 0)
			return false;
		if (opaque && lower_fd >= 0)
			kind = (struct kind){.hide_whiteouts = true};
	}
	return enter(d, fd_steal(&upper_fd), fd_steal(&lower_fd), kind, error);
}

static bool put(struct diff *d, enum change_kind kind, const struct tree_entry *e, const struct stat *st,
		GError **error)
{
	struct change c = {kind, e->path, e->dir_fd, e->name, st};
	return change_writer_put(d->writer, &c, error);
}

/* Handles an entry of the upper tree that is not a whiteout. */
static bool visit_present(struct diff *d, const struct tree_entry *e, const struct stat *upper,
			  const struct stat *lower, GError **error)
{
	const struct kind *kind = e->data;
	int same = lower ? compare_entries(e->pair_fd, lower, e->dir_fd, upper, e->name, error) : 0;
	if (same < 0)
		return false;
	bool silent = same && (kind->is_overlay || S_ISDIR(upper->st_mode) || upper->st_nlink < 2);
	if (!silent && !put(d, same ? CHANGE_NONE : CHANGE_PUT, e, upper, error))
		return false;
	return !S_ISDIR(upper->st_mode) || descend(d, e, lower, error);
}

static bool visit(struct diff *d, const struct tree_entry *e, GError **error)
{
	const struct kind *kind = e->data;
	struct stat upper, lower;
	int has_upper = stat_in(e->dir_fd, e->name, &upper, error);
	int has_lower = has_upper < 0 ? -1 : stat_in(e->pair_fd, e->name, &lower, error);
	if (has_lower < 0)
		return false;
	if (has_upper && (kind->is_overlay || kind->hide_whiteouts) && S_ISCHR(upper.st_mode) && upper.st_rdev == 0)
		has_upper = 0;
	if (has_upper)
		return visit_present(d, e, &upper, has_lower ? &lower : NULL, error);
	return !has_lower || put(d, CHANGE_DELETE, e, NULL, error);
}

static bool diff(int lower_fd, int upper_fd, bool is_overlay, const struct diff_options *options, bytes_sink_fn sink,
		 void *data, GError **error)
{
	const struct tree_walk_options walk = {
		.sorted = true, .max_depth = LIMIT_PATH_DEPTH, .data_size = sizeof(struct kind)};
	__attribute__((cleanup(diff_clear))) struct diff d = {
		.walk = tree_walk_new(&walk),
		.writer = change_writer_new(upper_fd, options, sink, data),
	};
	scoped_fd upper = open_dir(upper_fd, ".", error);
	scoped_fd lower = upper >= 0 && lower_fd >= 0 ? open_dir(lower_fd, ".", error) : -1;
	if (upper < 0 || (lower_fd >= 0 && lower < 0) ||
	    !enter(&d, fd_steal(&upper), fd_steal(&lower), (struct kind){.is_overlay = is_overlay}, error))
		return false;
	for (const struct tree_entry *e; (e = tree_walk_next(d.walk, error));)
		if (!e->left && !visit(&d, e, error))
			return false;
	return tree_walk_is_done(d.walk) && change_writer_finish(d.writer, error);
}

bool diff_overlay(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		  GError **error)
{
	return diff(lower_fd, upper_fd, true, options, sink, data, error);
}

bool diff_trees(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		GError **error)
{
	return diff(lower_fd, upper_fd, false, options, sink, data, error);
}
