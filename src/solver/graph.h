/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph: the insides of the solver, shared by its files: vertices, edges, jobs, tasks and the thread that owns them.
 *
 *	vertex ---- edges (one an output) ---- deps (one an input of the vertex) ----> edges of other vertices
 *	   |           `-- watchers: deps of other edges, and requests of jobs
 *	   `-- jobs that hold it; tasks under way for it
 *
 * A vertex is alive as long as a job holds it; when the last one leaves it is detached: its tasks are canceled, and it
 * is freed when they are back. An edge that merged into another forwards to it and is never looked at again.
 * Thread: solver, unless said otherwise.
 */
#pragma once
#include "base/pool.h"
#include "solver/edge_decide.h"
#include "solver/key_store.h"
#include "solver/solver.h"
#include "session/session.h"

struct vertex;
struct edge;
struct task;

/* Why a vertex cannot be had. Counted. */
struct failure {
	gint refs;
	GError *error;                   /* owned; without vertex and source details */
	const struct llb_vertex *vertex; /* NULL: none in particular */
	llb_definition *definition;      /* ref; keeps vertex */
};
struct failure *failure_new(GError *error /* taken */, const struct llb_vertex *vertex);
struct failure *failure_ref(struct failure *f);
void failure_unref(struct failure *f);

/* ---- vertices */

struct content_key {
	char digest[DIGEST_TEXT_SIZE]; /* "": not known */
	struct task *task;             /* borrowed, under way */
};
struct vertex_input {
	struct vertex *vertex; /* borrowed: held by the same jobs */
	int64_t index;
};
struct vertex {
	solver *solver;
	struct digest digest; /* as active: that of an ignore-cache twin differs from llb's */
	const struct llb_vertex *llb;
	llb_definition *definition;  /* ref; keeps llb */
	struct vertex_input *inputs; /* owned */
	size_t n_inputs;
	bool ignore_cache;
	GPtrArray *jobs;         /* borrowed solver_job; first: who asked first */
	session_group *sessions; /* ref; those of all jobs; its work asks one after the other */
	bool detached;
	unsigned n_tasks;
	progress_sink *sink;           /* ref */
	Pb__LinuxResources *resources; /* owned; least restrictive of all jobs, NULL: none */

	struct solver_op op;
	bool op_made;
	GArray *maps; /* struct cache_map, one a phase */
	bool maps_done;
	struct task *map_task, *exec_task; /* borrowed */
	struct content_key *content;       /* n_inputs */
	void **outputs;                    /* owned results, n_outputs; NULL: not run */
	char **output_ids;                 /* owned; what they are called in the key store, NULL: not saved */
	int64_t created_ns;
	struct failure *failure;     /* owned; of its own work; remembered as long as the vertex is active */
	struct llb_vertex *resolved; /* owned; llb with merged resources, what the op was made of; NULL: llb itself */
	GPtrArray *edges;            /* owned struct edge */
};

/* ---- edges */

struct dep {
	struct edge *edge;       /* borrowed; follow edge_resolve */
	enum edge_state desired; /* what this edge asks of it now */
	guint keys_seen;         /* of the other edge's keys */
	bool content_seen;
	GHashTable *matches;   /* set of own keys that this input leads to */
	GPtrArray *extra_keys; /* further keys of equal edges that merged into this one: text, selector, ...; or NULL */
};
struct watcher {
	struct edge *edge; /* a dep of it, or NULL: */
	size_t dep;
	struct request *request; /* borrowed */
};
struct record {
	char *key, *result; /* owned */
	int64_t created_ns;
	solver_import *import; /* ref; NULL: one of ours, else: */
	guint import_record, import_result;
};
struct edge {
	struct vertex *vertex;
	int64_t index;
	struct edge *forward; /* merged into */
	enum edge_state state;
	enum edge_state desired;
	bool queued;
	bool keys_changed; /* since the last look for an equal edge */
	struct dep *deps;  /* owned, vertex->n_inputs; NULL: not asked for yet */
	guint maps_seen;
	GArray *watchers;        /* struct watcher */
	GPtrArray *keys;         /* owned texts, in the order found; what users of it may match */
	GHashTable *key_set;     /* the same, borrowed */
	GPtrArray *result_keys;  /* owned texts: keys of the result, for those who save under it */
	GArray *records;         /* struct record, not tried yet */
	GHashTable *tried;       /* results that were loaded in vain */
	bool adopted;            /* has a key of our own for all that an import told of it */
	struct task *load_task;  /* borrowed */
	struct failure *failure; /* owned; of an input, or of this output */
	bool has_result;
	void *result;           /* owned, NULL is scratch */
	GPtrArray *index_texts; /* owned: where it stands in the index of equal edges */
};

