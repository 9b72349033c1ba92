/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solver: one graph of active vertices for all builds; finds the cheapest way to each result.
 *
 *	solver *s = solver_new(&options, error);
 *	solver_job *job = solver_job_new(s, &(struct solver_job_options){.id = id, ...}, error);
 *	solver_job_build(job, vertex, index, cancel, &result, error);     blocks; a counted result
 *	solver_job_free(job);
 *
 * One thread owns the graph and runs edge_decide (pure) and its applier; ops run on a worker pool and come back as
 * messages. Ops and results are opaque: two function tables (ops/, cache/) define them, so that the scenario tests need
 * neither module. Equal vertices of several builds are shared; edges with equal keys merge; an op is canceled when the
 * last build that waits for it leaves.
 * Thread: solver_* any (messages); op and result functions are called on worker threads.
 */
#pragma once
#include "base/digest.h"
#include "base/work.h"
#include "llb/definition.h"
#include "progress/progress.h"
#include "solver/import.h"

typedef struct solver solver;
typedef struct solver_job solver_job;

/* Data for looking up one op in the cache, for each input. */
struct cache_map_input {
	char *selector; /* owned digest text, or NULL */
	bool content;   /* has a content key (op->content_key) */
};
struct cache_map {
	char digest[DIGEST_TEXT_SIZE];  /* digest text, or "random:<hex>", which is never shared between sessions */
	struct cache_map_input *inputs; /* g_new0(n_inputs) by the op; freed by the solver */
	bool last;                      /* no further phase */
};
/*
 * One op instance per active vertex. Calls block; work carries cancel token, sessions and the vertex's sink. Set are
 * cache_map, free, one of exec and definition, and content_key if a cache map asks for content; prepare may be NULL.
 */
struct solver_op_class {
	bool (*cache_map)(void *op, struct work *work, unsigned phase, struct cache_map *ret, GError **error);
	/* Computes the content key of one input's result. */
	bool (*content_key)(void *op, struct work *work, unsigned input, void *result, struct digest *ret,
			    GError **error);
	/*
	 * Called before exec for each input that is not NULL: makes it readable. May be NULL. Errors are reported to
	 * clients as cache-key errors.
	 */
	bool (*prepare)(void *op, struct work *work, unsigned input, void *result, GError **error);
	/* inputs: borrowed results, NULL allowed. ret_outputs: n_outputs results, owned by the caller. */
	bool (*exec)(void *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		     size_t n_outputs, GError **error);
	/*
	 * Instead of exec, may be NULL: returns the definition whose result becomes the only output (guard_free). It is
	 * loaded with the function of solver_job_options.load.
	 */
	Pb__Definition *(*definition)(void *op, struct work *work, void *const *inputs, size_t n_inputs,
				      GError **error);
	bool takes_slot; /* counts against max_parallelism (source, exec, file) */
	void (*free)(void *op);
};
struct solver_op {
	const struct solver_op_class *class;
	void *self;
	/* cache_map is short and reads nothing outside the op: it runs on the solver thread. */
	bool map_is_pure;
};
/* Results are opaque; NULL is the empty result (scratch). */
struct solver_result_class {
	void *(*ref)(void *result);
	void (*unref)(void *result);
	/* Returns the persistent id of a result ("<worker>::<record>"), g_free; for a NULL result "". */
	char *(*save)(void *data, void *result, int64_t *ret_created_ns);
	/* Loads a result by its id. Errors: NOT_FOUND if it no longer exists. */
	bool (*load)(void *data, const char *id, struct work *work, void **ret_result, GError **error);
	/* Reports whether the result still exists. Cheap: does not load it. */
	bool (*exists)(void *data, const char *id);
	/*
	 * Writes pending data of results without fsync: ids that save() returned then survive the process. NULL:
	 * nothing to write.
	 */
	void (*settle)(void *data);
	/* Reports whether an existing result can no longer be read. NULL: never. */
	bool (*lost)(void *data, void *result);
};

