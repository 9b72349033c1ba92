/* SPDX-License-Identifier: Apache-2.0 */
/* Records of cache imports for an edge, and how their results are adopted. */
#include "solver/graph.h"

typedef void (*import_fn)(solver_import *i, void *data);

/* Imports of every job that holds the vertex: the step is the same for all of them. */
static void each_import(const struct vertex *v, import_fn fn, void *data)
{
	for (guint j = 0; j < v->jobs->len; j++) {
		const solver_job *job = v->jobs->pdata[j];
		for (guint i = 0; i < job->imports->len; i++)
			fn(job->imports->pdata[i], data);
	}
}

struct finding {
	const char *from;
	const struct key_link *link;
	GHashTable *targets;
};

static void find_in(solver_import *i, void *data)
{
	const struct finding *f = data;
	import_find(i, f->from, f->link, f->targets);
}

void edge_import_find(const struct edge *e, const char *from, const struct key_link *link, GHashTable *ret_targets)
{
	struct finding f = {from, link, ret_targets};
	each_import(e->vertex, find_in, &f);
}

struct record_search {
	struct edge *edge;
	const char *key;
};

static void add_records(solver_import *i, void *data)
{
	const struct record_search *search = data;
	struct edge *e = search->edge;
	int64_t record = import_record(i, search->key);
	const GArray *results = record < 0 ? NULL : import_results(i, (guint)record);
	for (guint k = 0; results && k < results->len; k++) {
		const struct key_result *r = &g_array_index(results, struct key_result, k);
		if (g_hash_table_contains(e->tried, r->id))
			continue;
		struct record found = {.key = g_strdup(search->key),
				       .result = g_strdup(r->id),
				       .created_ns = r->created_ns,
				       .import = solver_import_ref(i),
				       .import_record = (guint)record,
				       .import_result = k};
		g_array_append_val(e->records, found);
	}
}

void edge_import_records(struct edge *e, const char *key)
{
	struct record_search search = {e, key};
	each_import(e->vertex, add_records, &search);
}

/* ---- adoption */

int64_t edge_import_record(const struct edge *e, const solver_import *i)
{
	for (guint k = 0; k < e->keys->len; k++) {
		int64_t record = import_record(i, e->keys->pdata[k]);
		if (record >= 0)
			return record;
	}
	return -1;
}

struct adoption {
	const struct record *loaded;
	void *result; /* borrowed */
};

/* Links the step by the content of its inputs: this build did not need those keys, later builds will. */
static void adopt_contents(struct edge *e, const solver_import *i, guint record, const char *key)
{
	const struct key_record *r = import_get(i, record);
	for (guint input = 0; input < r->n_inputs && input < e->vertex->n_inputs; input++) {
		for (guint k = 0; k < r->inputs[input]->len; k++) {
			const struct key_input *link = &g_array_index(r->inputs[input], struct key_input, k);
			const struct key_record *from = import_get(i, link->from);
			if (from->n_inputs == 0)
				edge_add_root_link(e, input, link->selector, from->digest, r->digest, key);
		}
	}
}

/* The result of an earlier step, if the loaded result contains it. */
static void adopt_part(struct edge *e, const struct adoption *a, guint record, const char *key)
{
	solver *s = e->vertex->solver;
	const GArray *results = import_results(a->loaded->import, record);
	for (guint k = 0; k < results->len; k++) {
		void *part = import_part(a->loaded->import, a->loaded->import_record, a->loaded->import_result,
					 a->result, record, k);
		if (!part)
			continue;
		int64_t unused;
		g_autofree char *id = s->options.results->save(s->options.data, part, &unused);
		key_store_add_result(s->keys, key, id, g_array_index(results, struct key_result, k).created_ns);
		result_unref_later(s, part);
	}
}

/* A step before the loaded one: its inputs were already processed. */
static void adopt_input(struct edge *e, const struct adoption *a)
{
	e->adopted = true;
	int64_t record = edge_import_record(e, a->loaded->import);
	if (record < 0)
		return;
	g_autofree char *key = edge_own_key(e);
	if (key_is_session_only(key))
		return;
	adopt_contents(e, a->loaded->import, (guint)record, key);
	if (!e->has_result)
		adopt_part(e, a, (guint)record, key);
	g_ptr_array_add(e->result_keys, g_steal_pointer(&key));
}

static bool wants_adoption(const struct edge *e, const struct adoption *a)
{
	return !e->adopted && e->vertex->maps->len > 0 && (e->deps || e->vertex->n_inputs == 0) &&
	       edge_import_record(e, a->loaded->import) >= 0;
}

/* Inputs before users; iterative, with an explicit stack. */
static void adopt_inputs(struct edge *e, const struct adoption *a)
{
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_autoptr(GHashTable) next = g_hash_table_new(NULL, NULL); /* edge to the next input to examine */
	g_ptr_array_add(stack, e);
	while (stack->len > 0) {
		struct edge *top = stack->pdata[stack->len - 1];
		guint i = GPOINTER_TO_UINT(g_hash_table_lookup(next, top));
		if (i == top->vertex->n_inputs) {
			g_ptr_array_set_size(stack, (gint)stack->len - 1);
			if (top != e)
				adopt_input(top, a);
			continue;
		}
		g_hash_table_insert(next, top, GUINT_TO_POINTER(i + 1));
		struct edge *input = edge_resolve(top->deps[i].edge);
		if (wants_adoption(input, a) && !g_hash_table_contains(next, input))
			g_ptr_array_add(stack, input);
	}
}

void edge_adopt(struct edge *e, const struct record *loaded, void *result, const char *result_id)
{
	struct adoption a = {loaded, result};
	e->adopted = true;
	if (e->deps)
		adopt_inputs(e, &a);
	char *key = edge_own_key(e);
	if (!key_is_session_only(key))
		adopt_contents(e, loaded->import, loaded->import_record, key);
	key_store_add_result(e->vertex->solver->keys, key, result_id, loaded->created_ns);
	g_ptr_array_add(e->result_keys, key);
}
