/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph: internals of the solver, shared by its files: vertices, edges, jobs, tasks and the thread that owns them.
 *
 *	vertex ---- edges (one per output) ---- deps (one per input of the vertex) ----> edges of other vertices
 *	   |           `-- watchers: deps of other edges, and requests of jobs
 *	   `-- jobs that hold it; its running tasks
 *
 * A vertex is active as long as a job holds it. When the last job leaves, it is detached: its tasks are canceled, and
 * it is freed when they have finished. An edge that was merged into another forwards to it and is not evaluated again.
 * Thread: solver, unless stated otherwise.
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

/* The reason why a vertex failed. Counted. */
struct failure {
	gint refs;
	GError *error;                   /* owned; without vertex and source details */
	const struct llb_vertex *vertex; /* NULL: no particular vertex */
	llb_definition *definition;      /* ref; keeps vertex */
};
struct failure *failure_new(GError *error /* taken */, const struct llb_vertex *vertex);
struct failure *failure_ref(struct failure *f);
void failure_unref(struct failure *f);

/* ---- vertices */

struct content_key {
	char digest[DIGEST_TEXT_SIZE]; /* "": not known */
	struct task *task;             /* borrowed, while running */
};
struct vertex_input {
	struct vertex *vertex; /* borrowed: held by the same jobs */
	int64_t index;
};
struct vertex {
	solver *solver;
	struct digest digest; /* key in the active table; that of an ignore-cache twin differs from llb's */
	const struct llb_vertex *llb;
	llb_definition *definition;  /* ref; keeps llb */
	struct vertex_input *inputs; /* owned */
	size_t n_inputs;
	bool ignore_cache;
	GPtrArray *jobs;         /* borrowed solver_job; in the order in which they requested it */
	session_group *sessions; /* ref; those of all jobs, asked one after the other */
	bool detached;
	unsigned n_tasks;
	progress_sink *sink; /* ref */
	trace_span *span;    /* ref; that of the request which loaded it first; parent of its tasks' spans; or NULL */
	Pb__LinuxResources *resources; /* owned; least restrictive of all jobs, NULL: none */

	struct solver_op op;
	bool op_made;
	GArray *maps; /* struct cache_map, one per phase */
	bool maps_done;
	struct task *map_task, *exec_task; /* borrowed */
	struct content_key *content;       /* n_inputs */
	void **outputs;                    /* owned results, n_outputs; NULL: not run */
	char **output_ids;                 /* owned; ids of the results in the key store, NULL: not saved */
	int64_t created_ns;
	struct request *nest;        /* ref; waits for the result of a nested definition; NULL: does not */
	struct vertex *nested;       /* borrowed: held by the same jobs; that definition's result; NULL: none */
	struct failure *failure;     /* owned; failure of the op; kept as long as the vertex is active */
	struct llb_vertex *resolved; /* owned; llb with merged resources, as the op was made; NULL: llb itself */
	GPtrArray *edges;            /* owned struct edge */
};

/* ---- edges */

struct dep {
	struct edge *edge;       /* borrowed; follow edge_resolve */
	enum edge_state desired; /* state that this edge currently requests of it */
	guint keys_seen;         /* number of the other edge's keys already processed */
	bool content_seen;
	GHashTable *matches;   /* set of this edge's keys that follow from the input */
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
	solver_import *import; /* ref; NULL: a local record, otherwise a record of this import */
	guint import_record, import_result;
};
struct edge {
	struct vertex *vertex;
	int64_t index;
	struct edge *forward; /* the edge it was merged into */
	enum edge_state state;
	enum edge_state desired;
	bool queued;
	bool keys_changed; /* since the last search for an equal edge */
	struct dep *deps;  /* owned, vertex->n_inputs; NULL: not requested yet */
	guint maps_seen;
	GArray *watchers;        /* struct watcher */
	GPtrArray *keys;         /* owned texts, in the order found; users of the edge may match them */
	GHashTable *key_set;     /* the same, borrowed */
	GPtrArray *result_keys;  /* owned texts: keys of the result, under which users save theirs */
	GArray *records;         /* struct record, not tried yet */
	GHashTable *tried;       /* results that failed to load */
	bool adopted;            /* has its own key for everything that an import knows of it */
	struct task *load_task;  /* borrowed */
	struct failure *failure; /* owned; of an input, or of this output */
	bool has_result;
	void *result;           /* owned, NULL is scratch */
	GPtrArray *index_texts; /* owned: its entries in the index of equal edges */
};

