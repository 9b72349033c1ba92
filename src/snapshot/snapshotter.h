/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshotter: how a tree that builds on another is kept on disk and seen as one.
 *
 *	snapshotter *s = snapshotter_open(root_fd, "auto", error);
 *	snapshotter_prepare(s, dir_fd, parent_dir_fd, cancel, error);       an empty directory becomes a tree
 *	snapshot_view *v = snapshot_view_open(s, dirs, n, true, error);     ... write beneath snapshot_view_dir(v)
 *
 * A tree is a directory that holds "fs" (and "work" while it is written to). overlay: fs holds what differs from the
 * trees below, a view stacks them; native: fs holds everything. Which tree is below which is the caller's knowledge.
 * A view owns its mount; directories and mounts taken from it are the taker's. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include <sys/types.h>

typedef struct snapshotter snapshotter;
typedef struct snapshot_view snapshot_view;

/*
 * root_fd is borrowed; name "auto" takes the first that works there, "overlayfs", "native". Errors: UNIMPLEMENTED
 * for other names, UNKNOWN when overlayfs is wanted and does not work.
 */
snapshotter *snapshotter_open(int root_fd, const char *name, GError **error);
void snapshotter_close(snapshotter *s);
const char *snapshotter_name(const snapshotter *s);
/* Trees hold only what differs from their parents. */
bool snapshotter_is_stacked(const snapshotter *s);

/*
 * Makes the parts of a new tree in dir_fd; parent_dir_fd -1: an empty tree. native copies the parent; share: it gives
 * the parent's files another name instead, for a tree in which no file is ever written in place.
 */
bool snapshotter_prepare(snapshotter *s, int dir_fd, int parent_dir_fd, bool share, cancel *c, GError **error);
/* No more writing: drops what only a writer needs. */
bool snapshotter_seal(snapshotter *s, int dir_fd, GError **error);
/* The tree's own "fs" directory. */
int snapshotter_open_fs(int dir_fd, GError **error);

/* dirs: the tree's directory, then those below it, top first (a snapshotter that does not stack reads the first). */
snapshot_view *snapshot_view_open(snapshotter *s, const int *dirs, size_t n, bool write, GError **error);
void snapshot_view_close(snapshot_view *v);
/* The merged root as a readable directory. */
int snapshot_view_dir(snapshot_view *v, GError **error);
/* The merged root as a detached mount of its own; read-only unless the view is for writing. */
int snapshot_view_mount(snapshot_view *v, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshotter, snapshotter_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot_view, snapshot_view_close)
