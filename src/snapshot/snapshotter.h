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
 * Who keeps trees elsewhere: the tree's directory then only leads there ("fs" and "work" are links). Which kind of
 * tree that is tells is_stacked. All but name and is_stacked may wait for a peer.
 */
struct snapshot_keeper {
	const char *name;
	bool is_stacked;
	/* Makes "fs" (and "work") in dir_fd, of a tree over parent_dir_fd's (-1: none), which is sealed first. */
	bool (*prepare)(void *self, int dir_fd, int parent_dir_fd, GError **error);
	bool (*seal)(void *self, int dir_fd, GError **error); /* idempotent */
	/* Gives up the tree of a directory that is about to be removed; on failure it is asked again later. */
	bool (*discard)(void *self, int dir_fd, GError **error);
	bool (*sync)(void *self, GError **error); /* what was written so far survives a power cut */
	void *self;
};

/*
 * root_fd is borrowed; name "auto" takes the first that works there, "overlayfs", "native". Errors: UNIMPLEMENTED
 * for other names, UNKNOWN when overlayfs is wanted and does not work.
 */
snapshotter *snapshotter_open(int root_fd, const char *name, GError **error);
/* Trees of a keeper (borrowed); mounts are attached below root_fd where that is needed. */
snapshotter *snapshotter_open_kept(int root_fd, const struct snapshot_keeper *keeper, GError **error);
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
/* Before a tree's directory is removed. */
bool snapshotter_discard(snapshotter *s, int dir_fd, GError **error);
bool snapshotter_is_kept(const snapshotter *s);
/* What keepers have, as far as they have it elsewhere, survives a power cut. */
bool snapshotter_sync(snapshotter *s, GError **error);
/* The tree's own "fs" directory. */
int snapshotter_open_fs(const snapshotter *s, int dir_fd, GError **error);

/* dirs: the tree's directory, then those below it, top first (a snapshotter that does not stack reads the first). */
snapshot_view *snapshot_view_open(snapshotter *s, const int *dirs, size_t n, bool write, GError **error);
void snapshot_view_close(snapshot_view *v);
/* The merged root as a readable directory, for the daemon: device nodes of a merged tree cannot be opened there. */
int snapshot_view_dir(snapshot_view *v, GError **error);
/* The merged root as a separate detached mount, for steps; read-only unless the view is for writing. */
int snapshot_view_mount(snapshot_view *v, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshotter, snapshotter_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot_view, snapshot_view_close)
