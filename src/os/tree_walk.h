/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_walk: visits a directory tree depth first, with a bounded number of open fds at any depth.
 *
 *	g_autoptr(tree_walk) w = tree_walk_open(dir_fd, &options, error);
 *	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));)
 *		if (!e->left && e->type == DT_DIR && !tree_walk_enter(w, error)) return false;
 *	return w && tree_walk_is_done(w);
 *
 * A directory is visited with the entries of its parent; its own entries follow if the caller enters it, and after them
 * the directory once more with left set. A walk can have a second tree beside the first (what a copy creates, what a
 * comparison reads): tree_walk_pair adds the counterpart of a directory. Links are never followed. Directories that are
 * far from the current one are closed and reopened through "..", checked by device and inode.
 * Thread: one at a time.
 */
#pragma once
#include "base/cancel.h"
#include <dirent.h>

struct tree_walk_options {
	bool sorted;      /* by the bytes of the names; otherwise as the file system lists them */
	bool removes;     /* the caller removes each entry: directories are read in parts, and again from their start */
	bool one_mount;   /* directories on other mounts are not entered */
	int max_depth;    /* of directories below the top, then RESOURCE_EXHAUSTED; 0: no limit */
	size_t data_size; /* of the caller's data of each entered directory, copied; 0: none */
	GDestroyNotify data_clear;
	cancel *cancel; /* borrowed, may be NULL */
};

/* Valid until the next call of tree_walk_next. */
struct tree_entry {
	const char *path; /* relative to the top; "" is the top, which is only left */
	const char *name; /* its last component */
	uint8_t type;     /* DT_DIR, ...; DT_UNKNOWN if the file system does not provide it */
	bool left;        /* the directory dir_fd, after its entries */
	int dir_fd;       /* borrowed; the directory that contains the entry */
	int pair_fd;      /* borrowed; the counterpart of dir_fd, -1: none */
	int parent_fd;    /* borrowed; if left: contains the directory; -1 for the top */
	void *data;       /* the caller's data of dir_fd */
};

typedef struct tree_walk tree_walk;

/* The walk is empty until its top is entered. */
tree_walk *tree_walk_new(const struct tree_walk_options *options);
/* The same, and enters dir_fd, which is borrowed, as the top. */
tree_walk *tree_walk_open(int dir_fd, const struct tree_walk_options *options, GError **error);
void tree_walk_free(tree_walk *w);
/* NULL at the end, or with an error: ABORTED if a directory was moved out of its parent meanwhile. */
const struct tree_entry *tree_walk_next(tree_walk *w, GError **error);
/* Reports whether every entry was visited, after tree_walk_next returned NULL. */
bool tree_walk_is_done(const tree_walk *w);

/* Enters the current entry, a directory. One that was removed or replaced meanwhile is skipped. */
bool tree_walk_enter(tree_walk *w, GError **error);
/* The same with the opened directory, which it takes even on failure, or the top; data may be NULL. */
bool tree_walk_enter_fd(tree_walk *w, int fd, const void *data, GError **error);
/*
 * Adds the counterpart of the outermost entered directory that has none. Takes fd. merge: names that only the
 * counterpart contains are visited, too (sorted walks; before the first entry of the directory).
 */
void tree_walk_pair(tree_walk *w, int fd, bool merge);
/* Numbers of entered directories, from the top to the current one, and of those that have a counterpart. */
size_t tree_walk_depth(const tree_walk *w);
size_t tree_walk_paired(const tree_walk *w);
/* The innermost counterpart, borrowed; -1: none. */
int tree_walk_pair_fd(const tree_walk *w);
/* The caller's data and the path (owned by the caller) of an entered directory; level 0 is the top. */
void *tree_walk_data(const tree_walk *w, size_t level);
char *tree_walk_path(const tree_walk *w, size_t level);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree_walk, tree_walk_free)
