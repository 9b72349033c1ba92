/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/key_walk.h"
#include "base/limits.h"
#include "solver/import.h"
#include <string.h>

struct node;
struct way { /* one link that leads to the node */
	struct node *from;
	guint input;
	char *digest;   /* owned: digest of the record for this key */
	char *selector; /* owned */
};
enum state { NEW, OPEN, DONE };
struct node {
	char *key; /* owned */
	GArray *ways;
	GArray *results; /* of struct key_result */
	GArray *records; /* of guint: records made for the node */
	bool is_target;
	enum state state;
	guint next; /* index of the next way to follow */
};
struct key_walk {
	GHashTable *nodes; /* key to struct node * (owned) */
	GPtrArray *queue;  /* of struct node *, nearest first */
	guint next;        /* in queue */
	long long n_ways;
	GHashTable *overrides; /* key to int */
	GHashTable *added;     /* key to GArray of struct key_result */
};

static void way_clear(gpointer data)
{
	struct way *w = data;
	g_free(w->digest);
	g_free(w->selector);
}

static void result_clear(gpointer data)
{
	g_free(((struct key_result *)data)->id);
}

static void array_unref(gpointer array)
{
	g_array_unref(array);
}

static void node_free(gpointer data)
{
	struct node *n = data;
	g_array_unref(n->ways);
	g_array_unref(n->results);
	g_array_unref(n->records);
	g_free(n->key);
	g_free(n);
}

key_walk *key_walk_new(void)
{
	key_walk *w = g_new0(key_walk, 1);
	w->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, node_free);
	w->queue = g_ptr_array_new();
	w->overrides = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	w->added = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, array_unref);
	return w;
}

void key_walk_free(key_walk *w)
{
	if (!w)
		return;
	g_hash_table_unref(w->nodes);
	g_ptr_array_unref(w->queue);
	g_hash_table_unref(w->overrides);
	g_hash_table_unref(w->added);
	g_free(w);
}

static struct node *node_ensure(key_walk *w, const char *key)
{
	struct node *n = g_hash_table_lookup(w->nodes, key);
	if (n)
		return n;
	n = g_new0(struct node, 1);
	n->key = g_strdup(key);
	n->ways = g_array_new(FALSE, FALSE, sizeof(struct way));
	g_array_set_clear_func(n->ways, way_clear);
	n->results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
	g_array_set_clear_func(n->results, result_clear);
	n->records = g_array_new(FALSE, FALSE, sizeof(guint));
	g_hash_table_insert(w->nodes, n->key, n);
	g_ptr_array_add(w->queue, n);
	return n;
}

void key_walk_from(key_walk *w, const char *key)
{
	node_ensure(w, key)->is_target = true;
}

void key_walk_override(key_walk *w, const char *key, int export_cache)
{
	g_hash_table_insert(w->overrides, g_strdup(key), GINT_TO_POINTER(export_cache + 1));
}

void key_walk_add_result(key_walk *w, const char *key, const char *id, int64_t created_ns)
{
	GArray *results = g_hash_table_lookup(w->added, key);
	if (!results) {
		results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
		g_array_set_clear_func(results, result_clear);
		g_hash_table_insert(w->added, g_strdup(key), results);
	}
	struct key_result r = {.id = g_strdup(id), .created_ns = created_ns};
	g_array_append_val(results, r);
}

static void take_added(const key_walk *w, struct node *n)
{
	const GArray *results = g_hash_table_lookup(w->added, n->key);
	for (guint i = 0; results && i < results->len; i++) {
		struct key_result r = g_array_index(results, struct key_result, i);
		r.id = g_strdup(r.id);
		g_array_append_val(n->results, r);
	}
}

/* ---- collecting */

struct visit {
	key_walk *walk;
	struct node *node;
};

static void add_way(void *data, const char *from, const struct key_link *link)
{
	struct visit *v = data;
	if (v->walk->n_ways >= LIMIT_CACHE_RECORDS || link->input < 0 || link->input >= LIMIT_LLB_INPUTS)
		return;
	v->walk->n_ways++;
	g_autofree char *text = g_strdup_printf("%s@%" G_GINT64_FORMAT, link->digest, link->output);
	struct digest digest;
	digest_of_text(text, &digest);
	struct way way = {
		.from = node_ensure(v->walk, from),
		.input = (guint)link->input,
		.digest = g_strdup(digest.text),
		.selector = g_strdup(link->selector),
	};
	g_array_append_val(v->node->ways, way);
}

