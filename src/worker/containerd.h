/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd: opens the parts of a worker that containerd provides.
 *
 *	struct containerd_backing *b = containerd_open(&options, loop, "overlayfs", worker_id, root_fd, error);
 *	w->blobs = containerd_blobs(b, error);
 *
 * Internal to worker/. Returned objects are borrowed from the backing unless stated otherwise. Thread: immutable after
 * open.
 */
#pragma once
#include "containerd/ctd_tasks.h"
#include "content/blob_store.h"
#include "format/platform.h"
#include "oci/image_store.h"
#include "snapshot/snapshotter.h"
#include "worker/worker.h"

/*
 * name: the snapshotter. root_fd is borrowed: the worker's state directory. Removes objects that an earlier instance
 * left in containerd.
 */
struct containerd_backing *containerd_open(const struct containerd_options *options, rpc_loop *loop, const char *name,
					   const char *worker_id, int root_fd, GError **error);
void containerd_close(struct containerd_backing *b); /* call after all objects that use it are freed */

blob_store *containerd_blobs(struct containerd_backing *b, GError **error); /* owned by the caller; call once */
const struct snapshot_keeper *containerd_keeper(const struct containerd_backing *b);
const struct bundle_runner *containerd_runner(const struct containerd_backing *b);
const struct image_store *containerd_images(const struct containerd_backing *b);
GHashTable *containerd_chains(void *backing);                                             /* cache_options.images */
struct platform *containerd_platforms(const struct containerd_backing *b, size_t *ret_n); /* returns a copy */
void containerd_labels(const struct containerd_backing *b, void (*set)(void *to, const char *name, const char *value),
		       void *to);
