/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remotecache: exports and imports build cache: cache keys and layers in registries, client directories, images, S3.
 *
 *	cache_exporter *e = cache_exporter_open(&context, "registry", attrs, error);    before the build starts
 *	cache_exporter_run(e, keys, work, response, error);                           in its vertex
 *
 *	solver_import *i = remotecache_import(&context, "registry", attrs, work, error);
 *	solver_job_add_import(job, i);
 *
 * Attributes, statuses and formats are upstream's. Layers of an import are fetched when they are read, except those of
 * a client's directory, which is available only while the client is connected. Thread: any; an exporter belongs to one
 * thread at a time.
 */
#pragma once
#include "cache/cache.h"
#include "registry/registry.h"
#include "remotecache/cache_import.h"
#include "session/session.h"
#include "solver/solver.h"

struct remotecache_context {
	cache *cache;
	blob_store *blobs;
	blob_holds *holds; /* the build's; for documents that exports create */
	registry *registry;
	session_registry *sessions;
	solver_job *job;                           /* its results are exported */
	const struct registry_auth *registry_auth; /* source_registry_auth, unless NULL */
	const char *session_id;                    /* session of the client that has local caches; "": none */
};

typedef struct cache_exporter cache_exporter;
/* Errors: UNKNOWN "unknown cache exporter: "T"", UNIMPLEMENTED, errors of attributes. */
cache_exporter *cache_exporter_open(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				    GError **error);
void cache_exporter_free(cache_exporter *e);
const char *cache_exporter_name(const cache_exporter *e); /* name of its vertex */
bool cache_exporter_is_inline(const cache_exporter *e);   /* exported inside images (inline_cache_records) */
bool cache_exporter_ignores_errors(const cache_exporter *e);
/* Adds "cache.manifest" to response (char * to char *). */
bool cache_exporter_run(cache_exporter *e, const key_graph *keys, struct work *work, GHashTable *response,
			GError **error);

/*
 * Returns the inline cache of an image with these layers (element type struct cache_layer_result *, bottom first). NULL
 * without an error if no result consists of these layers.
 */
char *inline_cache_records(const struct remotecache_context *context, const key_graph *keys, const GPtrArray *layers,
			   enum compression compression, struct work *work, GError **error);

/* Returns the id of a cache import, by which a build reads an import of several definitions once. g_free. */
char *remotecache_import_id(const char *type, GHashTable *attrs);
solver_import *remotecache_import(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				  struct work *work, GError **error);
/* Returns how often a layer of the import could not be read. */
unsigned remotecache_import_faults(solver_import *i);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_exporter, cache_exporter_free)