/* edge.c */
struct edge *edge_resolve(struct edge *e);
/* Returns the edge of an output, creating it if necessary. */
struct edge *vertex_edge(struct vertex *v, int64_t index);
struct edge *vertex_edge_find(const struct vertex *v, int64_t index);
void edge_free(struct edge *e);
/* Returns the failure of the edge or of its vertex; borrowed, NULL: none. */
struct failure *edge_failure(const struct edge *e);
void edge_touch(struct edge *e);
/* Evaluates all edges of a vertex again. */
void vertex_touch(struct vertex *v);
void edge_evaluate(struct edge *e);
void edge_stop_undesired(struct edge *e);
void record_copy(struct record *to, const struct record *from);
void record_clear(struct record *r);
void edge_load_done(struct edge *e, const struct task *t, void *result /* taken */);
void edge_watch(struct edge *e, struct watcher w);
void edge_reopen(struct edge *e);
void edge_unwatch(struct edge *e, const struct edge *by, const struct request *request);

/* edge_keys.c */
const char *edge_selector(const struct edge *e, size_t dep, guint map);
void edge_absorb(struct edge *e);
void edge_save(struct edge *e, const char *result_id);
void edge_link_record(struct edge *e, const char *key);
/* Returns the local key of the edge, linked with the keys of all its inputs, which exist. Owned. */
char *edge_own_key(struct edge *e);
/* Links a root (of some content) to a key as well, for the cache map that gives the record's digest. */
void edge_add_root_link(struct edge *e, size_t input, const char *selector, const char *root, const char *record_digest,
			const char *key);

/* edge_import.c: records of the jobs' imports for an edge. */
void edge_import_find(const struct edge *e, const char *from, const struct key_link *link, GHashTable *ret_targets);
void edge_import_records(struct edge *e, const char *key);
/* A result of an import was loaded: adopts it, with the results of earlier steps that it contains. */
void edge_adopt(struct edge *e, const struct record *loaded, void *result, const char *result_id);
/* The import's record that matches the edge, or -1. */
int64_t edge_import_record(const struct edge *e, const solver_import *i);

/* edge_merge.c */
/* Finds an active edge with the same key; true if e was merged into it. */
bool edge_merge(struct edge *e);
void edge_index_remove(struct edge *e);

/* ---- tasks: work that runs on the worker pool */

enum task_kind { TASK_MAP, TASK_CONTENT, TASK_EXEC, TASK_LOAD };
struct task {
	enum task_kind kind;
	struct vertex *vertex;
	struct edge *edge;       /* loads */
	cancel *cancel;          /* owned */
	session_group *sessions; /* ref or NULL */
	trace_span *span;        /* ref; that of the vertex, or NULL */
	GPtrArray *jobs;         /* the jobs for which it was started; only compared */
	pins **pins;             /* owned refs, those of all jobs; ends with NULL */
	int64_t compat_version;  /* of the first job */
	int64_t compat_conflict; /* of a later job that differs, or 0 */
	solver_job *nest_job;    /* loads nested definitions; it is not freed until the task returns it */
	unsigned phase;
	size_t input;
	void **inputs; /* owned results */
	size_t n_inputs;
	struct record record; /* loads; owned */
	bool waits_for_slot;
	bool has_slot;
	gint64 since_us; /* monotonic; when it was started or got its slot */
	/* results */
	bool ok;
	GError *error; /* owned */
	struct cache_map map;
	struct digest digest;
	void **outputs; /* owned results, n_outputs */
	char **output_ids;
	int64_t created_ns, completed_ns;
	void *result;
	llb_definition *nested; /* owned */
	char *result_id;        /* owned; our id for an import's result */
};
/* Sets the cancel token. The task is answered later, or immediately if it was waiting for a slot. */
void task_cancel(struct task *t);
void task_start_map(struct vertex *v);
void task_start_content(struct vertex *v, size_t input, void *result);
void task_start_exec(struct edge *e);
void task_start_load(struct edge *e, const struct record *record);
void tasks_cancel_all(struct vertex *v);
void task_run(struct task *t);         /* on a worker */
void task_done(solver *s, void *task); /* message: the task has finished */

/* ---- jobs */

