/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active vertices: found or created when a job loads a definition, freed when the last job has left and no task runs.
 */
#include "api/guard.h"
#include "base/hash_walk.h"
#include "solver/graph.h"
#include "solver/resources.h"
#include <string.h>

/*
 * A vertex joins an active twin that ignores the cache. One that ignores the cache does not join one that uses it, but
 * becomes such a twin. ret_digest: its key in the active table.
 */
static struct vertex *vertex_find(solver *s, const struct llb_vertex *llb, struct digest *ret_digest)
{
	g_autofree char *twin = g_strconcat(llb->digest.text, "-ignorecache", NULL);
	digest_of_text(twin, ret_digest);
	struct vertex *v = g_hash_table_lookup(s->active, ret_digest->text);
	if (v)
		return v;
	v = g_hash_table_lookup(s->active, llb->digest.text);
	if (v && llb->ignore_cache && !v->ignore_cache)
		return NULL;
	*ret_digest = llb->digest;
	return v;
}

static progress_sink *sink_new(const struct vertex *v)
{
	g_autofree const char **inputs = g_new0(const char *, v->n_inputs + 1);
	for (size_t i = 0; i < v->n_inputs; i++)
		inputs[i] = v->inputs[i].vertex->digest.text;
	const Pb__ProgressGroup *group = v->llb->progress_group;
	return progress_sink_new(&(struct progress_vertex){
		.digest = v->digest.text,
		.inputs = inputs,
		.n_inputs = v->n_inputs,
		.name = v->llb->name,
		.group_id = group ? group->id : NULL,
		.group_name = group ? group->name : NULL,
		.group_weak = group && group->weak,
	});
}

static void map_clear(gpointer data)
{
	g_free(((struct cache_map *)data)->inputs);
}

static struct vertex *vertex_new(solver *s, const struct llb_vertex *llb, const struct digest *digest,
				 struct vertex_input *inputs /* taken */)
{
	struct vertex *v = g_new0(struct vertex, 1);
	v->solver = s;
	v->digest = *digest;
	v->llb = llb;
	v->definition = llb_definition_ref(llb->owner);
	v->inputs = inputs;
	v->n_inputs = llb->n_inputs;
	v->ignore_cache = llb->ignore_cache;
	v->jobs = g_ptr_array_new();
	v->sessions = session_group_new(NULL, NULL);
	v->sink = sink_new(v);
	v->maps = g_array_new(FALSE, FALSE, sizeof(struct cache_map));
	g_array_set_clear_func(v->maps, map_clear);
	v->content = g_new0(struct content_key, v->n_inputs + 1);
	v->edges = g_ptr_array_new_with_free_func((GDestroyNotify)edge_free);
	g_hash_table_insert(s->active, v->digest.text, v);
	g_atomic_int_inc(&s->n_vertices);
	return v;
}

/* Frees an op on a worker, with the data that it was made from. */
struct old_op {
	struct solver_op op;
	struct llb_vertex *resolved;
	Pb__LinuxResources *resources;
	llb_definition *definition;
};

static void old_op_free(solver *s, void *data)
{
	struct old_op *old = data;
	if (old->op.class)
		old->op.class->free(old->op.self);
	g_free(old->resolved);
	guard_free(old->resources);
	llb_definition_unref(old->definition);
	g_free(old);
}

void vertex_free_if_idle(struct vertex *v)
{
	if (v->n_tasks > 0)
		return;
	solver *s = v->solver;
	for (guint i = 0; i < v->maps->len; i++)
		for (size_t k = 0; k < v->n_inputs; k++)
			g_free(g_array_index(v->maps, struct cache_map, i).inputs[k].selector);
	for (size_t i = 0; v->outputs && i < v->llb->n_outputs; i++) {
		result_unref_later(s, v->outputs[i]);
		g_free(v->output_ids[i]);
	}
	struct old_op old = {
		.op = v->op, .resolved = v->resolved, .resources = v->resources, .definition = v->definition};
	solver_defer(s, old_op_free, g_memdup2(&old, sizeof old));
	g_ptr_array_unref(v->edges);
	g_array_unref(v->maps);
	g_ptr_array_unref(v->jobs);
	session_group_unref(v->sessions);
	progress_sink_unref(v->sink);
	trace_span_unref(v->span);
	failure_unref(v->failure);
	g_free(v->inputs);
	g_free(v->content);
	g_free(v->outputs);
	g_free(v->output_ids);
	g_free(v);
	if (g_atomic_int_dec_and_test(&s->n_vertices)) {
		g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&s->mu);
		g_cond_broadcast(&s->emptied);
	}
}

