/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_config: the document of a remote cache (application/vnd.buildkit.cacheconfig.v0): layers, and cache keys whose
 * results are chains of them.
 *
 *	g_autoptr(cache_config) c = cache_config_parse(bytes, n, error);
 *	GArray *layers = cache_config_chain(c, &result, error);            bottom first
 *	char *text = cache_config_write(c, &n);
 *
 * Results of c->keys are named by their place in c->results ("12"). What is parsed is untrusted: everything an index
 * can point at is checked, loops are refused, sizes bounded (LIMIT_CACHE_CONFIG_BYTES, LIMIT_CACHE_RECORDS,
 * LIMIT_LAYERS). Format: llb-and-solver.md section 21. Thread: one at a time; immutable once made.
 */
#pragma once
#include "oci/oci.h"
#include "solver/key_graph.h"

struct cache_config_layer {
	struct digest blob;
	int64_t parent; /* -1: none */
	/* Only where no manifest says it: */
	bool annotated;
	char *media_type; /* owned */
	struct digest diff_id;
	int64_t size, created_ns;
};
struct cache_config_result {
	bool is_chain;  /* layers names all, bottom first; otherwise only the top one */
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
/* A result of a record: its top layer, or (n > 1 with is_chain) all layers. */
void cache_config_add_result(cache_config *c, guint record, bool is_chain, const guint *layers, guint n,
			     int64_t created_ns);
struct cache_config_layer *cache_config_layer(const cache_config *c, guint layer);
/* Of a record's n-th result. */
const struct cache_config_result *cache_config_result(const cache_config *c, guint record, guint n);
/* Places of its layers, bottom first; of guint. */
GArray *cache_config_chain(const cache_config *c, const struct cache_config_result *r);

/* Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED; those of key_graph_check. */
cache_config *cache_config_parse(const void *bytes, size_t n, GError **error);
/* The array of records alone, as images carry it; layers are those of the image, each on the one before. */
cache_config *cache_config_parse_records(const void *bytes, size_t n, const struct digest *layers, guint n_layers,
					 GError **error);
/*
 * Layers and records sorted, so that equal caches give equal bytes; ret_layers (may be NULL): where each layer of the
 * document was in c, of guint.
 */
char *cache_config_write(const cache_config *c, size_t *ret_n, GArray **ret_layers);
/* Only the records. */
char *cache_config_write_records(const cache_config *c, size_t *ret_n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_config, cache_config_free)
