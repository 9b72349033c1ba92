/* SPDX-License-Identifier: Apache-2.0 */
/* Visits the vertices of a job's results, on the solver thread while the caller waits. */
#include "solver/graph.h"

struct visiting {
	solver_job *job;
	const struct solver_target *targets;
	size_t n_targets;
	solver_visit_fn fn;
	void *data;
	struct solver_wait wait;
};

/* Results of imports would have to be fetched first. */
static const struct record *newest_of_ours(const struct edge *e)
{
	const struct record *best = NULL;
	for (guint i = 0; i < e->records->len; i++) {
		const struct record *r = &g_array_index(e->records, struct record, i);
		if (!r->import && (!best || r->created_ns > best->created_ns))
			best = r;
	}
	return best;
}

static void report_vertex(const struct visiting *call, const struct vertex *v)
{
	g_autofree struct solver_output *outputs = g_new0(struct solver_output, v->edges->len + 1);
	size_t n = 0;
	for (guint i = 0; i < v->edges->len; i++) {
		const struct edge *own = v->edges->pdata[i], *e = edge_resolve(v->edges->pdata[i]);
		const struct record *saved = e->has_result ? NULL : newest_of_ours(e);
		if (e->has_result || saved)
			outputs[n++] = (struct solver_output){own->index, e->has_result ? e->result : NULL,
							      saved ? saved->result : NULL};
	}
	struct solver_visit visit = {
		.vertex = v->llb, .op = v->op_made ? &v->op : NULL, .outputs = outputs, .n_outputs = n};
	call->fn(call->data, &visit);
}

static void visit_all(solver *s, void *data)
{
	struct visiting *call = data;
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) queue = g_ptr_array_new();
	for (size_t i = 0; i < call->n_targets; i++) {
		struct vertex *v = job_load_vertex(call->job, call->targets[i].vertex);
		if (g_hash_table_add(seen, v))
			g_ptr_array_add(queue, v);
	}
	for (guint next = 0; next < queue->len; next++) {
		const struct vertex *v = queue->pdata[next];
		report_vertex(call, v);
		for (size_t i = 0; i < v->n_inputs; i++)
			if (g_hash_table_add(seen, v->inputs[i].vertex))
				g_ptr_array_add(queue, v->inputs[i].vertex);
	}
	solver_wait_end(&call->wait);
}

void solver_job_visit(solver_job *job, const struct solver_target *targets, size_t n, solver_visit_fn fn, void *data)
{
	struct visiting call = {.job = job, .targets = targets, .n_targets = n, .fn = fn, .data = data};
	solver_post_and_wait(job->solver, visit_all, &call, &call.wait);
}
