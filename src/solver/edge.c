/* SPDX-License-Identifier: Apache-2.0 */
/* Applies edge_decide: collects facts, carries out the plan, notifies the watchers. */
#include "solver/graph.h"
#include <string.h>

struct edge *edge_resolve(struct edge *e)
{
	while (e->forward)
		e = e->forward;
	return e;
}

struct edge *vertex_edge_find(const struct vertex *v, int64_t index)
{
	for (guint i = 0; i < v->edges->len; i++)
		if (((struct edge *)v->edges->pdata[i])->index == index)
			return v->edges->pdata[i];
	return NULL;
}

void record_clear(struct record *r)
{
	g_free(r->key);
	g_free(r->result);
	g_clear_pointer(&r->import, solver_import_unref);
}

void record_copy(struct record *to, const struct record *from)
{
	*to = *from;
	to->key = g_strdup(from->key);
	to->result = g_strdup(from->result);
	to->import = from->import ? solver_import_ref(from->import) : NULL;
}

struct edge *vertex_edge(struct vertex *v, int64_t index)
{
	struct edge *e = vertex_edge_find(v, index);
	if (e)
		return e;
	e = g_new0(struct edge, 1);
	e->vertex = v;
	e->index = index;
	e->watchers = g_array_new(FALSE, FALSE, sizeof(struct watcher));
	e->keys = g_ptr_array_new_with_free_func(g_free);
	e->key_set = g_hash_table_new(g_str_hash, g_str_equal);
	e->result_keys = g_ptr_array_new_with_free_func(g_free);
	e->records = g_array_new(FALSE, FALSE, sizeof(struct record));
	g_array_set_clear_func(e->records, (GDestroyNotify)record_clear);
	e->tried = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	e->index_texts = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(v->edges, e);
	return e;
}

void edge_free(struct edge *e)
{
	for (size_t i = 0; e->deps && i < e->vertex->n_inputs; i++) {
		g_hash_table_unref(e->deps[i].matches);
		g_clear_pointer(&e->deps[i].extra_keys, g_ptr_array_unref);
	}
	g_free(e->deps);
	g_array_unref(e->watchers);
	g_hash_table_unref(e->key_set);
	g_ptr_array_unref(e->keys);
	g_ptr_array_unref(e->result_keys);
	g_array_unref(e->records);
	g_hash_table_unref(e->tried);
	g_ptr_array_unref(e->index_texts);
	result_unref_later(e->vertex->solver, e->result);
	failure_unref(e->failure);
	g_free(e);
}

struct failure *edge_failure(const struct edge *e)
{
	return e->failure ? e->failure : e->vertex->failure;
}

void edge_touch(struct edge *e)
{
	e = edge_resolve(e);
	if (e->queued || e->vertex->detached)
		return;
	e->queued = true;
	g_queue_push_tail(&e->vertex->solver->dirty, e);
}

void vertex_touch(struct vertex *v)
{
	for (guint i = 0; i < v->edges->len; i++)
		if (!((struct edge *)v->edges->pdata[i])->forward)
			edge_touch(v->edges->pdata[i]);
}

/* ---- watchers */

void edge_watch(struct edge *e, struct watcher w)
{
	g_array_append_val(e->watchers, w);
	edge_touch(e);
}

void edge_unwatch(struct edge *e, const struct edge *by, const struct request *request)
{
	for (guint i = e->watchers->len; i > 0; i--) {
		struct watcher *w = &g_array_index(e->watchers, struct watcher, i - 1);
		if (by ? w->edge == by : w->request == request)
			g_array_remove_index_fast(e->watchers, i - 1);
	}
	edge_touch(e);
}

static enum edge_state desired_now(const struct edge *e)
{
	enum edge_state desired = EDGE_INITIAL;
	for (guint i = 0; i < e->watchers->len; i++) {
		const struct watcher *w = &g_array_index(e->watchers, struct watcher, i);
		desired = MAX(desired, w->request ? EDGE_COMPLETE : w->edge->deps[w->dep].desired);
	}
	return desired;
}

