/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work of ops: cache maps, content keys, runs, loads. Tasks start and are answered on the solver thread and run on a
 * worker.
 */
#include "solver/graph.h"
#include <string.h>

#define KEY_FAILED "failed to compute cache key: "

/* ---- failures */

struct failure *failure_new(GError *error, const struct llb_vertex *vertex)
{
	struct failure *f = g_new0(struct failure, 1);
	f->refs = 1;
	f->error = error;
	error_convert(&f->error);
	f->vertex = vertex;
	if (vertex)
		f->definition = llb_definition_ref(vertex->owner);
	return f;
}

struct failure *failure_ref(struct failure *f)
{
	g_atomic_int_inc(&f->refs);
	return f;
}

void failure_unref(struct failure *f)
{
	if (!f || !g_atomic_int_dec_and_test(&f->refs))
		return;
	g_error_free(f->error);
	g_clear_pointer(&f->definition, llb_definition_unref);
	g_free(f);
}

static void vertex_fail(struct vertex *v, GError *error, const char *prefix)
{
	g_prefix_error(&error, "%s", prefix);
	failure_unref(v->failure);
	v->failure = failure_new(error, v->llb);
	vertex_touch(v);
}

/* ---- starting */

static bool takes_slot(const struct task *t)
{
	return t->kind == TASK_EXEC && t->vertex->op.class->takes_slot &&
	       t->vertex->solver->options.max_parallelism > 0;
}

/* Hands it to a worker, or queues it for a slot. */
static void hand_out(solver *s, struct task *t)
{
	t->since_us = g_get_monotonic_time();
	if (takes_slot(t)) {
		if (s->slots_used >= s->options.max_parallelism) {
			t->waits_for_slot = true;
			g_queue_push_tail(&s->slot_queue, t);
			return;
		}
		t->has_slot = true;
		s->slots_used++;
	}
	g_atomic_int_inc(&s->running);
	solver_pool_push(s, t);
}

static void dispatch(solver *s, struct task *t)
{
	if (t->kind == TASK_EXEC || t->kind == TASK_LOAD)
		report_after(s, t->vertex->sink);
	hand_out(s, t);
}

static struct task *task_new(struct vertex *v, enum task_kind kind)
{
	struct task *t = g_new0(struct task, 1);
	t->kind = kind;
	t->vertex = v;
	t->cancel = cancel_new(NULL);
	t->jobs = g_ptr_array_copy(v->jobs, NULL, NULL);
	t->sessions = session_group_ref(v->sessions);
	t->pins = g_new0(pins *, v->jobs->len + 1);
	for (guint i = 0; i < v->jobs->len; i++) {
		const solver_job *job = v->jobs->pdata[i];
		t->pins[i] = pins_ref(job->pins);
		if (i == 0)
			t->compat_version = job->compat_version;
		else if (t->compat_version != job->compat_version)
			t->compat_conflict = job->compat_version;
	}
	t->span = trace_span_ref(v->span);
	v->n_tasks++;
	if (kind == TASK_EXEC)
		nest_borrow_job(t);
	return t;
}

static void dispatch_queued(solver *s)
{
	while (s->slots_used < s->options.max_parallelism && !g_queue_is_empty(&s->slot_queue)) {
		struct task *t = g_queue_pop_head(&s->slot_queue);
		t->waits_for_slot = false;
		hand_out(s, t);
	}
}

void task_cancel(struct task *t)
{
	if (!t)
		return;
	cancel_set(t->cancel, ERROR_CANCELED, NULL);
	solver *s = t->vertex->solver;
	if (t->waits_for_slot && g_queue_remove(&s->slot_queue, t)) {
		t->waits_for_slot = false;
		cancel_check(t->cancel, &t->error);
		solver_post(s, task_done, t);
	}
}

void tasks_cancel_all(struct vertex *v)
{
	task_cancel(v->map_task);
	task_cancel(v->exec_task);
	for (size_t i = 0; i < v->n_inputs; i++)
		task_cancel(v->content[i].task);
	for (guint i = 0; i < v->edges->len; i++)
		task_cancel(((struct edge *)v->edges->pdata[i])->load_task);
}