/* The last job has left: removes it from the graph at once and frees it when its tasks have finished. */
static void vertex_detach(struct vertex *v)
{
	solver *s = v->solver;
	v->detached = true;
	g_hash_table_remove(s->active, v->digest.text);
	for (guint i = 0; i < v->edges->len; i++) {
		struct edge *e = v->edges->pdata[i];
		edge_index_remove(e);
		if (e->queued)
			g_queue_remove(&s->dirty, e);
		e->queued = false;
		for (size_t k = 0; e->deps && k < v->n_inputs; k++)
			edge_unwatch(edge_resolve(e->deps[k].edge), e, NULL);
	}
	nest_stop(v);
	tasks_cancel_all(v);
}

/* ---- jobs hold vertices */

static void relax_resources(struct vertex *v, const Pb__LinuxResources *r)
{
	if (!r || v->resolved) /* the first execution decides */
		return;
	Pb__LinuxResources *merged = resources_relax(v->resources, r);
	guard_free(v->resources);
	v->resources = merged;
}

/* Returns the vertex that the op is made from: with the resources of all jobs at that time. */
const struct llb_vertex *vertex_resolved(struct vertex *v)
{
	if (!v->resources || v->resolved)
		return v->resolved ? v->resolved : v->llb;
	v->resolved = g_memdup2(v->llb, sizeof *v->llb);
	v->resolved->resources = v->resources;
	return v->resolved;
}

static void job_add_vertex(solver_job *job, struct vertex *v)
{
	if (!g_hash_table_add(job->vertices, v))
		return;
	g_ptr_array_add(v->jobs, job);
	session_group_join(v->sessions, job->sessions);
	progress_sink_add(v->sink, job->log);
	if (!v->span)
		v->span = trace_span_ref(job->span);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&job->mu);
	g_hash_table_insert(job->sinks, g_strdup(v->digest.text), progress_sink_ref(v->sink));
	if (!g_hash_table_contains(job->sinks, v->llb->digest.text))
		g_hash_table_insert(job->sinks, g_strdup(v->llb->digest.text), progress_sink_ref(v->sink));
}

GPtrArray *vertex_closure(struct vertex *v)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	GPtrArray *all = g_ptr_array_new();
	g_ptr_array_add(all, v);
	g_hash_table_add(seen, v);
	for (guint next = 0; next < all->len; next++) {
		struct vertex *one = all->pdata[next];
		for (size_t i = 0; i < one->n_inputs; i++) {
			struct edge *e = vertex_edge_find(one->inputs[i].vertex, one->inputs[i].index);
			struct vertex *in = e ? edge_resolve(e)->vertex : one->inputs[i].vertex;
			if (g_hash_table_add(seen, in))
				g_ptr_array_add(all, in);
			if (in != one->inputs[i].vertex && g_hash_table_add(seen, one->inputs[i].vertex))
				g_ptr_array_add(all, one->inputs[i].vertex);
		}
		if (one->nested && g_hash_table_add(seen, one->nested))
			g_ptr_array_add(all, one->nested);
		for (guint i = 0; i < one->edges->len; i++) {
			struct edge *e = edge_resolve(one->edges->pdata[i]);
			if (g_hash_table_add(seen, e->vertex))
				g_ptr_array_add(all, e->vertex);
		}
	}
	return all;
}

/* Holding an active vertex whose outputs merged into others includes those as well. */
static void job_add_merged(solver_job *job, struct vertex *v)
{
	for (guint i = 0; i < v->edges->len; i++) {
		struct edge *e = v->edges->pdata[i];
		if (!e->forward)
			continue;
		g_autoptr(GPtrArray) all = vertex_closure(edge_resolve(e)->vertex);
		for (guint k = 0; k < all->len; k++)
			job_add_vertex(job, all->pdata[k]);
	}
}

