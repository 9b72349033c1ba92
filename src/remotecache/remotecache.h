/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remotecache: keys and layers of builds, shared with other daemons: in registries, client directories, images, S3.
 *
 *	cache_exporter *e = cache_exporter_open(&context, "registry", attrs, error);    before the build starts
 *	cache_exporter_run(e, keys, work, response, error);                           inside its vertex
 *
 *	solver_import *i = remotecache_import(&context, "registry", attrs, work, error);
 *	solver_job_add_import(job, i);
 *
 * Attributes, statuses and formats: daemon-and-client.md section 5, llb-and-solver.md section 21. Layers of an import
 * stay where they are until somebody reads them, except those of a client's directory, which leaves with the client.
 * Thread: any; an exporter belongs to one thread at a time.
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
	blob_holds *holds; /* the build's: of documents that exports make */
	registry *registry;
	session_registry *sessions;
	solver *solver;
	const struct registry_auth *registry_auth; /* source_registry_auth: this room lies beside that of sources */
	const char *session_id;                    /* of the client that has local caches; "" for none */
};

typedef struct cache_exporter cache_exporter;
/* Errors: UNKNOWN "unknown cache exporter: "T"", UNIMPLEMENTED, those of attributes. */
cache_exporter *cache_exporter_open(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				    GError **error);
void cache_exporter_free(cache_exporter *e);
const char *cache_exporter_name(const cache_exporter *e); /* of its vertex */
bool cache_exporter_is_inline(const cache_exporter *e);   /* it goes into images (inline_cache_records) */
bool cache_exporter_ignores_errors(const cache_exporter *e);
/* response (char * to char *) gets "cache.manifest". */
bool cache_exporter_run(cache_exporter *e, const key_graph *keys, struct work *work, GHashTable *response,
			GError **error);

/*
 * What an image of these layers (of struct cache_layer_result *, bottom first) says of the keys that made it; NULL
 * without error when none of their results lies in it.
 */
char *inline_cache_records(const struct remotecache_context *context, const key_graph *keys, const GPtrArray *layers,
			   enum compression compression, struct work *work, GError **error);

/* Names a cache to import, so that one that several definitions ask for is read once a build. g_free. */
char *remotecache_import_id(const char *type, GHashTable *attrs);
solver_import *remotecache_import(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				  struct work *work, GError **error);
/* How often layers of the import could not be had when they were read. */
unsigned remotecache_import_faults(solver_import *i);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_exporter, cache_exporter_free)
