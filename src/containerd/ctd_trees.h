/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_trees: a snapshotter of containerd as the keeper of trees.
 *
 *	ctd_trees *t = ctd_trees_open(client, "overlayfs", root_fd, error);
 *	struct cache_options options = {.keeper = ctd_trees_keeper(t), ...};
 *
 * A tree's directory holds the link "key" (its snapshot's name), "fs" and "work" (where containerd keeps it) and, once
 * committed, "sealed". The key comes first and goes last, so that what a crash left is found from either side: at
 * open, snapshots of our lease without a directory are removed, and directories without a snapshot.
 * Only snapshotters whose mounts are directories can be used: overlay, or a bind of a whole tree.
 * Thread: any, immutable after open.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "snapshot/snapshotter.h"

typedef struct ctd_trees ctd_trees;

/*
 * client and root_fd (the worker's state directory) are borrowed. Errors: of containerd for a snapshotter it does not
 * have; UNIMPLEMENTED for one with other mounts.
 */
ctd_trees *ctd_trees_open(ctd_client *client, const char *name, int root_fd, GError **error);
void ctd_trees_close(ctd_trees *t);
const struct snapshot_keeper *ctd_trees_keeper(const ctd_trees *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ctd_trees, ctd_trees_close)