static void notify_watchers(struct edge *e)
{
	for (guint i = e->watchers->len; i > 0; i--) {
		struct watcher w = g_array_index(e->watchers, struct watcher, i - 1);
		if (w.edge) {
			edge_touch(w.edge);
			continue;
		}
		struct failure *failure = edge_failure(e);
		if (!failure && !e->has_result)
			continue;
		g_array_remove_index_fast(e->watchers, i - 1);
		w.request->edge = NULL;
		if (w.request->vertex)
			nest_answer(w.request, e);
		else if (e->has_result)
			report_answer(e->vertex->solver, w.request, result_ref(e->vertex->solver, e->result), NULL);
		else
			report_answer(e->vertex->solver, w.request, NULL, failure_ref(failure));
	}
}

/* ---- facts */

static void deps_ensure(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (e->deps || v->n_inputs == 0)
		return;
	e->deps = g_new0(struct dep, v->n_inputs);
	for (size_t i = 0; i < v->n_inputs; i++) {
		struct dep *d = &e->deps[i];
		d->matches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		d->edge = edge_resolve(vertex_edge(v->inputs[i].vertex, v->inputs[i].index));
		edge_watch(d->edge, (struct watcher){.edge = e, .dep = i});
	}
}

static bool has_content(const struct vertex *v, size_t input)
{
	return v->maps->len > 0 && g_array_index(v->maps, struct cache_map, 0).inputs[input].content;
}

static void dep_facts(const struct edge *e, size_t i, struct edge_dep_facts *f)
{
	const struct dep *d = &e->deps[i];
	const struct vertex *v = e->vertex;
	*f = (struct edge_dep_facts){
		.state = edge_resolve(d->edge)->state,
		.has_match = g_hash_table_size(d->matches) > 0,
		.has_content = has_content(v, i),
		.content_known = *v->content[i].digest != '\0',
		.content_running = v->content[i].task != NULL,
	};
}

static void edge_facts(const struct edge *e, struct edge_dep_facts *deps, struct edge_facts *f)
{
	const struct vertex *v = e->vertex;
	for (size_t i = 0; i < v->n_inputs; i++)
		dep_facts(e, i, &deps[i]);
	*f = (struct edge_facts){
		.desired = e->desired,
		.state = e->state,
		.failed = edge_failure(e) != NULL,
		.ignore_cache = v->ignore_cache,
		.has_map = v->maps->len > 0,
		.maps_done = v->maps_done,
		.map_running = v->map_task != NULL,
		.n_keys = e->keys->len,
		.n_records = e->records->len,
		.load_running = e->load_task != NULL,
		.exec_running = v->exec_task || v->nest,
		.has_result = e->has_result,
		.deps = deps,
		.n_deps = v->n_inputs,
	};
}

/* ---- effects */

static void complete(struct edge *e, void *result /* taken */)
{
	e->has_result = true;
	e->result = result;
	e->state = EDGE_COMPLETE;
	g_array_set_size(e->records, 0);
	notify_watchers(e);
}

/* The vertex ran: completes the edge with its output. */
static void take_output(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (e->index < 0 || (size_t)e->index >= v->llb->n_outputs) {
		GError *error = NULL;
		error_set(&error, ERROR_UNKNOWN,
			  "invalid response from exec need %" G_GINT64_FORMAT " index but %zu results received",
			  e->index, v->llb->n_outputs);
		e->failure = failure_new(error, NULL);
		notify_watchers(e);
		return;
	}
	edge_save(e, v->output_ids[e->index]);
	complete(e, result_ref(v->solver, v->outputs[e->index]));
}

/* Newest first; records of equal age in any order. */
static guint best_record(const struct edge *e)
{
	guint best = 0;
	for (guint i = 1; i < e->records->len; i++)
		if (g_array_index(e->records, struct record, i).created_ns >
		    g_array_index(e->records, struct record, best).created_ns)
			best = i;
	return best;
}

void edge_load_done(struct edge *e, const struct task *t, void *result)
{
	const struct record *tried = &t->record;
	if (t->ok) {
		if (tried->import)
			edge_adopt(e, tried, result, t->result_id);
		else
			edge_link_record(e, tried->key);
		complete(e, result);
		return;
	}
	if (!tried->import)
		key_store_forget_pair(e->vertex->solver->keys, tried->key, tried->result);
	g_hash_table_add(e->tried, g_strdup(tried->result));
	for (guint i = e->records->len; i > 0; i--)
		if (strcmp(g_array_index(e->records, struct record, i - 1).result, tried->result) == 0)
			g_array_remove_index_fast(e->records, i - 1);
}

