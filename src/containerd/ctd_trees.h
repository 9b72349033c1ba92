/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_trees: keeps the trees of the cache in a snapshotter of containerd.
 *
 *	ctd_trees *t = ctd_trees_open(client, "overlayfs", root_fd, error);
 *	struct cache_options options = {.keeper = ctd_trees_keeper(t), ...};
 *
 * A tree's directory contains the links "key" (its snapshot's name), "fs" and "work" (containerd's directories) and,
 * once committed, "sealed". The key is created first and removed last, so that the remains of a crash are found: open
 * removes snapshots of our lease that have no directory, and directories that have no snapshot. Only snapshotters whose
 * mounts are directories can be used: overlay, or a bind of a whole tree. Thread: any, immutable after open.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "snapshot/snapshotter.h"

typedef struct ctd_trees ctd_trees;

/*
 * client and root_fd (the worker's state directory) are borrowed. Errors: containerd's for an unknown snapshotter;
 * UNIMPLEMENTED for one with other mounts.
 */
ctd_trees *ctd_trees_open(ctd_client *client, const char *name, int root_fd, GError **error);
void ctd_trees_close(ctd_trees *t);
const struct snapshot_keeper *ctd_trees_keeper(const ctd_trees *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ctd_trees, ctd_trees_close)
