/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_config: the config of a remote cache (application/vnd.buildkit.cacheconfig.v0): layers, and cache keys whose
 * results are chains of layers.
 *
 *	g_autoptr(cache_config) c = cache_config_parse(bytes, n, error);
 *	GArray *layers = cache_config_chain(c, &result);                   bottom first
 *	char *text = cache_config_write(c, &n, &layers);
 *
 * Results of c->keys are named by their index in c->results ("12"). The input is untrusted: all indices are validated,
 * cycles are refused, sizes are limited (LIMIT_CACHE_CONFIG_BYTES, LIMIT_CACHE_RECORDS, LIMIT_LAYERS). Thread: one at a
 * time; immutable once created.
 */
#pragma once
#include "oci/oci.h"
#include "solver/key_graph.h"

struct cache_config_layer {
	struct digest blob;
	int64_t parent; /* -1: none */
	/* Set only if no manifest describes the layer: */
	bool annotated;
	char *media_type; /* owned */
	struct digest diff_id;
	int64_t size, created_ns;
};
struct cache_config_result {
	bool is_chain;  /* layers lists all layers, bottom first; otherwise only the top one */
	GArray *layers; /* of guint */
	int64_t created_ns;
};
typedef struct cache_config {
	GArray *layers; /* element type: struct cache_config_layer */
	key_graph *keys;
	GArray *results; /* element type: struct cache_config_result */
} cache_config;

cache_config *cache_config_new(void);
void cache_config_free(cache_config *c);
guint cache_config_add_layer(cache_config *c, const struct digest *blob, int64_t parent);
/* Adds a result to a record: its top layer or (n > 1 with is_chain) all layers. */
void cache_config_add_result(cache_config *c, guint record, bool is_chain, const guint *layers, guint n,
			     int64_t created_ns);
struct cache_config_layer *cache_config_layer(const cache_config *c, guint layer);
/* Returns the n-th result of a record. */
const struct cache_config_result *cache_config_result(const cache_config *c, guint record, guint n);
/* Returns the indices of its layers, bottom first; element type guint. */
GArray *cache_config_chain(const cache_config *c, const struct cache_config_result *r);

/* Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED; errors of key_graph_check. */
cache_config *cache_config_parse(const void *bytes, size_t n, GError **error);
/*
 * Parses the array of records of an image's inline cache; layers are those of the image, each on top of the previous
 * one.
 */
cache_config *cache_config_parse_records(const void *bytes, size_t n, const struct digest *layers, guint n_layers,
					 GError **error);
/*
 * Sorts layers and records, so that equal caches have equal bytes; ret_layers (may be NULL): for each layer of the
 * document its index in c, element type guint.
 */
char *cache_config_write(const cache_config *c, size_t *ret_n, GArray **ret_layers);
/* Writes the records only. */
char *cache_config_write_records(const cache_config *c, size_t *ret_n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_config, cache_config_free)