/* If a result is lost, its record is not found again, so that the edge runs or loads another one. */
void edge_reopen(struct edge *e)
{
	solver *s = e->vertex->solver;
	const struct solver_result_class *results = s->options.results;
	g_clear_pointer(&e->failure, failure_unref);
	if (!e->has_result || !e->result || !results->lost || !results->lost(s->options.data, e->result))
		return;
	result_unref_later(s, g_steal_pointer(&e->result));
	e->has_result = false;
	e->state = EDGE_SLOW;
}

/* Stops work that is no longer desired. Work of the vertex continues while another of its edges needs it. */
void edge_stop_undesired(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (e->desired != EDGE_COMPLETE)
		task_cancel(e->load_task);
	bool any = false, any_complete = false;
	for (guint i = 0; i < v->edges->len; i++) {
		const struct edge *other = v->edges->pdata[i];
		any |= other->desired > other->state && !edge_failure(other);
		any_complete |= other->desired == EDGE_COMPLETE && !other->has_result;
	}
	if (!any)
		task_cancel(v->map_task);
	if (!any_complete) {
		task_cancel(v->exec_task);
		nest_stop(v);
	}
	for (size_t i = 0; i < v->n_inputs && !any; i++)
		task_cancel(v->content[i].task);
}

static void apply_deps(struct edge *e, const struct edge_plan *plan)
{
	for (size_t i = 0; i < e->vertex->n_inputs; i++) {
		struct dep *d = &e->deps[i];
		enum edge_state wanted = plan->deps[i].desired;
		/*
		 * A state that was reached is kept: it requests nothing, and lowering it would propagate through the
		 * graph.
		 */
		if (d->desired == wanted || (wanted < d->desired && edge_resolve(d->edge)->state >= d->desired))
			continue;
		d->desired = plan->deps[i].desired;
		edge_touch(d->edge);
	}
	for (size_t i = 0; i < e->vertex->n_inputs; i++)
		if (plan->deps[i].compute_content)
			task_start_content(e->vertex, i, edge_resolve(e->deps[i].edge)->result);
}

static void apply(struct edge *e, const struct edge_plan *plan)
{
	if (plan->state != e->state) {
		e->state = plan->state;
		notify_watchers(e);
	}
	edge_stop_undesired(e);
	if (e->deps)
		apply_deps(e, plan);
	if (plan->load)
		task_start_load(e, &g_array_index(e->records, struct record, best_record(e)));
	else if (plan->exec)
		task_start_exec(e);
	if (plan->want_map)
		task_start_map(e->vertex); /* last: a pure cache map completes immediately */
}

/* A failed input fails the edge with the same reason. */
static bool inherit_failure(struct edge *e)
{
	struct vertex *v = e->vertex;
	for (size_t i = 0; e->deps && i < v->n_inputs && !edge_failure(e) && !e->has_result; i++) {
		struct edge *from = edge_resolve(e->deps[i].edge);
		struct failure *f = edge_failure(from);
		if (f && !from->has_result && e->desired > EDGE_INITIAL)
			e->failure = failure_ref(f);
	}
	return edge_failure(e) != NULL;
}

void edge_evaluate(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (e->forward || v->detached)
		return;
	e->desired = desired_now(e);
	if (e->desired > e->state)
		deps_ensure(e);
	if (inherit_failure(e) || e->has_result) {
		notify_watchers(e);
	} else {
		edge_absorb(e);
		if (e->keys_changed && edge_merge(e))
			return;
		if (v->outputs && e->desired == EDGE_COMPLETE && !e->load_task)
			take_output(e);
	}
	struct edge_facts facts;
	g_autofree struct edge_dep_facts *dep_facts_array = g_new0(struct edge_dep_facts, v->n_inputs + 1);
	g_autofree struct edge_dep_plan *dep_plans = g_new0(struct edge_dep_plan, v->n_inputs + 1);
	struct edge_plan plan = {.deps = dep_plans};
	if (!e->deps && v->n_inputs > 0) {
		edge_stop_undesired(e);
		return;
	}
	edge_facts(e, dep_facts_array, &facts);
	edge_decide(&facts, &plan);
	apply(e, &plan);
}
