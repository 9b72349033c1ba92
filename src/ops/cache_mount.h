/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_mount: directories that steps share and that persist between builds (RUN --mount=type=cache).
 *
 *	cache_mounts *m = cache_mounts_new(worker, owner_name);          one per step
 *	cache_mounts_get(m, pb, base, work, &mount, error);
 *	cache_mounts_free(m);
 *
 * The key of a cache mount is its id and, if it has an input, the input's record. SHARED: one writer for all steps of the process;
 * PRIVATE: a free record or a new one; LOCKED: waits for a free one. Within a step, equal keys give the same directory.
 * worker.cache_mounts holds the live writers by record id, .cache_mounts_mu guards it. Thread: any.
 */
#pragma once
#include "executor/executor.h"
#include "ops.pb-c.h"
#include "worker/worker.h"

typedef struct cache_mounts cache_mounts;

/* owner: "exec ARGS", for descriptions of records. */
cache_mounts *cache_mounts_new(worker *w, const char *owner);
/*
 * Sets fd and shared of a mount; the descriptor belongs to m. base: the input's record or NULL. Errors:
 * INVALID_ARGUMENT "missing cache mount options".
 */
bool cache_mounts_get(cache_mounts *m, const Pb__Mount *pb, cache_ref *base, struct work *work, struct step_mount *ret,
		      GError **error);
void cache_mounts_free(cache_mounts *m);

/* Drops every record of an id: unused ones are removed, running steps keep theirs until they end. */
void cache_mounts_drop(worker *w, const char *id);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_mounts, cache_mounts_free)