struct edge *edge_resolve(struct edge *e);
/* The edge of an output, made when it is not there. */
struct edge *vertex_edge(struct vertex *v, int64_t index);
struct edge *vertex_edge_find(const struct vertex *v, int64_t index);
void edge_free(struct edge *e);
/* Of the edge or of its vertex; borrowed, NULL: none. */
struct failure *edge_failure(const struct edge *e);
void edge_touch(struct edge *e);
/* All edges of a vertex. */
void vertex_touch(struct vertex *v);
void edge_evaluate(struct edge *e);
void edge_stop_undesired(struct edge *e);
void record_copy(struct record *to, const struct record *from);
void record_clear(struct record *r);
void edge_load_done(struct edge *e, const struct task *t, void *result /* taken */);
void edge_watch(struct edge *e, struct watcher w);
void edge_reopen(struct edge *e);
void edge_unwatch(struct edge *e, const struct edge *by, const struct request *request);
const char *edge_selector(const struct edge *e, size_t dep, guint map);
const char *vertex_content_root(const struct vertex *v, size_t input);

/* edge_keys.c */
void edge_absorb(struct edge *e);
void edge_save(struct edge *e, const char *result_id);
void edge_link_record(struct edge *e, const char *key);
void edge_add_key(struct edge *e, const char *key);

/* edge_import.c: what imports of its jobs know of an edge. */
void edge_import_find(const struct edge *e, const char *from, const struct key_link *link, GHashTable *ret_targets);
void edge_import_records(struct edge *e, const char *key);
/* A result of an import was loaded: it is ours from now on, with what it contains of the steps before. */
void edge_adopt(struct edge *e, const struct record *loaded, void *result, const char *result_id);
/* The record of an import that the edge was found as, or -1. */
int64_t edge_import_record(const struct edge *e, const solver_import *i);
/* A key of our own for the edge, linked with all its inputs, which have theirs. Owned. */
char *edge_own_key(struct edge *e);
/* A root (of some content) leads to a key too, for the cache map that makes the record's digest. */
void edge_add_root_link(struct edge *e, size_t input, const char *selector, const char *root, const char *record_digest,
			const char *key);

/* edge_merge.c: finds an active edge with the same key; true when e merged into it. */
bool edge_merge(struct edge *e);
void edge_index_remove(struct edge *e);

/* ---- tasks: what leaves for the worker pool and comes back */

enum task_kind { TASK_MAP, TASK_CONTENT, TASK_EXEC, TASK_LOAD };
struct task {
	enum task_kind kind;
	struct vertex *vertex;
	struct edge *edge;       /* loads */
	cancel *cancel;          /* owned */
	session_group *sessions; /* ref or NULL */
	GPtrArray *jobs;         /* that it started for; only compared */
	pins **pins;             /* owned refs, those of all jobs; ends with NULL */
	int64_t compat_version;  /* of the first job */
	int64_t compat_conflict; /* of a later job that differs, or 0 */
	unsigned phase;
	size_t input;
	void **inputs; /* owned results */
	size_t n_inputs;
	struct record record; /* loads; owned */
	bool waits_for_slot;
	bool has_slot;
	/* answers */
	bool ok;
	GError *error; /* owned */
	struct cache_map map;
	struct digest digest;
	void **outputs; /* owned results, n_outputs */
	char **output_ids;
	int64_t created_ns, completed_ns;
	void *result;
	char *result_id; /* owned; of an import's result, as ours */
};
struct task *task_start(struct vertex *v, enum task_kind kind, const struct task *what);
/* The cancel token is set; the task comes back later, or at once when it waited for a slot. */
void task_cancel(struct task *t);
void task_start_map(struct vertex *v);
void task_start_content(struct vertex *v, size_t input, void *result);
void task_start_exec(struct edge *e);
void task_start_load(struct edge *e, const struct record *record);
void tasks_cancel_all(struct vertex *v);

