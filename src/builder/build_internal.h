/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build_internal: a running build, shared by the files of builder/. Thread: members are immutable after start unless
 * marked.
 */
#pragma once
#include "builder/devices.h"
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
	const struct build_request *request; /* borrowed from the Solve call */
	session_group *sessions;
	progress_log *log;
	cancel *cancel;
	solver_job *job;
	bridge *bridge;               /* owned */
	imports *imports;             /* owned; caches that the build imports */
	provenance *provenance;       /* owned; outlives all refs */
	provenance_scope *sbom_scope; /* owned; of the SBOM generator, unless the frontend ran it; outlives all refs */
	GPtrArray *cache_exporters;   /* owned; by index in the request; NULL: none */
	GArray *exporters;            /* element type: struct build_target; the request's and those of the session */
	GPtrArray *session_targets;   /* element type: GArray *: found in the session; exporters borrows from them */
	blob_holds *holds;            /* owned; blobs that exports create beside cache records, held until the end */
	GPtrArray *cleanups;          /* element type: gpointer, freed with g_free at the end */
	struct export_kept *kept;     /* owned: exported images by exporter index; NULL: nothing was exported */
	gateway *gateway;             /* owned; NULL unless a client drives the build */
	bool allow_network_host, allow_security_insecure;
	device_grants *devices; /* owned */
	netproxy_policy *proxy; /* counted; of steps with network access; NULL: they reach the network directly */
	trace_recording *trace; /* owned; spans of the build; NULL: not traced */
	gint n_frontends;       /* number of frontend images that run; atomic */
	GMutex mu;
	int64_t started_ns;
	int64_t ended_ns; /* 0 while running; builder->mu */
};

const struct builder_options *builder_get_options(builder *b);
/* The requests that produced the results of running builds; borrowed. */
provenance_origins *builder_origins(builder *b);

/* ---- build.c */
/* Evaluates all refs of a result and of its attestations in parallel; the solver runs common vertices once. */
bool build_evaluate(struct build *build, build_result *result, cancel *c, GError **error);

/* ---- bridge.c */
bridge *build_bridge_new(struct build *b);
/* The bridge of a frontend that a request of outer runs; build_bridge_free. scope is borrowed. */
bridge *build_bridge_nested(bridge *outer, provenance_scope *scope);
/* Number of frontends that requested each other, from the build's request to this bridge. */
unsigned build_bridge_depth(const bridge *b);
void build_bridge_free(bridge *b);
struct build *build_of_bridge(bridge *b);
provenance_scope *build_scope_of_bridge(bridge *b);
/* Returns the evaluated result of a ref; borrowed from the ref, NULL for scratch. */
bool build_ref_result(bridge *b, bridge_ref *ref, struct work *work, cache_ref **ret, GError **error);
/* Drops the result: it is built again at the next request. No other thread may use it meanwhile. */
void build_ref_reopen(bridge_ref *ref);
/* Returns the vertex and output of a ref; false for scratch. */
struct solver_target;
bool build_ref_target(bridge_ref *ref, struct solver_target *ret);
/* Returns the request that produced a ref. Borrowed. */
provenance_scope *build_ref_scope(bridge_ref *ref);
llb_definition *build_ref_definition(bridge_ref *ref);
/* Returns the definition of a ref as it was received, borrowed. */
const Pb__Definition *build_ref_wire(bridge_ref *ref);

/* ---- bridge_frontend.c */
/*
 * The gateway frontend with the built-in frontend as its source is the built-in frontend, unless a context replaces the
 * source: then replaces *frontend, and removes the source from options.
 */
void build_settle_frontend(const char **frontend, GHashTable *options);
bool build_solve_frontend(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
			  GError **error);
bool build_serves_frontend(bridge *b, const char *source, GHashTable *options, struct work *work);
/* The same, for any bridge of the build. */
bool build_serves_image(struct build *build, const char *image, GHashTable *options, struct work *work);

/* ---- bridge_image.c */
bool build_resolve_image(bridge *b, const struct bridge_image_request *r, struct work *work, struct bridge_image *ret,
			 GError **error);
bool build_resolve_source(bridge *b, const struct bridge_source_request *r, struct work *work,
			  struct bridge_source *ret, GError **error);
/* Returns the metadata of a source without checking policies. scope (may be NULL) records the images that were used. */
bool build_lookup_source(struct build *b, provenance_scope *scope, const struct bridge_source_request *r,
			 struct work *work, struct bridge_source *ret, GError **error);

