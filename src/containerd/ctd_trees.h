/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_trees: keeps the trees of the cache in a snapshotter of containerd, or in one that has its own socket.
 *
 *	ctd_trees *t = ctd_trees_open(client, "overlayfs", NULL, root_fd, error);
 *	struct cache_options options = {.keeper = ctd_trees_keeper(t), ...};
 *
 * A tree's directory contains the links "key" (its snapshot's name), "fs" and "work" (the snapshotter's directories) and,
 * once committed, "sealed". The key is created first and removed last, so that the remains of a crash are found: open
 * removes our snapshots that have no directory, and directories that have no snapshot. Only snapshotters whose mounts are
 * directories can be used: overlay, or a bind of a whole tree (ctd_mounts.h). The snapshotter "stargz" also makes trees
 * of layers that stay in a registry; their directories have the link "remote". Thread: any, immutable after open.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "snapshot/snapshotter.h"

typedef struct ctd_trees ctd_trees;

/*
 * client and root_fd (the worker's state directory) are borrowed. owner NULL: the peer is containerd, and the lease of
 * the client names our snapshots; otherwise the peer has no leases, and our snapshots are those whose names contain
 * owner. Errors: the peer's for an unknown snapshotter; UNIMPLEMENTED for one with other mounts.
 */
ctd_trees *ctd_trees_open(ctd_client *client, const char *name, const char *owner, int root_fd, GError **error);
void ctd_trees_close(ctd_trees *t);
const struct snapshot_keeper *ctd_trees_keeper(const ctd_trees *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ctd_trees, ctd_trees_close)