struct solver_options {
	/* Creates the op of a vertex; data is options.data. */
	bool (*resolve)(void *data, const struct llb_vertex *vertex, solver_job *job, struct solver_op *ret,
			GError **error);
	const struct solver_result_class *results;
	void *data;
	int root_fd;         /* directory of the stored cache keys (<root>/keys.db); -1: in memory only */
	int max_parallelism; /* 0: unlimited */
	int max_threads;     /* worker pool, 0: a default from the number of cores */
};
solver *solver_new(const struct solver_options *options, GError **error);
void solver_free(solver *s); /* all jobs must be freed */
/* A record was removed: drops the keys that lead to it. id as returned by save(). */
void solver_forget_result(solver *s, const char *id);
/* Writes pending keys to disk; part of making a build durable. */
bool solver_sync(solver *s, GError **error);

/* Loads a nested definition. *ret: owned; NULL: scratch. Runs on worker threads until solver_job_free returns. */
typedef bool (*solver_load_fn)(void *data, const Pb__Definition *definition, struct work *work, llb_definition **ret,
			       GError **error);
struct solver_job_options {
	const char *id;
	session_group *sessions; /* NULL: none */
	progress_log *log;       /* NULL: none */
	/* Options of the build (char * to char *), for its ops. Must not change afterwards. May be NULL. */
	GHashTable *attrs;
	int64_t compat_version; /* passed to the job's work (base/work.h); 0: the newest */
	solver_load_fn load;    /* NULL: nested definitions are refused */
	void *load_data;        /* borrowed */
};
solver_job *solver_job_new(solver *s, const struct solver_job_options *options, GError **error);
const char *solver_job_id(const solver_job *job);
GHashTable *solver_job_attrs(const solver_job *job); /* borrowed, may be NULL */
/*
 * Builds one output. The definition is kept by the job until it ends. ret_result: owned (options.results->unref),
 * NULL for scratch. Errors carry errdefs.Vertex and Source details of the failing vertex.
 */
bool solver_job_build(solver_job *job, const struct llb_vertex *vertex, int64_t index, cancel *c, void **ret_result,
		      GError **error);
/* Adds keys and results of an import for subsequent requests of the job. Counted. */
void solver_job_add_import(solver_job *job, solver_import *import);
struct solver_target {
	const struct llb_vertex *vertex;
	int64_t index;
};
/* Returns everything that leads to results that the job has built, with persistent keys. Owned. */
key_graph *solver_job_keys(solver_job *job, const struct solver_target *targets, size_t n, cancel *c, GError **error);
/* The current state of a vertex of a job. All members are borrowed for the duration of the call. */
struct solver_output {
	int64_t index;
	void *result;   /* NULL: scratch, or: */
	const char *id; /* id of a result that was not loaded, for solver_job_load_result; NULL: it is loaded */
};
struct solver_visit {
	const struct llb_vertex *vertex;
	const struct solver_op *op; /* NULL: the op was not needed */
	const struct solver_output *outputs;
	size_t n_outputs;
};
typedef void (*solver_visit_fn)(void *data, const struct solver_visit *visit);
/*
 * Calls fn once for each vertex that built targets need, themselves included. fn runs on the solver thread: it must be
 * brief and must not call the solver.
 */
void solver_job_visit(solver_job *job, const struct solver_target *targets, size_t n, solver_visit_fn fn, void *data);
/* Loads a result by its id in a key graph; NULL for scratch. Errors: NOT_FOUND if it no longer exists. */
bool solver_job_load_result(solver_job *job, const char *id, struct work *work, void **ret_result, GError **error);
/*
 * Drops results of the job's vertices that can no longer be read (class->lost), and failures, which they may have
 * caused. The next request looks them up or runs them again.
 */
void solver_job_reopen(solver_job *job);
/* Runs fn as a separate vertex (exporters, metadata lookups): reports start, statuses, completion, error. */
bool solver_job_run_vertex(solver_job *job, const char *digest, const char *name, cancel *c,
			   bool (*fn)(void *data, struct work *work, GError **error), void *data, GError **error);
/* Returns a sink for a vertex that is not in the graph; the caller starts and completes it. */
progress_sink *solver_job_sink(solver_job *job, const char *digest, const char *name);
/* Returns the sink of an active vertex of this job (for warnings), or NULL. Counted. */
progress_sink *solver_job_find_sink(solver_job *job, const char *digest);
void solver_job_free(solver_job *job);

/*
 * Counters: active vertices, running ops, jobs; requests: all builds ever requested, counted once the graph contains
 * them.
 */
struct solver_stats {
	size_t vertices, running, jobs, requests;
};
struct solver_stats solver_get_stats(solver *s);
