/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshotter: stores trees based on other trees, and mounts the merged result.
 *
 *	snapshotter *s = snapshotter_open(root_fd, "auto", error);
 *	snapshotter_prepare(s, dir_fd, parent_dir_fd, false, cancel, error);       makes a tree of an empty directory
 *	snapshot_view *v = snapshot_view_open(s, dirs, n, true, error);     ... write beneath snapshot_view_dir(v, error)
 *
 * A tree is a directory with "fs" (and "work" while it is written to). overlay: fs contains the differences from the
 * trees below, and a view stacks them; native: fs contains everything. The caller records which tree is below which. A
 * view owns its mount; the caller owns directories and mounts taken from it. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include <sys/types.h>

typedef struct snapshotter snapshotter;
typedef struct snapshot_view snapshot_view;

/* A layer in a registry. */
struct snapshot_remote {
	const char *reference;   /* of the image */
	const char *digest;      /* of the layer */
	const char *layers;      /* digests of this layer and the ones above it, joined by commas */
	GHashTable *annotations; /* of the layer's descriptor; may be NULL */
};

/*
 * Stores trees elsewhere: the tree's directory then only refers to them ("fs" and "work" are links). is_stacked reports
 * whether trees contain only differences. All members except name and is_stacked may block on a peer.
 */
struct snapshot_keeper {
	const char *name;
	bool is_stacked;
	/* Creates "fs" (and "work") in dir_fd, for a tree over parent_dir_fd's (-1: none), which is sealed first. */
	bool (*prepare)(void *self, int dir_fd, int parent_dir_fd, cancel *stop, GError **error);
	/*
	 * Creates a sealed tree that contains a layer's files, which are fetched when they are read. *ret_found: false
	 * if that is not possible for this layer; the directory may then refer to a tree that must be discarded. NULL:
	 * the keeper has no such trees.
	 */
	bool (*prepare_remote)(void *self, int dir_fd, int parent_dir_fd, const struct snapshot_remote *from,
			       cancel *stop, bool *ret_found, GError **error);
	bool (*seal)(void *self, int dir_fd, GError **error); /* idempotent */
	/* Releases the tree of a directory that is about to be removed; on failure it is called again later. */
	bool (*discard)(void *self, int dir_fd, GError **error);
	bool (*sync)(void *self, GError **error); /* makes everything written so far survive a power failure */
	void *self;
};

/*
 * root_fd is borrowed; name "auto" selects the first that works of "overlayfs", "fuse-overlayfs" and "native". Errors: UNIMPLEMENTED for other
 * names, UNKNOWN if overlayfs is requested and does not work.
 */
snapshotter *snapshotter_open(int root_fd, const char *name, GError **error);
/* Returns the name that "auto" stands for; other names are returned as they are. */
const char *snapshotter_choose(int root_fd, const char *name);
/* Uses trees of a keeper (borrowed); mounts are attached below root_fd if necessary. */
snapshotter *snapshotter_open_kept(int root_fd, const struct snapshot_keeper *keeper, GError **error);
void snapshotter_close(snapshotter *s);
const char *snapshotter_name(const snapshotter *s);
/* Reports whether trees contain only differences from their parents. */
bool snapshotter_is_stacked(const snapshotter *s);
/* Reports whether the "fs" directory of a stacked tree alone can be compared with the trees below: only with overlayfs. */
bool snapshotter_has_upper(const snapshotter *s);

/* Reports whether files of one tree can be hard-linked into the own directory of another. */
bool snapshotter_can_link(const snapshotter *s);

/*
 * Creates a new tree in dir_fd; parent_dir_fd -1: an empty tree. native copies the parent; share: hard-links the
 * parent's files instead, for a tree in which files are never modified in place.
 */
bool snapshotter_prepare(snapshotter *s, int dir_fd, int parent_dir_fd, bool share, cancel *c, GError **error);
/* As prepare_remote of a keeper; without one, nothing is found. */
bool snapshotter_prepare_remote(snapshotter *s, int dir_fd, int parent_dir_fd, const struct snapshot_remote *from,
				cancel *stop, bool *ret_found, GError **error);
bool snapshotter_has_remote(const snapshotter *s);
/* Reports whether the tree in dir_fd was made by snapshotter_prepare_remote. */
bool snapshotter_is_remote(const snapshotter *s, int dir_fd);
/* Ends writing: removes data that only a writer needs. */
bool snapshotter_seal(snapshotter *s, int dir_fd, GError **error);
/* Call before a tree's directory is removed. */
bool snapshotter_discard(snapshotter *s, int dir_fd, GError **error);
bool snapshotter_is_kept(const snapshotter *s);
/* Makes trees of keepers that are stored elsewhere survive a power failure. */
bool snapshotter_sync(snapshotter *s, GError **error);
/* Opens the tree's own "fs" directory. */
int snapshotter_open_fs(const snapshotter *s, int dir_fd, GError **error);

/* dirs: the tree's directory, then those below it, top first (only the first is used without stacking). */
snapshot_view *snapshot_view_open(snapshotter *s, const int *dirs, size_t n, bool write, GError **error);
void snapshot_view_close(snapshot_view *v);
/*
 * Returns the merged root as a readable directory, for the daemon: device nodes of a merged tree cannot be opened
 * there.
 */
int snapshot_view_dir(snapshot_view *v, GError **error);
/* Returns the merged root as a separate detached mount, for steps; read-only unless the view is writable. */
int snapshot_view_mount(snapshot_view *v, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshotter, snapshotter_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot_view, snapshot_view_close)
