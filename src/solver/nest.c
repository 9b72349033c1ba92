/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nested definitions: an op reads a definition (class->definition), whose result becomes the output of its vertex. The
 * jobs of the vertex then hold the vertices of the definition, and the vertex waits for one of their edges; no thread
 * waits.
 */
#include "api/guard.h"
#include "base/limits.h"
#include "solver/graph.h"

/* ---- loading, on a worker */

void nest_borrow_job(struct task *t)
{
	struct vertex *v = t->vertex;
	if (!v->op.class->definition || v->jobs->len == 0)
		return;
	t->nest_job = v->jobs->pdata[0];
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&t->nest_job->mu);
	t->nest_job->n_loads++;
}

void nest_return_job(struct task *t)
{
	solver_job *job = g_steal_pointer(&t->nest_job);
	if (!job)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mu);
	job->n_loads--;
	g_cond_broadcast(&job->loaded);
}

void nest_wait_for_loads(solver_job *job)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mu);
	while (job->n_loads > 0)
		g_cond_wait(&job->loaded, &job->mu);
}

bool nest_load(struct task *t, struct work *work)
{
	const struct solver_op *op = &t->vertex->op;
	const solver_job *job = t->nest_job;
	if (!job || !job->load)
		return error_set(&t->error, ERROR_UNIMPLEMENTED, "nested definitions are not supported here");
	Pb__Definition *read = op->class->definition(op->self, work, t->inputs, t->n_inputs, &t->error);
	bool ok = read && job->load(job->load_data, read, work, &t->nested, &t->error);
	guard_free(read);
	return ok;
}

/* ---- on the solver thread */

static void nest_complete(struct vertex *v, void *result /* taken */)
{
	solver *s = v->solver;
	if (v->outputs) { /* the vertex was built again because another result was lost */
		result_unref_later(s, result);
		vertex_touch(v);
		return;
	}
	v->outputs = g_new0(void *, v->llb->n_outputs + 1);
	v->output_ids = g_new0(char *, v->llb->n_outputs + 1);
	v->outputs[0] = result;
	v->output_ids[0] = s->options.results->save(s->options.data, result, &v->created_ns);
	v->created_ns = progress_now_ns();
	report_complete(s, v->sink, v->created_ns, false);
	vertex_touch(v);
}

static void nest_fail(struct vertex *v, struct failure *failure /* ref taken */)
{
	failure_unref(v->failure);
	v->failure = failure;
	progress_sink_complete(v->sink, failure->error->message, false);
	vertex_touch(v);
}

static void nest_fail_text(struct vertex *v, GError *error /* taken */)
{
	nest_fail(v, failure_new(error, v->llb));
}

/* A vertex that waits for itself, directly or through others that wait for it, would never end. */
static bool is_needed_by(struct vertex *v, struct vertex *nested)
{
	g_autoptr(GPtrArray) all = vertex_closure(nested);
	return g_ptr_array_find(all, v, NULL);
}

void nest_open(struct vertex *v, const llb_definition *definition)
{
	GError *error = NULL;
	int64_t index = 0;
	const struct llb_vertex *target = definition ? llb_definition_result(definition, &index) : NULL;
	solver_job *job = v->jobs->len > 0 ? v->jobs->pdata[0] : NULL;
	if (!target) {
		nest_complete(v, NULL);
		return;
	}
	if (!job)
		return;
	if (++job->n_nested > LIMIT_NESTED_DEFINITIONS) {
		error_set(&error, ERROR_RESOURCE_EXHAUSTED, "build has more than %lld nested definitions",
			  LIMIT_NESTED_DEFINITIONS);
		nest_fail_text(v, error);
		return;
	}
	struct vertex *nested = job_load_vertex(job, target);
	jobs_add_closure(v->jobs, nested); /* as they hold the vertex's inputs */
	if (is_needed_by(v, nested)) {
		error_set(&error, ERROR_INVALID_ARGUMENT,
			  "nested definition needs the result of the vertex that reads it");
		nest_fail_text(v, error);
		return;
	}
	v->nested = nested;
	v->nest = request_new(job, target, index);
	v->nest->vertex = v;
	v->nest->edge = edge_resolve(vertex_edge(nested, index));
	edge_watch(v->nest->edge, (struct watcher){.request = v->nest});
}

void nest_answer(struct request *r, const struct edge *e)
{
	struct vertex *v = r->vertex;
	struct failure *failure = edge_failure(e);
	v->nest = NULL;
	if (e->has_result)
		nest_complete(v, result_ref(v->solver, e->result));
	else
		nest_fail(v, failure_ref(failure));
	request_unref(r);
}

void nest_stop(struct vertex *v)
{
	struct request *r = g_steal_pointer(&v->nest);
	if (!r)
		return;
	edge_unwatch(edge_resolve(r->edge), NULL, r);
	progress_sink_complete(v->sink, "context canceled", false);
	request_unref(r);
}
