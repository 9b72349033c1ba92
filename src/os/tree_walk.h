/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_walk: walks a directory tree of any depth with a bounded number of open fds.
 *
 *	tree_walk *w = tree_walk_new(dir_fd, false, error);
 *	while ((entry = tree_walk_next(w, error))) ... tree_walk_enter(w, entry->d_name, error) ...
 *	tree_walk_leave(w, NULL, error)                          returns to the parent and continues there
 *
 * Outer directories are closed and reopened through ".." (checked by device and inode). The walk then continues at the
 * same position, or at the start for walks that remove the entries they visit. Directories on other mounts are not
 * entered.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include <dirent.h>

typedef struct tree_walk tree_walk;

tree_walk *tree_walk_new(int dir_fd, bool restart, GError **error);
void tree_walk_free(tree_walk *w);
/* The next entry of the current directory, without "." and ".."; NULL at its end, or with error. */
const struct dirent *tree_walk_next(tree_walk *w, GError **error);
int tree_walk_fd(const tree_walk *w);       /* the current directory, borrowed */
size_t tree_walk_depth(const tree_walk *w); /* 0 at the top */
enum tree_walk_result { TREE_WALK_ENTERED, TREE_WALK_OTHER_MOUNT, TREE_WALK_FAILED };
enum tree_walk_result tree_walk_enter(tree_walk *w, const char *name, GError **error);
/* ret_name: the name of the directory just left, owned by the caller. */
bool tree_walk_leave(tree_walk *w, char **ret_name, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tree_walk, tree_walk_free)
