/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather: the layers behind cache keys, made, converted or only looked up, several chains at once.
 *
 *	g_autoptr(gathered) g = gather(&context, keys, &options, work, error);
 *	cache_config *c = gathered_config(g, keys, &layers);
 *
 * Holds its records, so that no blob goes before it is sent. Thread: one at a time.
 */
#pragma once
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

struct gather_options {
	bool all; /* mode=max: results of every step; otherwise of what was asked for, and what is there anyway */
	enum compression compression;
	int level; /* -1: default */
	bool force;
};
typedef struct gathered gathered;

gathered *gather(const struct remotecache_context *context, const key_graph *keys, const struct gather_options *options,
		 struct work *work, GError **error);
void gathered_free(gathered *g);
/*
 * The keys with what was found for them. ret_layers: a layer of the config each, of struct cache_layer_result
 * (borrowed from g).
 */
cache_config *gathered_config(const gathered *g, const key_graph *keys, GPtrArray **ret_layers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(gathered, gathered_free)
