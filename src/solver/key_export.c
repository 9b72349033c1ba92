/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the keys that lead to results of a job: on the solver thread in small batches, while the caller waits. */
#include "solver/graph.h"
#include "base/hash_walk.h"
#include "solver/key_walk.h"

#define KEYS_A_TURN 256

struct collection {
	solver_job *job;
	const struct solver_target *targets;
	size_t n_targets;
	key_walk *walk;
	cancel *cancel;
	struct solver_wait wait;
};

static void add_target(struct collection *c, const struct solver_target *t)
{
	struct vertex *v = job_load_vertex(c->job, t->vertex);
	const struct edge *e = edge_resolve(vertex_edge(v, t->index));
	const GPtrArray *keys = e->result_keys->len > 0 ? e->result_keys : e->keys;
	for (guint i = 0; i < keys->len; i++)
		if (!key_is_import(keys->pdata[i]))
			key_walk_from(c->walk, keys->pdata[i]);
}

/* Export options that the job's definitions give for steps: applied to every key of the step. */
static void add_overrides(struct collection *c)
{
	for (struct hash_walk it = hash_walk(c->job->vertices); hash_walk_next(&it);) {
		const struct vertex *v = it.key;
		for (guint i = 0; v->llb->export_cache >= 0 && i < v->edges->len; i++) {
			const struct edge *e = edge_resolve(v->edges->pdata[i]);
			for (guint k = 0; k < e->keys->len; k++)
				key_walk_override(c->walk, e->keys->pdata[k], v->llb->export_cache);
			for (guint k = 0; k < e->result_keys->len; k++)
				key_walk_override(c->walk, e->result_keys->pdata[k], v->llb->export_cache);
		}
	}
}

static void add_result(struct collection *c, const GPtrArray *keys, const char *id, int64_t created_ns)
{
	for (guint k = 0; k < keys->len; k++)
		if (!key_is_import(keys->pdata[k]))
			key_walk_add_result(c->walk, keys->pdata[k], id, created_ns);
}

/* Results of imports for a step that has local keys and was not loaded. */
static void add_imported(struct collection *c, const struct edge *e, solver_import *i)
{
	int64_t record = edge_import_record(e, i);
	const GArray *results = record < 0 ? NULL : import_results(i, (guint)record);
	for (guint r = 0; results && r < results->len; r++) {
		g_autofree char *id = import_result_id(i, (guint)record, r);
		int64_t created_ns = g_array_index(results, struct key_result, r).created_ns;
		add_result(c, e->keys, id, created_ns);
		add_result(c, e->result_keys, id, created_ns);
	}
}

static void add_imports(struct collection *c)
{
	for (struct hash_walk it = hash_walk(c->job->vertices); c->job->imports->len > 0 && hash_walk_next(&it);) {
		const struct vertex *v = it.key;
		for (guint i = 0; i < v->edges->len; i++) {
			const struct edge *e = v->edges->pdata[i];
			for (guint k = 0; !e->forward && k < c->job->imports->len; k++)
				add_imported(c, e, c->job->imports->pdata[k]);
		}
	}
}

static void collect_step(solver *s, void *data)
{
	struct collection *c = data;
	if (!cancel_is_set(c->cancel) && key_walk_step(c->walk, s->keys, KEYS_A_TURN))
		solver_post(s, collect_step, c); /* let other messages run */
	else
		solver_wait_end(&c->wait);
}

static void collect(solver *s, void *data)
{
	struct collection *c = data;
	for (size_t i = 0; i < c->n_targets; i++)
		add_target(c, &c->targets[i]);
	add_overrides(c);
	add_imports(c);
	collect_step(s, c);
}

key_graph *solver_job_keys(solver_job *job, const struct solver_target *targets, size_t n, cancel *stop, GError **error)
{
	if (!key_store_flush(job->solver->keys, false, error))
		return NULL;
	g_autoptr(key_walk) walk = key_walk_new();
	struct collection c = {.job = job, .targets = targets, .n_targets = n, .walk = walk, .cancel = stop};
	solver_post_and_wait(job->solver, collect, &c, &c.wait);
	return cancel_check(stop, error) ? key_walk_graph(walk) : NULL;
}

/* Errors: NOT_FOUND if the job does not have the import. */
static bool load_imported(solver_job *job, const char *id, struct work *work, void **ret_result, GError **error)
{
	g_autoptr(solver_import) found = NULL;
	guint record, result;
	g_mutex_lock(&job->mu);
	for (guint k = 0; k < job->imports->len && !found; k++)
		if (import_parse_id(job->imports->pdata[k], id, &record, &result))
			found = solver_import_ref(job->imports->pdata[k]);
	g_mutex_unlock(&job->mu);
	if (!found)
		return error_set(error, ERROR_NOT_FOUND, "%s: the build has no such cache import", id);
	return import_load(found, record, result, work, ret_result, error);
}

bool solver_job_load_result(solver_job *job, const char *id, struct work *work, void **ret_result, GError **error)
{
	const struct solver_options *o = &job->solver->options;
	if (*id == '\0') {
		*ret_result = NULL;
		return true;
	}
	if (key_is_import(id))
		return load_imported(job, id, work, ret_result, error);
	return o->results->load(o->data, id, work, ret_result, error);
}
