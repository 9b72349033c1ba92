/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build: one build as a whole: request, job, frontend, evaluation, export, durability, history.
 *
 *	builder *b = builder_new(&options);
 *	builder_solve(b, &request, call_cancel, &response, error);       blocks until everything incl. push is finished
 *
 * Meanwhile, by the build's ref: builder_peek_log (Status), builder_find_gateway (LLBBridge calls of the client).
 * The builder outlives all builds. Wire types of the Control service stop before this room.
 * Thread: any.
 */
#pragma once
#include "builder/history.h"
#include "format/json_writer.h"
#include "frontend/gateway/gateway.h"
#include "progress/progress.h"
#include "solver/solver.h"
#include "worker/worker.h"

typedef struct builder builder;

struct build_target { /* an exporter or a cache, by type and attributes */
	const char *type;
	GHashTable *attrs; /* char * to char * */
};
struct build_request {
	const char *ref;                  /* "": one is made */
	const char *session;              /* "" when there is none */
	const char *frontend;             /* "": definition, or driven by the client through LLBBridge */
	GHashTable *frontend_attrs;       /* char * to char * */
	GHashTable *frontend_inputs;      /* char * to Pb__Definition * */
	const Pb__Definition *definition; /* NULL: none */
	const struct build_target *exporters;
	size_t n_exporters;
	const struct build_target *cache_exports;
	size_t n_cache_exports;
	const struct build_target *cache_imports;
	size_t n_cache_imports;
	const char *const *entitlements;     /* NULL-terminated */
	const Policy__Policy *source_policy; /* NULL: none */
	const char *policy_session;          /* id of the session whose client judges sources; "": none */
	bool internal;
	int64_t compat_version; /* 10, 20 or 30 */
};
struct builder_options {
	worker *const *workers; /* borrowed; the first is the default: builds run on it */
	size_t n_workers;
	solver *solver;   /* borrowed */
	history *history; /* borrowed */
	bool allow_network_host, allow_security_insecure;
	const json_t *provenance_env; /* borrowed (provenance_env.h); NULL: none */
	bool dockerfile_enabled, gateway_enabled;
	/* Called after a build ended, e.g. to schedule collection. */
	void (*on_idle)(void *data);
	void *on_idle_data;
};
builder *builder_new(const struct builder_options *options);
void builder_free(builder *b);      /* after all builds ended */
worker *builder_worker(builder *b); /* the default one */
worker *const *builder_workers(builder *b, size_t *ret_n);
solver *builder_solver(builder *b);
history *builder_history(builder *b);
size_t builder_running(builder *b);
/* Cancels every running build (the daemon stops). */
void builder_cancel_all(builder *b);

/* Is there a context that replaces the built-in Dockerfile frontend? options: char * to char *. */
bool build_names_dockerfile_context(GHashTable *options);

/* ret_response: char * to char *, owned. Errors: of whatever failed, with details. */
bool builder_solve(builder *b, const struct build_request *request, cancel *c, GHashTable **ret_response,
		   GError **error);
/* The log of a running build, or of one that ended less than 10 s ago. Waits for it to appear. NOT_FOUND "no such job X". */
/* The log of a build, NULL: no such build now. fn(data) runs, with a lock held, at every change of the set of builds. */
progress_log *builder_peek_log(builder *b, const char *ref);
guint builder_watch(builder *b, void (*fn)(void *data), void *data);
void builder_unwatch(builder *b, guint id);
/* The gateway of a running build, counted. Waits up to timeout_ms. NOT_FOUND "no such job X". */
gateway *builder_find_gateway(builder *b, const char *ref, int timeout_ms, cancel *c, GError **error);

/* What Info says of this daemon; guard_free. */
Types__BuildkitVersion *version_record(void);
Types__WorkerRecord *worker_record(worker *w); /* guard_free */
/* Of all workers, default first; each is guard_free'd, the array g_free'd. */
Types__WorkerRecord **worker_records(builder *b, size_t *ret_n);
