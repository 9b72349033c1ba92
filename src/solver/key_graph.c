/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/key_graph.h"

static void input_clear(gpointer data)
{
	g_free(((struct key_input *)data)->selector);
}

static void result_clear(gpointer data)
{
	g_free(((struct key_result *)data)->id);
}

static void record_free(gpointer data)
{
	struct key_record *r = data;
	for (guint i = 0; i < r->n_inputs; i++)
		g_array_unref(r->inputs[i]);
	g_free(r->inputs);
	g_array_unref(r->results);
	g_free(r->digest);
	g_free(r);
}

key_graph *key_graph_new(void)
{
	key_graph *g = g_new0(key_graph, 1);
	g->records = g_ptr_array_new_with_free_func(record_free);
	return g;
}

void key_graph_free(key_graph *g)
{
	if (!g)
		return;
	g_ptr_array_unref(g->records);
	g_free(g);
}

guint key_graph_add(key_graph *g, const char *digest, guint n_inputs)
{
	struct key_record *r = g_new0(struct key_record, 1);
	r->digest = g_strdup(digest);
	r->n_inputs = n_inputs;
	r->inputs = g_new0(GArray *, n_inputs + 1);
	for (guint i = 0; i < n_inputs; i++) {
		r->inputs[i] = g_array_new(FALSE, FALSE, sizeof(struct key_input));
		g_array_set_clear_func(r->inputs[i], input_clear);
	}
	r->results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
	g_array_set_clear_func(r->results, result_clear);
	r->export_cache = -1;
	g_ptr_array_add(g->records, r);
	return g->records->len - 1;
}

struct key_record *key_graph_get(const key_graph *g, guint record)
{
	return g->records->pdata[record];
}

void key_graph_link(key_graph *g, guint record, guint input, const char *selector, guint from)
{
	struct key_input link = {.selector = g_strdup(selector), .from = from};
	g_array_append_val(key_graph_get(g, record)->inputs[input], link);
}

void key_graph_add_result(key_graph *g, guint record, const char *id, int64_t created_ns)
{
	struct key_result result = {.id = g_strdup(id), .created_ns = created_ns};
	g_array_append_val(key_graph_get(g, record)->results, result);
}

/* Counts the links into each record's inputs; an order exists if all can be removed, starting with the roots. */
GArray *key_graph_order(const key_graph *g)
{
	guint n = g->records->len;
	g_autofree guint *waits = g_new0(guint, n + 1), *first = g_new0(guint, n + 2);
	for (guint r = 0; r < n; r++) {
		const struct key_record *record = key_graph_get(g, r);
		for (guint i = 0; i < record->n_inputs; i++) {
			waits[r] += record->inputs[i]->len;
			for (guint k = 0; k < record->inputs[i]->len; k++)
				first[g_array_index(record->inputs[i], struct key_input, k).from + 1]++;
		}
	}
	for (guint r = 0; r < n; r++)
		first[r + 1] += first[r];
	g_autofree guint *users = g_new0(guint, first[n] + 1), *next = g_memdup2(first, (n + 2) * sizeof *first);
	for (guint r = 0; r < n; r++) {
		const struct key_record *record = key_graph_get(g, r);
		for (guint i = 0; i < record->n_inputs; i++)
			for (guint k = 0; k < record->inputs[i]->len; k++)
				users[next[g_array_index(record->inputs[i], struct key_input, k).from]++] = r;
	}
	GArray *order = g_array_sized_new(FALSE, FALSE, sizeof(guint), n);
	for (guint r = 0; r < n; r++)
		if (waits[r] == 0)
			g_array_append_val(order, r);
	for (guint at = 0; at < order->len; at++) {
		guint r = g_array_index(order, guint, at);
		for (guint k = first[r]; k < first[r + 1]; k++)
			if (--waits[users[k]] == 0)
				g_array_append_val(order, users[k]);
	}
	if (order->len == n)
		return order;
	g_array_unref(order);
	return NULL;
}

static bool record_check(const key_graph *g, guint r, GError **error)
{
	const struct key_record *record = key_graph_get(g, r);
	for (guint i = 0; i < record->n_inputs; i++) {
		if (record->inputs[i]->len == 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid empty input for record %u", r);
		for (guint k = 0; k < record->inputs[i]->len; k++) {
			guint from = g_array_index(record->inputs[i], struct key_input, k).from;
			if (from >= g->records->len)
				return error_set(error, ERROR_INVALID_ARGUMENT, "invalid record ID: %u", from);
		}
	}
	return true;
}

bool key_graph_check(const key_graph *g, GError **error)
{
	for (guint r = 0; r < g->records->len; r++)
		if (!record_check(g, r, error))
			return false;
	g_autoptr(GArray) order = key_graph_order(g);
	return order != NULL || error_set(error, ERROR_INVALID_ARGUMENT, "invalid looping record");
}
