/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the bundle a build runs on.
 *
 *	worker *w = worker_open(&options, error);
 *	w->cache, w->executor, w->registry ...
 *
 * Plain struct: members are owned by the worker and live as long as it. Thread: immutable after open.
 */
#pragma once
#include "cache/cache.h"
#include "executor/executor.h"
#include "registry/registry.h"
#include "session/session.h"
#include "source/source.h"

struct gc_rule {
	bool all;
	char **filters;
	int64_t keep_duration_ns, reserved_bytes, max_used_bytes, min_free_bytes;
};
typedef struct worker {
	char *id;
	GHashTable *labels;         /* char * to char * */
	struct platform *platforms; /* default first */
	size_t n_platforms;
	struct gc_rule *gc;
	size_t n_gc;
	cache *cache;
	blob_store *blobs;
	executor *executor;
	registry *registry;
	session_registry *sessions; /* borrowed from the daemon */
	struct source_context source_context;
	int max_parallelism;
	GHashTable *cache_mounts;   /* ops/cache_mount.c: shared writers by key */
	GMutex cache_mounts_mu;
} worker;
