/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges equal edges of different vertices. Two edges are equal if their cache digest and output are equal and each
 * input shares an edge or a key (with selector). They are found through an index by the first input.
 */
#include "solver/graph.h"
#include <string.h>

static const char *map_digest(const struct edge *e, guint m)
{
	return g_array_index(e->vertex->maps, struct cache_map, m).digest;
}

/* Identities of input i: its edge, its keys with selector, the content key. The caller compares them. */
static void input_texts(const struct edge *e, size_t i, guint m, GPtrArray *ret)
{
	const struct edge *from = edge_resolve(e->deps[i].edge);
	const char *selector = edge_selector(e, i, m);
	g_ptr_array_add(ret, g_strdup_printf("%p %s", (const void *)from, selector));
	for (guint k = 0; k < from->keys->len; k++)
		g_ptr_array_add(ret, g_strdup_printf("%s %s", (const char *)from->keys->pdata[k], selector));
	for (guint k = 0; k < from->result_keys->len; k++)
		g_ptr_array_add(ret, g_strdup_printf("%s %s", (const char *)from->result_keys->pdata[k], selector));
	if (*e->vertex->content[i].digest)
		g_ptr_array_add(ret, g_strdup_printf("content %s", e->vertex->content[i].digest));
}

static GPtrArray *index_texts(const struct edge *e)
{
	g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func(g_free);
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
	for (guint m = 0; m < e->vertex->maps->len; m++) {
		g_ptr_array_set_size(inputs, 0);
		if (e->vertex->n_inputs == 0)
			g_ptr_array_add(inputs, g_strdup(""));
		else
			input_texts(e, 0, m, inputs);
		for (guint i = 0; i < inputs->len; i++)
			g_ptr_array_add(texts, g_strdup_printf("%s@%" G_GINT64_FORMAT " %s", map_digest(e, m), e->index,
							       (const char *)inputs->pdata[i]));
	}
	return texts;
}

static bool input_shared(const struct edge *a, const struct edge *b, size_t i)
{
	g_autoptr(GPtrArray) x = g_ptr_array_new_with_free_func(g_free), y = g_ptr_array_new_with_free_func(g_free);
	input_texts(a, i, 0, x);
	input_texts(b, i, 0, y);
	for (guint k = 0; k < x->len; k++)
		if (g_ptr_array_find_with_equal_func(y, x->pdata[k], g_str_equal, NULL))
			return true;
	return false;
}

static bool equal_edges(const struct edge *a, const struct edge *b)
{
	if (a->vertex->n_inputs != b->vertex->n_inputs)
		return false;
	for (size_t i = 1; i < a->vertex->n_inputs; i++) /* the index matched the first input */
		if (!input_shared(a, b, i))
			return false;
	return true;
}

static bool depends_on(struct vertex *v, const struct vertex *other)
{
	g_autoptr(GPtrArray) all = vertex_closure(v);
	return g_ptr_array_find(all, other, NULL);
}

void edge_index_remove(struct edge *e)
{
	GHashTable *index = e->vertex->solver->edge_index;
	for (guint i = 0; i < e->index_texts->len; i++) {
		GPtrArray *edges = g_hash_table_lookup(index, e->index_texts->pdata[i]);
		if (!edges)
			continue;
		g_ptr_array_remove_fast(edges, e);
		if (edges->len == 0)
			g_hash_table_remove(index, e->index_texts->pdata[i]);
	}
	g_ptr_array_set_size(e->index_texts, 0);
}

static void index_add(struct edge *e, const char *text)
{
	GHashTable *index = e->vertex->solver->edge_index;
	GPtrArray *edges = g_hash_table_lookup(index, text);
	if (!edges) {
		edges = g_ptr_array_new();
		g_hash_table_insert(index, g_strdup(text), edges);
	}
	if (g_ptr_array_find(edges, e, NULL))
		return;
	g_ptr_array_add(edges, e);
	g_ptr_array_add(e->index_texts, g_strdup(text));
}

/*
 * An edge that ignores the cache must not become one that uses it, and neither may depend on the other. A step must not fail
 * by the policy of another build, or lack the records of its requests.
 */
static bool may_merge(const struct edge *from, const struct edge *into)
{
	return into != from && !into->forward && !edge_failure(into) &&
	       !(from->vertex->ignore_cache && !into->vertex->ignore_cache) && from->vertex != into->vertex &&
	       llb_vertex_same_network(from->vertex->llb, into->vertex->llb) && equal_edges(from, into) &&
	       !depends_on(from->vertex, into->vertex) && !depends_on(into->vertex, from->vertex);
}

static struct edge *find_equal(struct edge *e, const GPtrArray *texts)
{
	for (guint i = 0; i < texts->len; i++) {
		const GPtrArray *edges = g_hash_table_lookup(e->vertex->solver->edge_index, texts->pdata[i]);
		for (guint k = 0; edges && k < edges->len; k++)
			if (may_merge(e, edges->pdata[k]))
				return edges->pdata[k];
	}
	return NULL;
}

/* Links the keys of one edge's inputs to the result of the other. */
static void join_keys(const struct edge *from, struct edge *into)
{
	for (size_t i = 0; into->deps && from->deps && i < from->vertex->n_inputs; i++) {
		const struct edge *input = edge_resolve(from->deps[i].edge);
		struct dep *d = &into->deps[i];
		if (input == edge_resolve(d->edge))
			continue;
		if (!d->extra_keys)
			d->extra_keys = g_ptr_array_new_with_free_func(g_free);
		for (guint k = 0; k < input->keys->len; k++) {
			g_ptr_array_add(d->extra_keys, g_strdup(input->keys->pdata[k]));
			g_ptr_array_add(d->extra_keys, g_strdup(edge_selector(from, i, 0)));
		}
	}
}

static void merge(struct edge *from, struct edge *into)
{
	jobs_add_closure(from->vertex->jobs, into->vertex);
	join_keys(from, into);
	edge_index_remove(from);
	for (guint i = 0; i < from->watchers->len; i++) {
		struct watcher w = g_array_index(from->watchers, struct watcher, i);
		if (w.request)
			w.request->edge = into;
		else
			edge_touch(w.edge); /* it will find the keys of the other edge */
		g_array_append_val(into->watchers, w);
	}
	g_array_set_size(from->watchers, 0);
	from->desired = EDGE_INITIAL;
	for (size_t i = 0; from->deps && i < from->vertex->n_inputs; i++)
		edge_unwatch(edge_resolve(from->deps[i].edge), from, NULL);
	from->forward = into;
	edge_touch(into);
	edge_stop_undesired(from); /* work of its vertex that only this edge needed */
}

bool edge_merge(struct edge *e)
{
	e->keys_changed = false;
	struct vertex *v = e->vertex;
	if (v->n_inputs > 0 && !e->deps)
		return false;
	g_autoptr(GPtrArray) texts = index_texts(e);
	bool busy = e->load_task || v->exec_task || v->nest || v->outputs || e->has_result;
	struct edge *equal = busy || e->desired == EDGE_INITIAL ? NULL : find_equal(e, texts);
	if (equal) {
		merge(e, equal);
		return true;
	}
	for (guint i = 0; i < texts->len; i++)
		index_add(e, texts->pdata[i]);
	return false;
}
