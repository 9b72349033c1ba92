/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_snapshotter: the snapshotter of an OCI worker that is another program.
 *
 *	struct worker_proxy *p = worker_proxy_open(loop, path, "stargz", worker_id, root_fd, error);
 *	... worker_proxy_keeper(p) ...
 *
 * It serves containerd's snapshots service at a unix socket. Internal to worker/. Thread: immutable after open.
 */
#pragma once
#include "rpc/rpc.h"
#include "snapshot/snapshotter.h"

struct worker_proxy;

/* loop and root_fd (the worker's state directory) are borrowed. Errors: UNAVAILABLE, naming the socket. */
struct worker_proxy *worker_proxy_open(rpc_loop *loop, const char *path, const char *name, const char *worker_id,
				       int root_fd, GError **error);
void worker_proxy_close(struct worker_proxy *p); /* call after the cache is closed */
const struct snapshot_keeper *worker_proxy_keeper(const struct worker_proxy *p);