static struct vertex *load_one(solver_job *job, const struct llb_vertex *llb, GHashTable *loaded)
{
	solver *s = job->solver;
	struct digest digest;
	struct vertex *v = vertex_find(s, llb, &digest);
	if (!v) {
		struct vertex_input *inputs = g_new0(struct vertex_input, llb->n_inputs + 1);
		for (size_t i = 0; i < llb->n_inputs; i++) {
			inputs[i].vertex = g_hash_table_lookup(loaded, llb->inputs[i].vertex);
			inputs[i].index = llb->inputs[i].index;
		}
		v = vertex_new(s, llb, &digest, inputs);
	}
	relax_resources(v, llb->resources);
	job_add_vertex(job, v);
	job_add_merged(job, v);
	return v;
}

/* Marks the vertices that the target needs, so that only those are loaded. */
static GHashTable *needed_by(const struct llb_vertex *llb)
{
	GHashTable *needed = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_ptr_array_add(stack, (gpointer)llb);
	while (stack->len > 0) {
		const struct llb_vertex *one = g_ptr_array_steal_index_fast(stack, stack->len - 1);
		if (!g_hash_table_add(needed, (gpointer)one))
			continue;
		for (size_t i = 0; i < one->n_inputs; i++)
			g_ptr_array_add(stack, (gpointer)one->inputs[i].vertex);
	}
	return needed;
}

void jobs_add_closure(const GPtrArray *jobs, struct vertex *v)
{
	g_autoptr(GPtrArray) all = vertex_closure(v);
	for (guint j = 0; j < jobs->len; j++)
		for (guint i = 0; i < all->len; i++)
			job_add_vertex(jobs->pdata[j], all->pdata[i]);
}

struct vertex *job_load_vertex(solver_job *job, const struct llb_vertex *llb)
{
	g_autoptr(GHashTable) needed = needed_by(llb);
	g_autoptr(GHashTable) loaded = g_hash_table_new(NULL, NULL);
	size_t n;
	const struct llb_vertex *const *vertices = llb_definition_vertices(llb->owner, &n);
	for (size_t i = 0; i < n; i++) /* inputs before users */
		if (g_hash_table_contains(needed, vertices[i]))
			g_hash_table_insert(loaded, (gpointer)vertices[i], load_one(job, vertices[i], loaded));
	struct vertex *v = g_hash_table_lookup(loaded, llb);
	/*
	 * An active vertex found under its digest has the inputs with which it was created: the job must hold those,
	 * not only those of the new definition.
	 */
	g_autoptr(GPtrArray) all = vertex_closure(v);
	for (guint i = 0; i < all->len; i++)
		job_add_vertex(job, all->pdata[i]);
	return v;
}

void vertex_reopen(struct vertex *v)
{
	g_clear_pointer(&v->failure, failure_unref);
	for (guint i = 0; i < v->edges->len; i++)
		if (!((struct edge *)v->edges->pdata[i])->forward)
			edge_reopen(v->edges->pdata[i]);
}

/* ---- end of a job, on the solver thread */

void job_drop_all(solver_job *job)
{
	g_autoptr(GPtrArray) dead = g_ptr_array_new();
	for (struct hash_walk it = hash_walk(job->vertices); hash_walk_next(&it);) {
		struct vertex *v = it.key;
		g_ptr_array_remove(v->jobs, job);
		if (job->sessions)
			session_group_part(v->sessions, job->sessions);
		progress_sink_remove(v->sink, job->log);
		if (v->jobs->len == 0)
			g_ptr_array_add(dead, v);
	}
	g_hash_table_remove_all(job->vertices);
	for (guint i = 0; i < dead->len; i++) /* detach all before the first is freed: they point at each other */
		vertex_detach(dead->pdata[i]);
	for (guint i = 0; i < dead->len; i++)
		vertex_free_if_idle(dead->pdata[i]);
}
