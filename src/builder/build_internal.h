/* SPDX-License-Identifier: Apache-2.0 */
/* build_internal: one running build, shared by the files of this room. Thread: members immutable after start unless said. */
#pragma once
#include "builder/build.h"
#include "builder/source_policy.h"
#include "content/blob_holds.h"
#include "export/exporter.h"
#include "llb/definition.h"

struct remotecache_context;
typedef struct imports imports;
typedef struct provenance provenance;
typedef struct provenance_origins provenance_origins;
typedef struct provenance_scope provenance_scope;

struct build {
	gint refs;
	builder *builder;
	char *ref;
	const struct build_request *request; /* borrowed: the Solve call's */
	session_group *sessions;
	progress_log *log;
	cancel *cancel;
	solver_job *job;
	bridge *bridge;             /* owned */
	imports *imports;           /* owned */
	provenance *provenance;     /* owned; outlives all refs */
	GPtrArray *cache_exporters; /* of cache_exporter *, owned */
	blob_holds *holds;          /* owned; of what exports make beside cache records, to the end of the build */
	GPtrArray *leftovers;       /* of gpointer, g_free'd at the end */
	struct export_kept *kept;   /* owned: images by exporter of the request; NULL: nothing was exported */
	gateway *gateway;           /* owned; NULL unless the client drives */
	bool allow_network_host, allow_security_insecure;
	GMutex mu;
	int64_t started_ns;
	int64_t ended_ns; /* 0 while running; builder->mu */
};

const struct builder_options *builder_get_options(builder *b);
/* What made the results of running builds; borrowed. */
provenance_origins *builder_origins(builder *b);

/* ---- bridge.c */
extern const struct bridge_class solver_bridge_class;
bridge *build_bridge_new(struct build *b);
void build_bridge_free(bridge *b);
/* The evaluated result of a ref; borrowed from the ref, NULL for scratch. */
bool build_ref_result(bridge *b, bridge_ref *ref, struct work *work, cache_ref **ret, GError **error);

/* Builds all refs of a result at once; the solver shares what they have in common. */
bool build_evaluate(struct build *build, build_result *result, cancel *c, GError **error);

/* ---- bridge_image.c */
bool build_resolve_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
			 GError **error);
bool build_resolve_source(bridge *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			  Gateway__ResolveSourceMetaResponse **ret, GError **error);
/* The metadata of a source, without asking policies. scope records the images that were used; it may be NULL. */
bool build_lookup_source(struct build *b, provenance_scope *scope, const Gateway__ResolveSourceMetaRequest *r,
			 struct work *work, Gateway__ResolveSourceMetaResponse **ret, GError **error);
struct build *build_of_bridge(bridge *b);

/* ---- bridge_policy.c */
/* Whether the request's policy is one. */
bool build_check_policy(const struct build *b, GError **error);
/* The request's definition, as the policies leave it. */
llb_definition *build_load(struct build *b, const struct bridge_solve_request *r, struct work *work, GError **error);
/* Puts into r what the policies leave of it; ret_owner, when it is set, holds that (guard_free). ret_other: owned, set
 * with the error that it is no image any more. */
bool build_policy_image(struct build *b, struct bridge_image_request *r, struct work *work, Pb__SourceOp **ret_owner,
			char **ret_other, GError **error);
/* ret: what to ask for instead (guard_free), left alone when nothing changes. */
bool build_policy_source(struct build *b, const Gateway__ResolveSourceMetaRequest *r, struct work *work,
			 Gateway__ResolveSourceMetaRequest **ret, GError **error);

/* ---- bridge_files.c */
GBytes *build_read_file(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length, struct work *work,
			GError **error);
Gateway__ReadDirResponse *build_read_dir(bridge *b, bridge_ref *ref, const char *path, const char *include,
					 struct work *work, GError **error);
Gateway__StatFileResponse *build_stat_file(bridge *b, bridge_ref *ref, const char *path, struct work *work,
					   GError **error);

/* Forgets the result: it is built again when asked for. Nobody uses it meanwhile. */
void build_ref_reopen(bridge_ref *ref);
/* The vertex and output behind a ref that was built; false for scratch. */
struct solver_target;
bool build_ref_target(bridge_ref *ref, struct solver_target *ret);

/* The request that a ref was made for, and what it is the result of. Borrowed. */
provenance_scope *build_ref_scope(bridge_ref *ref);
llb_definition *build_ref_definition(bridge_ref *ref);
provenance_scope *build_scope_of_bridge(bridge *b);

/* ---- imports.c */
struct remotecache_context build_cache_context(struct build *b);

/* ---- export_cache.c */
/* Opens the cache exporters of the request; errors of attributes before anything is built. */
bool build_open_cache_exports(struct build *b, GError **error);
struct inline_cache;
/* What exporters of images ask; NULL when no inline cache was asked for. Ends with the build. */
const struct inline_cache *build_inline_cache(struct build *b, build_result *result);
/* Starts all of them but inline ones; response gets their keys at the join. */
struct cache_exports;
struct cache_exports *build_start_cache_exports(struct build *b, build_result *result);
bool build_join_cache_exports(struct cache_exports *c, GHashTable *response, GError **error);

/* ---- export.c */
/* Looks at the exporters of the request before anything runs: types, options and names that can never work. */
bool build_check_exporters(struct build *b, GError **error);
/* Runs all exporters and what they leave to finish. response gets their keys. */
bool build_export(struct build *b, build_result *result, GHashTable *response, GError **error);

/* Frees what the history keeps of the images. */
void build_drop_kept(struct build *build);

/* ---- verify.c */
/* Notes in the result what was asked for; warnings about platforms that were not delivered, on the given sink (or one of its own). */
void build_verify(struct build *b, build_result *result);

/* ---- record.c */
void build_record_start(struct build *b);
void build_record_end(struct build *b, build_result *result, GHashTable *response, const GError *failure);