/* Creates the op when it is first needed; an error of the resolver is reported as a cache-key error. */
static bool op_ensure(struct vertex *v)
{
	if (v->op_made)
		return true;
	g_autoptr(GError) error = NULL;
	solver *s = v->solver;
	solver_job *job = v->jobs->len > 0 ? v->jobs->pdata[0] : NULL;
	if (s->options.resolve(s->options.data, vertex_resolved(v), job, &v->op, &error)) {
		v->op_made = true;
		return true;
	}
	vertex_fail(v, g_steal_pointer(&error), "failed to load cache key: ");
	return false;
}

static struct work work_of(const struct task *t)
{
	return (struct work){.cancel = t->cancel,
			     .sessions = t->sessions,
			     .progress = t->vertex->sink,
			     .pins = t->pins,
			     .compat_version = t->compat_version,
			     .compat_conflict = t->compat_conflict};
}

/* Begins the span of a task; the thread's current span is that of the vertex. */
static trace_scope span_begin(const struct task *t, const char *prefix)
{
	const struct vertex *v = t->vertex;
	if (!trace_current())
		return (trace_scope){0};
	g_autofree char *name = g_strconcat(prefix, v->llb->name, NULL);
	trace_scope scope = trace_scope_begin(name, TRACE_INTERNAL);
	trace_put_text(scope.span, "vertex", v->digest.text);
	return scope;
}

/* A canceled task is no failure: its result is no longer needed. */
static void span_fail(const struct task *t, trace_span *span)
{
	if (!cancel_is_set(t->cancel))
		trace_fail(span, t->error);
}

static void map_run(struct task *t)
{
	struct vertex *v = t->vertex;
	struct work work = work_of(t);
	bool visible = v->n_inputs == 0; /* sources report their key and their snapshot */
	g_auto(trace_scope) scope = {0};
	if (visible)
		scope = span_begin(t, "cache request: ");
	if (visible)
		progress_sink_start(v->sink);
	t->ok = v->op.class->cache_map(v->op.self, &work, t->phase, &t->map, &t->error);
	span_fail(t, scope.span);
	if (visible)
		progress_sink_complete(v->sink, t->ok ? NULL : t->error->message, false);
}

void task_start_map(struct vertex *v)
{
	if (!op_ensure(v))
		return;
	struct task *t = task_new(v, TASK_MAP);
	t->phase = v->maps->len;
	t->since_us = g_get_monotonic_time();
	v->map_task = t;
	if (!v->op.map_is_pure) {
		dispatch(v->solver, t);
		return;
	}
	g_atomic_int_inc(&v->solver->running);
	map_run(t);
	task_done(v->solver, t);
}

void task_start_content(struct vertex *v, size_t input, void *result)
{
	struct task *t = task_new(v, TASK_CONTENT);
	t->input = input;
	t->n_inputs = 1;
	t->inputs = g_new0(void *, 1);
	t->inputs[0] = result_ref(v->solver, result);
	v->content[input].task = t;
	dispatch(v->solver, t);
}

void task_start_exec(struct edge *e)
{
	struct vertex *v = e->vertex;
	struct task *t = task_new(v, TASK_EXEC);
	t->n_inputs = v->n_inputs;
	t->inputs = g_new0(void *, v->n_inputs + 1);
	for (size_t i = 0; i < v->n_inputs; i++)
		t->inputs[i] = result_ref(v->solver, edge_resolve(e->deps[i].edge)->result);
	t->outputs = g_new0(void *, v->llb->n_outputs + 1);
	t->output_ids = g_new0(char *, v->llb->n_outputs + 1);
	v->exec_task = t;
	dispatch(v->solver, t);
}

void task_start_load(struct edge *e, const struct record *record)
{
	struct task *t = task_new(e->vertex, TASK_LOAD);
	t->edge = e;
	record_copy(&t->record, record);
	e->load_task = t;
	dispatch(e->vertex->solver, t);
}

/* ---- on a worker */

static void content_run(struct task *t)
{
	struct vertex *v = t->vertex;
	struct work work = work_of(t);
	t->ok = v->op.class->content_key(v->op.self, &work, (unsigned)t->input, t->inputs[0], &t->digest, &t->error);
}

