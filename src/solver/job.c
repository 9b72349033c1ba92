/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and their requests: the public API of the solver. */
#include "solver/graph.h"
#include "base/hash_walk.h"
#include "session/session.h"
#include <string.h>

struct waiting_call {
	solver_job *job;
	struct solver_wait wait;
};

/* ---- jobs */

solver_job *solver_job_new(solver *s, const struct solver_job_options *options, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	if (g_hash_table_contains(s->jobs, options->id))
		return error_null(error, ERROR_ALREADY_EXISTS, "job ID %s exists", options->id);
	solver_job *job = g_new0(solver_job, 1);
	job->solver = s;
	job->id = g_strdup(options->id);
	job->sessions = options->sessions ? session_group_ref(options->sessions) : NULL;
	job->log = options->log ? progress_log_ref(options->log) : NULL;
	job->attrs = options->attrs ? g_hash_table_ref(options->attrs) : NULL;
	job->compat_version = options->compat_version;
	job->load = options->load;
	job->load_data = options->load_data;
	job->pins = pins_new();
	job->span = trace_span_ref(trace_current());
	job->vertices = g_hash_table_new(NULL, NULL);
	job->imports = g_ptr_array_new_with_free_func((GDestroyNotify)solver_import_unref);
	g_mutex_init(&job->mu);
	g_cond_init(&job->loaded);
	job->sinks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)progress_sink_unref);
	g_hash_table_insert(s->jobs, job->id, job);
	return job;
}

static void leave(solver *s, void *data)
{
	struct waiting_call *call = data;
	job_drop_all(call->job);
	solver_wait_end(&call->wait);
}

static void reopen(solver *s, void *data)
{
	struct waiting_call *call = data;
	for (struct hash_walk it = hash_walk(call->job->vertices); hash_walk_next(&it);)
		vertex_reopen(it.key);
	for (struct hash_walk it = hash_walk(call->job->vertices); hash_walk_next(&it);)
		vertex_touch(it.key);
	solver_wait_end(&call->wait);
}

void solver_job_reopen(solver_job *job)
{
	struct waiting_call call = {.job = job};
	solver_post_and_wait(job->solver, reopen, &call, &call.wait);
}

struct addition {
	solver_job *job;
	solver_import *import; /* ref */
};

static void add_import(solver *s, void *data)
{
	struct addition *a = data;
	g_mutex_lock(&a->job->mu);
	g_ptr_array_add(a->job->imports, a->import);
	g_mutex_unlock(&a->job->mu);
	g_free(a);
}

/* The job still exists when the message arrives, because it ends with a message of the same queue. */
void solver_job_add_import(solver_job *job, solver_import *import)
{
	struct addition *a = g_new(struct addition, 1);
	*a = (struct addition){job, solver_import_ref(import)};
	solver_post(job->solver, add_import, a);
}

void solver_job_free(solver_job *job)
{
	if (!job)
		return;
	struct waiting_call call = {.job = job};
	solver_post_and_wait(job->solver, leave, &call, &call.wait);
	nest_wait_for_loads(job);
	g_mutex_lock(&job->solver->mu);
	g_hash_table_remove(job->solver->jobs, job->id);
	g_mutex_unlock(&job->solver->mu);
	g_clear_pointer(&job->sessions, session_group_unref);
	g_clear_pointer(&job->log, progress_log_unref);
	g_clear_pointer(&job->span, trace_span_unref);
	g_clear_pointer(&job->attrs, g_hash_table_unref);
	pins_close(job->pins); /* not with the last task, because it may remove files */
	pins_unref(job->pins);
	g_hash_table_unref(job->vertices);
	g_ptr_array_unref(job->imports);
	g_hash_table_unref(job->sinks);
	g_mutex_clear(&job->mu);
	g_cond_clear(&job->loaded);
	g_free(job->id);
	g_free(job);
}

const char *solver_job_id(const solver_job *job)
{
	return job->id;
}

GHashTable *solver_job_attrs(const solver_job *job)
{
	return job->attrs;
}

/* ---- requests */

struct request *request_new(solver_job *job, const struct llb_vertex *llb, int64_t index)
{
	struct request *r = g_new0(struct request, 1);
	r->refs = 1;
	r->solver = job->solver;
	r->job = job;
	r->llb = llb;
	r->definition = llb_definition_ref(llb->owner);
	r->index = index;
	r->span = trace_span_ref(trace_current());
	g_mutex_init(&r->mu);
	g_cond_init(&r->changed);
	return r;
}

struct request *request_ref(struct request *r)
{
	g_atomic_int_inc(&r->refs);
	return r;
}

void request_unref(struct request *r)
{
	if (!g_atomic_int_dec_and_test(&r->refs))
		return;
	if (r->result) /* the caller gave up before the answer came */
		solver_post(r->solver, result_unref_later, r->result);
	failure_unref(r->failure);
	llb_definition_unref(r->definition);
	trace_span_unref(r->span);
	g_mutex_clear(&r->mu);
	g_cond_clear(&r->changed);
	g_free(r);
}

