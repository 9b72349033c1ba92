/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather: creates, converts or looks up the layers of cache keys, several chains in parallel.
 *
 *	g_autoptr(gathered) g = gather(&context, keys, &options, work, error);
 *	cache_config *c = gathered_config(g, keys, &layers);
 *
 * Keeps its cache records referenced, so that no blob is removed before it is sent. Thread: one at a time.
 */
#pragma once
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

struct gather_options {
	bool all; /* mode=max: results of all steps; otherwise of the targets, and existing blobs */
	enum compression compression;
	int level; /* -1: default */
	bool force;
};
typedef struct gathered gathered;

gathered *gather(const struct remotecache_context *context, const key_graph *keys, const struct gather_options *options,
		 struct work *work, GError **error);
void gathered_free(gathered *g);
/*
 * Returns the keys with the results found. ret_layers: one struct cache_layer_result per layer of the config (borrowed
 * from g).
 */
cache_config *gathered_config(const gathered *g, const key_graph *keys, GPtrArray **ret_layers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(gathered, gathered_free)
