/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd: the parts of a worker that containerd provides, opened together.
 *
 *	struct containerd_backing *b = containerd_open(&options, "overlayfs", worker_id, root_fd, error);
 *	w->blobs = containerd_blobs(b, error);
 *
 * Inside worker only. Everything is borrowed from the backing, but for what is said. Thread: immutable after open.
 */
#pragma once
#include "containerd/ctd_tasks.h"
#include "content/blob_store.h"
#include "format/platform.h"
#include "oci/image_store.h"
#include "snapshot/snapshotter.h"
#include "worker/worker.h"

/* name: of the snapshotter. root_fd is borrowed: the worker's state directory. Leftovers of an earlier life are taken
 * away. */
struct containerd_backing *containerd_open(const struct containerd_options *options, const char *name,
					   const char *worker_id, int root_fd, GError **error);
void containerd_close(struct containerd_backing *b); /* after all that uses it */

blob_store *containerd_blobs(struct containerd_backing *b, GError **error); /* the caller's; once */
const struct snapshot_keeper *containerd_keeper(const struct containerd_backing *b);
const struct bundle_runner *containerd_runner(const struct containerd_backing *b);
const struct image_store *containerd_images(const struct containerd_backing *b);
GHashTable *containerd_chains(void *backing);                                             /* cache_options.images */
struct platform *containerd_platforms(const struct containerd_backing *b, size_t *ret_n); /* a copy */
void containerd_labels(const struct containerd_backing *b, void (*set)(void *to, const char *name, const char *value),
		       void *to);
