/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_walk: a walk through a directory tree with a bounded number of open fds, however deep it is.
 *
 *	tree_walk *w = tree_walk_new(dir_fd, false, error);
 *	while ((entry = tree_walk_next(w, error))) ... tree_walk_enter(w, entry->d_name, error) ...
 *	tree_walk_leave(w, error)                                back to the parent, which goes on where it was
 *
 * A directory far up is closed and opened again through ".." (checked by device and inode); then it goes on where it
 * was, or from its start for walks that remove what they have seen. Directories on other mounts are not entered.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include <dirent.h>

typedef struct tree_walk tree_walk;

tree_walk *tree_walk_new(int dir_fd, bool restart, GError **error);
void tree_walk_free(tree_walk *w);
/* The next entry of the directory at hand, without "." and ".."; NULL at its end, or with error. */
const struct dirent *tree_walk_next(tree_walk *w, GError **error);
int tree_walk_fd(const tree_walk *w);           /* the directory at hand, borrowed */
const char *tree_walk_name(const tree_walk *w); /* its name in its parent, "" at the top */
size_t tree_walk_depth(const tree_walk *w);     /* 0 at the top */
enum tree_walk_result { TREE_WALK_ENTERED, TREE_WALK_OTHER_MOUNT, TREE_WALK_FAILED };
enum tree_walk_result tree_walk_enter(tree_walk *w, const char *name, GError **error);
/* ret_name: the name of the directory just left, owned by the caller. */
bool tree_walk_leave(tree_walk *w, char **ret_name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree_walk, tree_walk_free)