void request_finish(struct request *r, void *result, struct failure *failure)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->mu);
	r->result = result;
	r->failure = failure;
	r->done = true;
	g_cond_signal(&r->changed);
}

static void request_open(solver *s, void *data)
{
	struct request *r = data;
	g_mutex_lock(&r->mu);
	bool canceled = r->canceled;
	g_mutex_unlock(&r->mu);
	if (!canceled) {
		if (r->span) {
			trace_span_unref(r->job->span);
			r->job->span = trace_span_ref(r->span);
		}
		struct vertex *v = job_load_vertex(r->job, r->llb);
		r->edge = edge_resolve(vertex_edge(v, r->index));
		edge_watch(r->edge, (struct watcher){.request = r});
	}
	g_atomic_int_inc(&r->solver->n_requests);
	request_unref(r);
}

static void request_close(solver *s, void *data)
{
	struct request *r = data;
	if (r->edge) {
		edge_unwatch(r->edge, NULL, r);
		r->edge = NULL;
	}
	g_mutex_lock(&r->mu);
	r->done = true; /* with the answer that arrived meanwhile, if any */
	g_cond_signal(&r->changed);
	g_mutex_unlock(&r->mu);
	request_unref(r);
}

static void request_cancel(void *data)
{
	struct request *r = data;
	g_mutex_lock(&r->mu);
	r->canceled = true;
	g_mutex_unlock(&r->mu);
	solver_post(r->solver, request_close, request_ref(r));
}

/* Source locations are those of the requesting build, even if another build's vertex failed. */
static void annotate(const struct request *r, const struct failure *f, GError *error)
{
	if (!f->vertex)
		return;
	size_t n;
	const struct llb_vertex *const *own = llb_definition_vertices(r->definition, &n);
	for (size_t i = 0; i < n; i++) {
		if (digest_equal(&own[i]->digest, &f->vertex->digest)) {
			llb_vertex_annotate_error(own[i], error);
			return;
		}
	}
	llb_vertex_annotate_error(f->vertex, error);
}

/* A canceled request may get its answer from the writer of keys at the same time. */
static bool request_answer(struct request *r, cancel *c, void **ret_result, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&r->mu);
	if (r->failure) {
		g_autoptr(GError) copy = g_error_copy(r->failure->error);
		annotate(r, r->failure, copy);
		return error_propagate(error, g_steal_pointer(&copy));
	}
	if (r->canceled && !r->result)
		return cancel_check(c, error);
	*ret_result = g_steal_pointer(&r->result);
	return true;
}

bool solver_job_build(solver_job *job, const struct llb_vertex *vertex, int64_t index, cancel *c, void **ret_result,
		      GError **error)
{
	if (!cancel_check(c, error))
		return false;
	struct request *r = request_new(job, vertex, index);
	solver_post(job->solver, request_open, request_ref(r));
	guint on_cancel = c ? cancel_add(c, request_cancel, r) : 0;
	g_mutex_lock(&r->mu);
	while (!r->done)
		g_cond_wait(&r->changed, &r->mu);
	g_mutex_unlock(&r->mu);
	if (on_cancel)
		cancel_remove(c, on_cancel);
	bool ok = request_answer(r, c, ret_result, error);
	request_unref(r);
	return ok;
}

/* ---- vertices that are not in the graph */

progress_sink *solver_job_sink(solver_job *job, const char *digest, const char *name)
{
	progress_sink *sink = progress_sink_new(&(struct progress_vertex){.digest = digest, .name = name});
	progress_sink_add(sink, job->log);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mu);
	g_hash_table_replace(job->sinks, g_strdup(digest), progress_sink_ref(sink));
	return sink;
}

progress_sink *solver_job_find_sink(solver_job *job, const char *digest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mu);
	return progress_sink_ref(g_hash_table_lookup(job->sinks, digest));
}

bool solver_job_run_vertex(solver_job *job, const char *digest, const char *name, cancel *c,
			   bool (*fn)(void *data, struct work *work, GError **error), void *data, GError **error)
{
	g_autoptr(progress_sink) sink = solver_job_sink(job, digest, name);
	g_autoptr(GError) why = NULL;
	pins *const own[] = {job->pins, NULL};
	struct work work = {.cancel = c,
			    .sessions = job->sessions,
			    .progress = sink,
			    .pins = own,
			    .compat_version = job->compat_version};
	g_auto(trace_scope) scope = trace_scope_begin(name, TRACE_INTERNAL);
	progress_sink_start(sink);
	bool ok = fn(data, &work, &why);
	trace_fail(scope.span, why);
	progress_sink_complete(sink, ok ? NULL : why ? why->message : "failed", false);
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return ok;
}
