/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build: runs a build: request, job, frontend, evaluation, export, durability, history.
 *
 *	builder *b = builder_new(&options);
 *	builder_solve(b, &request, call_cancel, &response, error);       blocks until the build is complete
 *
 * While it runs, other calls find the build by its ref: builder_peek_log (Status), builder_find_gateway (LLBBridge
 * calls of the client). The builder must outlive all builds. Thread: any.
 */
#pragma once
#include "builder/metrics.h"
#include "format/json_writer.h"
#include "frontend/gateway/gateway.h"
#include "history/history.h"
#include "progress/progress.h"
#include "solver/solver.h"
#include "worker/worker.h"

typedef struct builder builder;

struct build_target { /* an exporter or a cache: type and attributes */
	const char *type;
	GHashTable *attrs; /* char * to char * */
};
struct build_request {
	const char *ref;                  /* "": generated */
	const char *session;              /* "" if there is none */
	const char *frontend;             /* "": a definition, or driven by the client through LLBBridge */
	GHashTable *frontend_attrs;       /* char * to char *; builder_solve may change it */
	GHashTable *frontend_inputs;      /* char * to Pb__Definition * */
	const Pb__Definition *definition; /* NULL: none */
	const struct build_target *exporters;
	size_t n_exporters;
	const struct build_target *cache_exports;
	size_t n_cache_exports;
	const struct cache_import *cache_imports;
	size_t n_cache_imports;
	const char *const *entitlements;     /* NULL-terminated */
	const Policy__Policy *source_policy; /* NULL: none */
	const char *policy_session;          /* id of the session that has the PolicyVerifier service; "": none */
	bool internal;
	bool proxy_network;     /* steps reach the network through a proxy only */
	bool session_exporters; /* the client's Exporter service names further exporters when the result is known */
	int64_t compat_version; /* compatibility version: 10, 20 or 30 */
};
struct builder_options {
	worker *const *workers; /* borrowed; builds run on the first (default) one */
	size_t n_workers;
	solver *solver;   /* borrowed */
	history *history; /* borrowed */
	bool allow_network_host, allow_security_insecure, allow_devices;
	bool proxy_network;           /* for all builds */
	const json_t *provenance_env; /* borrowed (provenance/env.h); NULL: none */
	bool dockerfile_enabled, gateway_enabled;
	/* Borrowed, NULL-terminated normalised names of repositories, or NULL. */
	const char *const *allowed_repositories;    /* of frontend images; empty: all */
	const char *const *dockerfile_repositories; /* whose images the built-in Dockerfile frontend replaces */
	rpc_loop *loop;                             /* borrowed; serves frontend images */
	/* Called after the end of a build, e.g. to schedule garbage collection. */
	void (*on_idle)(void *data);
	void *on_idle_data;
};
builder *builder_new(const struct builder_options *options);
void builder_free(builder *b);      /* call after all builds have ended */
worker *builder_worker(builder *b); /* returns the default worker */
worker *const *builder_workers(builder *b, size_t *ret_n);
history *builder_history(builder *b);
solver *builder_solver(builder *b);
build_metrics *builder_metrics(builder *b);
size_t builder_running(builder *b);
/* Refuses further builds: UNAVAILABLE. Running ones go on. */
void builder_drain(builder *b);
/* Cancels all running builds; called when the daemon stops. */
void builder_cancel_all(builder *b);

/* ret_response: char * to char *, owned. Errors: of the part that failed, with details. */
bool builder_solve(builder *b, const struct build_request *request, cancel *c, GHashTable **ret_response,
		   GError **error);
/* Returns the log of a running build, or of one that ended less than 10 s ago. Does not wait. NULL: no such build. */
progress_log *builder_peek_log(builder *b, const char *ref);
/* Calls fn(data), with a lock held, whenever a build begins or ends. */
guint builder_watch(builder *b, void (*fn)(void *data), void *data);
void builder_unwatch(builder *b, guint id);
/* Returns the gateway of a running build, counted. Waits up to timeout_ms. NOT_FOUND "no such job X". */
gateway *builder_find_gateway(builder *b, const char *ref, int timeout_ms, cancel *c, GError **error);