/* ---- bridge_policy.c */
/* Returns the policy of the steps' proxies; NULL: the build has none. Closed and released by the caller. */
netproxy_policy *build_proxy_policy(struct build *b);
/* Reports whether the request's policy is valid. */
bool build_check_policy(const struct build *b, GError **error);
/* Returns the request's definition after its policies were applied. */
llb_definition *build_load(struct build *b, const struct bridge_solve_request *r, struct work *work, GError **error);
/* A solver_load_fn: loads the definition that a build op of the build (data) has read, with the build's policies. */
bool build_load_nested(void *data, const Pb__Definition *definition, struct work *work, llb_definition **ret,
		       GError **error);
/*
 * Writes the checked request to r; *ret_owner, if set, owns its strings (guard_free). *ret_other: owned; set on error
 * if a policy replaced the image by a source of another kind.
 */
bool build_policy_image(struct build *b, struct bridge_image_request *r, struct work *work, Pb__SourceOp **ret_owner,
			char **ret_other, GError **error);
/* ret: the source to resolve instead (guard_free), unchanged if policies do not change it. */
bool build_policy_source(struct build *b, const struct bridge_source_request *r, struct work *work, Pb__SourceOp **ret,
			 GError **error);

/* ---- bridge_files.c */
GBytes *build_read_file(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length, struct work *work,
			GError **error);
GPtrArray *build_read_dir(bridge *b, bridge_ref *ref, const char *path, const char *include, struct work *work,
			  GError **error);
bool build_stat_file(bridge *b, bridge_ref *ref, const char *path, struct work *work, struct fssync_stat *ret,
		     GError **error);

/* ---- bridge_container.c */
container *build_new_container(bridge *b, const struct bridge_container_request *r, struct work *work, GError **error);

/* ---- imports.c */
struct remotecache_context build_cache_context(struct build *b);

/* ---- export_cache.c */
/* Opens the cache exporters of the request, so that invalid attributes are reported before anything is built. */
bool build_open_cache_exports(struct build *b, GError **error);
struct inline_cache;
/* Callbacks for image exporters; NULL without an inline cache export. Valid until the build ends. */
const struct inline_cache *build_inline_cache(struct build *b, build_result *result);
/* Starts all cache exports except inline ones; the join adds their keys to response. */
struct cache_exports;
struct cache_exports *build_start_cache_exports(struct build *b, build_result *result);
bool build_join_cache_exports(struct cache_exports *c, GHashTable *response, GError **error);

/* ---- export.c */
/* Validates types, options and names of the request's exporters before anything runs. */
bool build_check_exporters(struct build *b, GError **error);
/* Adds the exporters that the client's session names for the evaluated result, if the request asks for that; once per build. */
bool build_find_session_exporters(struct build *b, build_result *result, GError **error);
/* Passes the response to the client's session, if the request asks for that. */
bool build_finalize_session_export(struct build *b, GHashTable *response, GError **error);
/* Runs all exporters and their finish functions. Adds their keys to response. */
bool build_export(struct build *b, build_result *result, GHashTable *response, GError **error);

/* Frees the exported images that were kept for the build record. */
void build_drop_kept(struct build *build);

/* ---- verify.c */
/*
 * Stores the requested platforms in the result's metadata; warns about missing platforms on the given sink (or a
 * separate one).
 */
void build_verify(struct build *b, build_result *result);
/* Sends a warning on the vertex of the first exporter, or on a separate one if nothing is exported. */
void build_warn(struct build *b, const char *message);

/* ---- attestations.c */
/* Checks the option attest:sbom. */
bool build_check_sbom(struct build *b, GError **error);
/* Adds the SBOM that the request asks for, unless the frontend did; it is not evaluated yet. */
bool build_scan(struct build *b, build_result *result, GError **error);
/* Warns about attestations that no exporter writes. */
void build_warn_attestations(struct build *b, const build_result *result);
/* The attestations of an evaluated result for exporters; they borrow from the result and the build. */
struct build_attestations;
struct build_attestations *build_attestations_new(struct build *b, build_result *result, GError **error);
void build_attestations_free(struct build_attestations *a);
const struct export_attestation *build_attestations_get(const struct build_attestations *a, size_t *ret_n);

/* ---- record.c */
void build_record_start(struct build *b);
void build_record_end(struct build *b, build_result *result, GHashTable *response, const GError *failure);
