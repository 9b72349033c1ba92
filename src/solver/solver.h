/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solver: one graph of active vertices for all builds; finds the cheapest way to each result.
 *
 *	solver *s = solver_new(&options, error);
 *	solver_job *job = solver_job_new(s, id, sessions, log, error);
 *	void *result = solver_job_build(job, vertex, index, cancel, error);     blocks; a counted result
 *	solver_job_free(job);
 *
 * One thread owns the graph and runs edge_decide (pure) and its applier; ops run on a worker pool and come back as
 * messages. What an op is and what a result is, the solver learns from two tables (ops/, cache/), so that scenarios
 * run with neither. Equal vertices of several builds are one; edges with equal keys merge; an op is canceled when the
 * last build that waits for it leaves. Rules: llb-and-solver.md sections 12 to 16.
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

/* What an op needs to be looked up, for each input. */
struct cache_map_input {
	char *selector; /* owned digest text, or NULL */
	bool content;   /* has a content key (op->content_key) */
};
struct cache_map {
	char digest[DIGEST_TEXT_SIZE];  /* digest text, or "random:<hex>" which never crosses sessions */
	struct cache_map_input *inputs; /* g_new0(n_inputs) by the op; freed by the solver */
	bool last;                      /* no further phase */
};
/* One op instance a vertex activity. Blocking; work carries cancel, sessions and the vertex's sink. */
struct solver_op_class {
	bool (*cache_map)(void *op, struct work *work, unsigned phase, struct cache_map *ret, GError **error);
	/* Content key of one input's result. */
	bool (*content_key)(void *op, struct work *work, unsigned input, void *result, struct digest *ret,
			    GError **error);
	/*
	 * Before exec, for each input that is not NULL: makes it readable. May be NULL. What fails here failed, as clients
	 * see it, on the way to the cache key.
	 */
	bool (*prepare)(void *op, struct work *work, unsigned input, void *result, GError **error);
	/* inputs: borrowed results, NULL allowed. ret_outputs: n_outputs results, owned by the caller. */
	bool (*exec)(void *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		     size_t n_outputs, GError **error);
	bool takes_slot; /* counts against max_parallelism (source, exec, file) */
	/* cache_map neither blocks nor reads anything but the op: it may run on the solver thread. */
	bool map_is_pure;
	void (*free)(void *op);
};
struct solver_op {
	const struct solver_op_class *class;
	void *self;
};
/* Results are opaque; NULL is the empty result (scratch). */
struct solver_result_class {
	void *(*ref)(void *result);
	void (*unref)(void *result);
	/* The persistent id of a result ("<worker>::<record>"), g_free; NULL id for NULL results is "". */
	char *(*save)(void *data, void *result, int64_t *ret_created_ns);
	/* A result again from its id; NOT_FOUND when it is gone. */
	bool (*load)(void *data, const char *id, struct work *work, void **ret_result, GError **error);
	/* Is it still there? Cheap; no load. */
	bool (*exists)(void *data, const char *id);
	/* Writes what is known of results, without an fsync: ids that save() gave outlive the process. NULL: nothing. */
	void (*settle)(void *data);
	/* Can a result not be read any more, though it was there? NULL: never. */
	bool (*lost)(void *data, void *result);
};

struct solver_options {
	/* Makes the op of a vertex; data is options.data. */
	bool (*resolve)(void *data, const struct llb_vertex *vertex, solver_job *job, struct solver_op *ret,
			GError **error);
	const struct solver_result_class *results;
	void *data;
	int root_fd;         /* where cache keys persist (<root>/keys.db); -1: in memory only */
	int max_parallelism; /* 0: unlimited */
	int max_threads;     /* worker pool, 0: a default from the number of cores */
};
solver *solver_new(const struct solver_options *options, GError **error);
void solver_free(solver *s); /* after all jobs are gone */
/* A record was removed: keys that lead to it are forgotten. id as save() made it. */
void solver_forget_result(solver *s, const char *id);
/* Part of a build's durability: keys on disk. */
bool solver_sync(solver *s, GError **error);

solver_job *solver_job_new(solver *s, const char *id, session_group *sessions, progress_log *log, GError **error);
const char *solver_job_id(const solver_job *job);
session_group *solver_job_sessions(const solver_job *job); /* borrowed */
/* What the op resolver wants to find again: for ops, the options of the build (char * to char *, not changed any more). */
void solver_job_set_data(solver_job *job, void *data);
void *solver_job_data(const solver_job *job);
/* The compatibility version that the work of the job is told (base/work.h); before anything is built. 0: the newest. */
void solver_job_set_compat_version(solver_job *job, int64_t version);
/*
 * Builds one output. The definition is kept by the job until it ends. ret_result: owned (options.results->unref),
 * NULL for scratch. Errors carry errdefs.Vertex and Source details of the failing vertex.
 */
bool solver_job_build(solver_job *job, const struct llb_vertex *vertex, int64_t index, cancel *c, void **ret_result,
		      GError **error);
/* Keys and results of others, for what the job asks for from now on. Counted. */
void solver_job_add_import(solver_job *job, solver_import *import);
struct solver_target {
	const struct llb_vertex *vertex;
	int64_t index;
};
/* Everything that leads to results that the job has built, as lasting keys. Owned. */
key_graph *solver_job_keys(solver_job *job, const struct solver_target *targets, size_t n, cancel *c, GError **error);
/* A vertex of a job, with what is known of it now. All borrowed, for the call only. */
struct solver_output {
	int64_t index;
	void *result;   /* NULL: scratch, or: */
	const char *id; /* of a result that nobody had to load, for solver_load_result; NULL: it is loaded */
};
struct solver_visit {
	const struct llb_vertex *vertex;
	const struct solver_op *op; /* NULL: nothing was asked of it */
	const struct solver_output *outputs;
	size_t n_outputs;
};
typedef void (*solver_visit_fn)(void *data, const struct solver_visit *visit);
/* Each vertex that built targets need, themselves included, once. fn runs on the solver thread: brief, no solver calls. */
void solver_job_visit(solver_job *job, const struct solver_target *targets, size_t n, solver_visit_fn fn, void *data);
/* A result by the id that a key graph has of it; NULL for scratch. NOT_FOUND when it is gone. */
bool solver_load_result(solver *s, const char *id, struct work *work, void **ret_result, GError **error);
/*
 * Takes back results of the job's vertices that cannot be read any more (class->lost), and failures, which may be their
 * doing: what is asked for next is looked up or run again.
 */
void solver_job_reopen(solver_job *job);
/* Runs fn as a vertex of its own (exporters, metadata lookups): started, statuses, completed, error. */
bool solver_job_run_vertex(solver_job *job, const char *digest, const char *name, cancel *c,
			   bool (*fn)(void *data, struct work *work, GError **error), void *data, GError **error);
/* A sink for a vertex that is not in the graph; the caller starts and completes it. */
progress_sink *solver_job_sink(solver_job *job, const char *digest, const char *name);
/* The sink of an active vertex of this job (warnings attach there), or NULL. Counted. */
progress_sink *solver_job_find_sink(solver_job *job, const char *digest);
void solver_job_free(solver_job *job);

/* Counters: active vertices, running ops, jobs; requests: builds ever asked for, counted when the graph knows them. */
struct solver_stats {
	size_t vertices, running, jobs, requests;
};
struct solver_stats solver_get_stats(solver *s);