static bool inputs_prepare(struct task *t, struct work *work)
{
	const struct solver_op *op = &t->vertex->op;
	for (size_t i = 0; op->class->prepare && i < t->n_inputs; i++)
		if (t->inputs[i] && !op->class->prepare(op->self, work, (unsigned)i, t->inputs[i], &t->error))
			return false;
	return true;
}

static void exec_run(struct task *t)
{
	struct vertex *v = t->vertex;
	const struct solver_result_class *results = v->solver->options.results;
	struct work work = work_of(t);
	size_t n = v->llb->n_outputs;
	bool prepared = inputs_prepare(t, &work);
	progress_sink_start(v->sink);
	if (!prepared) {
		progress_sink_complete(v->sink, t->error->message, false);
		g_prefix_error(&t->error, KEY_FAILED);
		return;
	}
	if (v->op.class->definition) {
		t->ok = nest_load(t, &work);
		if (!t->ok)
			progress_sink_complete(v->sink, t->error->message, false);
		return;
	}
	g_auto(trace_scope) scope = span_begin(t, "");
	t->ok = v->op.class->exec(v->op.self, &work, t->inputs, t->n_inputs, t->outputs, n, &t->error);
	for (size_t i = 0; t->ok && i < n; i++) {
		int64_t created = 0;
		t->output_ids[i] = results->save(v->solver->options.data, t->outputs[i], &created);
	}
	t->created_ns = t->completed_ns = progress_now_ns();
	span_fail(t, scope.span);
	if (!t->ok)
		progress_sink_complete(v->sink, t->error->message, false);
}

static bool load_own(struct task *t, struct work *work)
{
	const struct solver_options *o = &t->vertex->solver->options;
	return !*t->record.result || o->results->load(o->data, t->record.result, work, &t->result, &t->error);
}

static bool load_import(struct task *t, struct work *work)
{
	const struct solver_options *o = &t->vertex->solver->options;
	int64_t created_ns;
	if (!import_load(t->record.import, t->record.import_record, t->record.import_result, work, &t->result,
			 &t->error))
		return false;
	t->result_id = o->results->save(o->data, t->result, &created_ns);
	return true;
}

static void load_run(struct task *t)
{
	struct vertex *v = t->vertex;
	struct work work = work_of(t);
	g_auto(trace_scope) scope = span_begin(t, "load cache: ");
	progress_sink_start_cached(v->sink);
	t->ok = t->record.import ? load_import(t, &work) : load_own(t, &work);
	t->completed_ns = progress_now_ns();
	span_fail(t, scope.span);
	if (!t->ok)
		progress_sink_complete(v->sink, t->error->message, true);
}

void task_run(struct task *t)
{
	static void (*const runs[])(struct task *) = {
		[TASK_MAP] = map_run,
		[TASK_CONTENT] = content_run,
		[TASK_EXEC] = exec_run,
		[TASK_LOAD] = load_run,
	};
	g_auto(trace_scope) scope = trace_scope_enter(t->span);
	if (cancel_check(t->cancel, &t->error))
		runs[t->kind](t);
	if (!t->ok && !t->error)
		error_set(&t->error, ERROR_INTERNAL, "internal error: %s failed without setting an error",
			  t->vertex->llb->name);
	for (size_t i = 0; i < t->n_inputs; i++) /* here, because the last reference may remove files */
		if (t->inputs[i])
			t->vertex->solver->options.results->unref(t->inputs[i]);
	t->n_inputs = 0;
	nest_return_job(t);
}

/* ---- results */

/*
 * A failure that is not a result: the task was canceled, or it may have used the session of a build that has left while
 * other builds still wait.
 */
static bool is_stale(const struct task *t)
{
	if (t->ok)
		return false;
	if (cancel_is_set(t->cancel))
		return true;
	GPtrArray *now = t->vertex->jobs;
	for (guint i = 0; i < t->jobs->len && now->len > 0; i++)
		if (!g_ptr_array_find(now, t->jobs->pdata[i], NULL))
			return true;
	return false;
}