struct request {
	gint refs;
	solver *solver;
	solver_job *job;              /* borrowed until done */
	struct vertex *vertex;        /* borrowed; answered by nest_answer for this vertex; NULL: by request_finish */
	const struct llb_vertex *llb; /* borrowed from definition */
	llb_definition *definition;   /* ref */
	int64_t index;
	trace_span *span;  /* ref; current when it was made; NULL: not traced */
	struct edge *edge; /* NULL until it is loaded and when it is done */
	GMutex mu;
	GCond changed;
	bool done; /* mu guards this and the following members */
	void *result;
	struct failure *failure;
	bool canceled;
};
struct request *request_new(solver_job *job, const struct llb_vertex *llb, int64_t index);
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
	GHashTable *attrs;       /* ref or NULL */
	int64_t compat_version;
	trace_span
		*span; /* ref; that of the latest traced request, at first that of the build; solver thread; or NULL */
	GHashTable *vertices; /* set of struct vertex that the job holds; solver thread */
	GPtrArray *imports;   /* of solver_import * (refs); changed by the solver thread, with mu */
	GMutex mu;
	GHashTable *sinks; /* digest text to ref; mu guards it */
	solver_load_fn load;
	void *load_data;
	unsigned n_nested; /* nested definitions; solver thread */
	unsigned n_loads;  /* tasks that may call load; mu */
	GCond loaded;      /* with mu: n_loads changed */
};

/* vertex.c */
void job_drop_all(solver_job *job);
/* The jobs hold a vertex, with everything that it needs. */
void jobs_add_closure(const GPtrArray *jobs, struct vertex *v);
const struct llb_vertex *vertex_resolved(struct vertex *v);
struct vertex *job_load_vertex(solver_job *job, const struct llb_vertex *llb);
/* Drops the vertex's lost results and its failures. */
void vertex_reopen(struct vertex *v);
void vertex_free_if_idle(struct vertex *v);
/* Returns everything that it needs, itself included, with forwards resolved. Borrowed pointers; g_ptr_array_unref. */
GPtrArray *vertex_closure(struct vertex *v);

/* ---- nested definitions (nest.c) */

/* The job of a task whose op has a definition; solver thread. */
void nest_borrow_job(struct task *t);
/* Thread: any. */
void nest_return_job(struct task *t);
void nest_wait_for_loads(solver_job *job);
/* Sets t->nested; on a worker. */
bool nest_load(struct task *t, struct work *work);
/* The vertex's op has read a definition (NULL: scratch): builds its result. */
void nest_open(struct vertex *v, const llb_definition *definition);
/* The edge has a result or failed. */
void nest_answer(struct request *r, const struct edge *e);
/* No longer waits. */
void nest_stop(struct vertex *v);

/* ---- the solver */

typedef void (*message_fn)(solver *s, void *data);
struct solver {
	struct solver_options options;
	key_store *keys;
	GThread *thread;
	GAsyncQueue *messages;
	pool *pool;
	GArray *deferred;       /* struct deferred (solver.c) of this turn */
	GHashTable *active;     /* digest text to struct vertex; solver thread */
	GQueue dirty;           /* of struct edge */
	GHashTable *edge_index; /* text to GPtrArray of struct edge */
	int slots_used;
	GQueue slot_queue; /* of struct task */
	GArray *reports; /* of struct report (report.c): sent at the end of this turn, or after the keys are written */
	GThread *writer; /* writes keys */
	GAsyncQueue *batches;                 /* input of the writer */
	bool flush_running, reporting;        /* the writer is running; with reports to send */
	gint64 flush_at_us;                   /* monotonic; 0: nothing to write */
	gint running, n_vertices, n_requests; /* atomic */
	GMutex mu;
	GCond emptied;    /* with mu: n_vertices became 0 */
	GHashTable *jobs; /* id to solver_job, borrowed; mu guards it */
};
/* report.c: success is reported to clients after the keys that make it durable are written. */
#define FLUSH_DELAY_US 200000
bool report_start(solver *s, GError **error);
void report_stop(solver *s); /* call after the solver thread has ended */
void report_complete(solver *s, progress_sink *sink, int64_t completed_ns, bool cached);
void report_answer(solver *s, struct request *r, void *result /* taken */,
		   struct failure *failure /* ref taken, or NULL */);
/* Holds the events of a step that starts now until the preceding reports were sent. */
void report_after(solver *s, progress_sink *sink);
/* Called at the end of each turn of the solver thread. */
void report_turn(solver *s);

/* solver.c */
/* Thread: any. fn runs on the solver thread. */
void solver_post(solver *s, message_fn fn, void *data);
/* A thread that waits for a message's end. */
struct solver_wait {
	GMutex mu;
	GCond changed;
	bool done;
};
/* Posts fn and waits until it, or a message that follows from it, calls solver_wait_end. Not on the solver thread. */
void solver_post_and_wait(solver *s, message_fn fn, void *data, struct solver_wait *wait);
void solver_wait_end(struct solver_wait *wait);
/* Runs fn on a worker after this turn, for operations that may take long and have no result. */
void solver_defer(solver *s, void (*fn)(solver *s, void *data), void *data);
void solver_pool_push(solver *s, struct task *t);
void *result_ref(solver *s, void *result);
/* Drops the reference on a worker after this turn, because the last one may remove files. */
void result_unref_later(solver *s, void *result);