static int newest_first(gconstpointer a, gconstpointer b)
{
	const struct key_result *x = a, *y = b;
	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? 1 : -1;
	bool foreign_x = key_is_import(x->id), foreign_y = key_is_import(y->id); /* of equal age prefer our own */
	return foreign_x != foreign_y ? foreign_x - foreign_y : strcmp(x->id, y->id);
}

static int compare_ways(gconstpointer a, gconstpointer b)
{
	const struct way *x = a, *y = b;
	int order = strcmp(x->digest, y->digest);
	if (order == 0)
		order = x->input < y->input ? -1 : x->input > y->input;
	if (order == 0)
		order = strcmp(x->selector, y->selector);
	return order != 0 ? order : strcmp(x->from->key, y->from->key);
}

bool key_walk_step(key_walk *w, key_store *k, unsigned n_keys)
{
	for (; n_keys > 0 && w->next < w->queue->len; n_keys--) {
		struct visit v = {w, w->queue->pdata[w->next++]};
		key_store_backlinks(k, v.node->key, add_way, &v);
		key_store_results(k, v.node->key, v.node->results);
		take_added(w, v.node);
		g_array_sort(v.node->ways, compare_ways);
		g_array_sort(v.node->results, newest_first);
	}
	return w->next < w->queue->len;
}

/* ---- the graph */

static const struct way *way_at(const struct node *n, guint i)
{
	return &g_array_index(n->ways, struct way, i);
}

static void record_finish(key_walk *w, key_graph *g, struct node *n, guint record)
{
	struct key_record *r = key_graph_get(g, record);
	for (guint i = 0; i < n->results->len; i++) {
		const struct key_result *result = &g_array_index(n->results, struct key_result, i);
		key_graph_add_result(g, record, result->id, result->created_ns);
	}
	r->is_target = n->is_target;
	gpointer override = g_hash_table_lookup(w->overrides, n->key);
	if (override)
		r->export_cache = GPOINTER_TO_INT(override) - 1;
	g_array_append_val(n->records, record);
}

/* Ways of one digest, from..to: a record if every input is resolved. Unresolved inputs would close a cycle. */
static void group_add(key_walk *w, key_graph *g, struct node *n, guint from, guint to)
{
	guint n_inputs = way_at(n, to - 1)->input + 1, covered = 0;
	for (guint i = from; i < to; i++) {
		const struct way *way = way_at(n, i);
		if (way->from->state == DONE && way->from->records->len > 0 && way->input == covered)
			covered++;
	}
	if (covered < n_inputs)
		return;
	guint record = key_graph_add(g, way_at(n, from)->digest, n_inputs);
	for (guint i = from; i < to; i++) {
		const struct way *way = way_at(n, i);
		for (guint k = 0; way->from->state == DONE && k < way->from->records->len; k++)
			key_graph_link(g, record, way->input, way->selector,
				       g_array_index(way->from->records, guint, k));
	}
	record_finish(w, g, n, record);
}

static void node_finish(key_walk *w, key_graph *g, struct node *n)
{
	n->state = DONE;
	if (n->ways->len == 0) {
		if (digest_is_valid(n->key))
			record_finish(w, g, n, key_graph_add(g, n->key, 0));
		return;
	}
	for (guint from = 0, to; from < n->ways->len; from = to) {
		for (to = from + 1; to < n->ways->len && strcmp(way_at(n, to)->digest, way_at(n, from)->digest) == 0;)
			to++;
		group_add(w, g, n, from, to);
	}
}

/* Depth first with an explicit stack, because chains can be arbitrarily long. */
static void node_visit(key_walk *w, key_graph *g, struct node *start)
{
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_ptr_array_add(stack, start);
	start->state = OPEN;
	while (stack->len > 0) {
		struct node *n = stack->pdata[stack->len - 1];
		if (n->next == n->ways->len) {
			node_finish(w, g, n);
			g_ptr_array_set_size(stack, (gint)stack->len - 1);
			continue;
		}
		struct node *from = way_at(n, n->next++)->from;
		if (from->state != NEW)
			continue;
		from->state = OPEN;
		g_ptr_array_add(stack, from);
	}
}

key_graph *key_walk_graph(key_walk *w)
{
	key_graph *g = key_graph_new();
	for (guint i = 0; i < w->queue->len; i++) {
		struct node *n = w->queue->pdata[i];
		if (n->is_target && n->state == NEW)
			node_visit(w, g, n);
	}
	return g;
}