/* ---- jobs */

struct request {
	gint refs;
	solver *solver;
	solver_job *job;              /* borrowed until done */
	const struct llb_vertex *llb; /* borrowed from definition */
	llb_definition *definition;   /* ref */
	int64_t index;
	struct edge *edge; /* NULL before it is loaded and when done */
	GMutex mu;
	GCond changed;
	bool done; /* mu guards this and what follows */
	void *result;
	struct failure *failure;
	bool canceled;
};
struct request *request_ref(struct request *r);
void request_unref(struct request *r);
/* Thread: any. */
void request_finish(struct request *r, void *result /* taken */, struct failure *failure /* ref taken, or NULL */);

struct solver_job {
	solver *solver;
	char *id;
	session_group *sessions; /* ref or NULL */
	progress_log *log;       /* ref or NULL */
	pins *pins;              /* ref; closed with the job */
	void *data;
	int64_t compat_version;
	GHashTable *vertices; /* set of struct vertex that it holds; solver thread */
	GPtrArray *imports;   /* of solver_import * (refs); solver thread */
	GMutex mu;
	GHashTable *sinks; /* digest text to ref; mu guards it */
};
void job_add_vertex(solver_job *job, struct vertex *v);
void job_drop_all(solver_job *job);
const struct llb_vertex *vertex_resolved(struct vertex *v);
struct vertex *job_load_vertex(solver_job *job, const struct llb_vertex *llb);
/* Its lost results are not there any more, nor its failures. */
void vertex_reopen(struct vertex *v);
void vertex_drop_job(struct vertex *v, solver_job *job);
void vertex_free_if_idle(struct vertex *v);
/* Everything it needs, itself included, forwards followed. Borrowed pointers; g_ptr_array_unref. */
GPtrArray *vertex_closure(struct vertex *v);

/* ---- the solver */

typedef void (*message_fn)(solver *s, void *data);
struct solver {
	struct solver_options options;
	key_store *keys;
	GThread *thread;
	GAsyncQueue *messages;
	pool *pool;
	GHashTable *active;     /* digest text to struct vertex; solver thread */
	GQueue dirty;           /* of struct edge */
	GHashTable *edge_index; /* text to GPtrArray of struct edge */
	int slots_used;
	GQueue slot_queue;    /* of struct task */
	GArray *news;         /* of struct news (tell.c): told at the end of this turn, or once the keys are written */
	GThread *writer;      /* of keys */
	GAsyncQueue *batches; /* of the writer */
	bool flush_running, telling;          /* the writer is at work; with something to tell */
	gint64 flush_at_us;                   /* monotonic; 0: nothing to write */
	gint running, n_vertices, n_requests; /* atomic */
	GMutex mu;
	GHashTable *jobs; /* id to solver_job, borrowed; mu guards it */
};
/* tell.c: success is told to clients after the keys that make it last are written. */
#define FLUSH_DELAY_US 200000
bool tell_start(solver *s, GError **error);
void tell_stop(solver *s); /* after the solver thread has ended */
void tell_complete(solver *s, progress_sink *sink, int64_t completed_ns, bool cached);
void tell_answer(solver *s, struct request *r, void *result /* taken */,
		 struct failure *failure /* ref taken, or NULL */);
/* Something is still to be told; then tasks are dispatched after it. */
bool tell_is_pending(const solver *s);
void tell_then_dispatch(solver *s, struct task *t);
/* At the end of each turn of the solver thread. */
void tell_turn(solver *s);
/* Thread: any. fn runs on the solver thread. */
void solver_post(solver *s, message_fn fn, void *data);
/* Runs fn on a worker: for what may take long and answers to nobody. */
void solver_defer(solver *s, void (*fn)(solver *s, void *data), void *data);
void solver_pool_push(solver *s, struct task *t);
void task_run(struct task *t);             /* on a worker */
void task_done(solver *s, void *task);     /* message */
void task_dispatch(solver *s, void *task); /* message: to a worker, or to wait for a slot */
void *result_ref(solver *s, void *result);
/* On a worker: the last reference may remove files. */
void result_unref_later(solver *s, void *result);