static void map_done(struct task *t)
{
	struct vertex *v = t->vertex;
	v->map_task = NULL;
	if (is_stale(t))
		return;
	if (!t->ok) {
		vertex_fail(v, g_steal_pointer(&t->error), "failed to load cache key: ");
		return;
	}
	struct cache_map map = t->map;
	if (!map.inputs)
		map.inputs = g_new0(struct cache_map_input, v->n_inputs + 1);
	t->map.inputs = NULL;
	g_array_append_val(v->maps, map);
	v->maps_done = map.last;
}

static void content_done(struct task *t)
{
	struct vertex *v = t->vertex;
	v->content[t->input].task = NULL;
	if (is_stale(t))
		return;
	if (t->ok) {
		g_strlcpy(v->content[t->input].digest, t->digest.text, DIGEST_TEXT_SIZE);
		return;
	}
	/*
	 * Reported only now: an error of a key that is no longer needed does not count as a failure, and its vertex did
	 * not start.
	 */
	progress_sink_start(v->sink);
	progress_sink_complete(v->sink, t->error->message, false);
	vertex_fail(v, g_steal_pointer(&t->error), KEY_FAILED);
}

static void exec_done(struct task *t)
{
	struct vertex *v = t->vertex;
	v->exec_task = NULL;
	if (t->ok && v->op.class->definition) {
		nest_open(v, t->nested);
	} else if (t->ok && !v->outputs) {
		v->outputs = g_steal_pointer(&t->outputs);
		v->output_ids = g_steal_pointer(&t->output_ids);
		v->created_ns = t->created_ns;
	} else if (!t->ok && !is_stale(t)) {
		vertex_fail(v, g_steal_pointer(&t->error), "");
	}
}

static void load_done(struct task *t)
{
	struct edge *e = t->edge;
	e->load_task = NULL;
	if (is_stale(t))
		return;
	edge_load_done(e, t, g_steal_pointer(&t->result));
}

static void task_free(struct task *t)
{
	solver *s = t->vertex->solver;
	size_t n_outputs = t->vertex->llb->n_outputs;
	for (size_t i = 0; i < t->n_inputs; i++) /* canceled before it ran */
		result_unref_later(s, t->inputs[i]);
	for (size_t i = 0; t->outputs && i < n_outputs; i++)
		result_unref_later(s, t->outputs[i]);
	for (size_t i = 0; t->output_ids && i < n_outputs; i++)
		g_free(t->output_ids[i]);
	result_unref_later(s, t->result);
	nest_return_job(t);
	llb_definition_unref(t->nested);
	for (size_t i = 0; t->map.inputs && i < t->vertex->n_inputs; i++)
		g_free(t->map.inputs[i].selector);
	g_free(t->map.inputs);
	g_free(t->inputs);
	g_free(t->outputs);
	g_free(t->output_ids);
	record_clear(&t->record);
	g_free(t->result_id);
	g_clear_error(&t->error);
	session_group_unref(t->sessions);
	g_ptr_array_unref(t->jobs);
	for (pins **p = t->pins; *p; p++)
		pins_unref(*p);
	g_free(t->pins);
	cancel_unref(t->cancel);
	trace_span_unref(t->span);
	g_free(t);
}

void task_done(solver *s, void *data)
{
	static void (*const answers[])(struct task *) = {
		[TASK_MAP] = map_done,
		[TASK_CONTENT] = content_done,
		[TASK_EXEC] = exec_done,
		[TASK_LOAD] = load_done,
	};
	struct task *t = data;
	struct vertex *v = t->vertex;
	bool ran = !takes_slot(t) || t->has_slot;
	if (ran)
		g_atomic_int_add(&s->running, -1);
	if (t->has_slot) {
		s->slots_used--;
		dispatch_queued(s);
	}
	if (!v->detached)
		answers[t->kind](t);
	if (t->ok && ((t->kind == TASK_EXEC && !v->op.class->definition) || t->kind == TASK_LOAD))
		report_complete(s, v->sink, t->completed_ns, t->kind == TASK_LOAD);
	task_free(t);
	v->n_tasks--;
	if (v->detached)
		vertex_free_if_idle(v);
	else
		vertex_touch(v);
}
