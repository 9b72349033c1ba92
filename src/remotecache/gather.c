/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/gather.h"
#include "base/thread.h"

#define PARALLEL 8

struct chain {
	cache_ref *ref;    /* owned */
	GPtrArray *layers; /* element type: struct cache_layer_result *, owned; NULL: none */
	int64_t created_ns;
	bool done, make;
};
struct gathered {
	const struct remotecache_context *context; /* borrowed */
	const key_graph *keys;
	struct gather_options options;
	struct work *work;
	GPtrArray *chains;     /* element type: struct chain *, one per result id */
	GHashTable *by_result; /* result id (borrowed) to struct chain * */
	struct chain **found;  /* one per record; NULL: none */
	GMutex mu;
	GError *error; /* owned; the first error */
};

static void chain_free(gpointer data)
{
	struct chain *c = data;
	cache_ref_unref(c->ref);
	g_clear_pointer(&c->layers, g_ptr_array_unref);
	g_free(c);
}

void gathered_free(gathered *g)
{
	if (!g)
		return;
	g_hash_table_unref(g->by_result);
	g_ptr_array_unref(g->chains);
	g_free(g->found);
	g_clear_error(&g->error);
	g_mutex_clear(&g->mu);
	g_free(g);
}

/* Returns the newest result of a record that still exists. Results of several keys are looked up once. */
static struct chain *chain_of(gathered *g, guint record)
{
	const struct key_record *r = key_graph_get(g->keys, record);
	for (guint i = 0; i < r->results->len; i++) {
		const struct key_result *result = &g_array_index(r->results, struct key_result, i);
		struct chain *c = g_hash_table_lookup(g->by_result, result->id);
		if (c)
			return c;
		void *ref = NULL;
		if (!solver_job_load_result(g->context->job, result->id, g->work, &ref, NULL))
			continue;
		c = g_new0(struct chain, 1);
		c->ref = ref;
		c->created_ns = result->created_ns;
		c->done = ref == NULL; /* scratch has no layers */
		g_ptr_array_add(g->chains, c);
		g_hash_table_insert(g->by_result, result->id, c);
		return c;
	}
	return NULL;
}

static void chain_work(void *data, size_t i)
{
	gathered *g = data;
	struct chain *c = g->chains->pdata[i];
	const struct gather_options *o = &g->options;
	struct cache_layer_options options = {.compression = o->compression,
					      .level = o->level,
					      .force = o->force,
					      .oci_media_types = true,
					      .existing = !c->make};
	g_autoptr(GError) why = NULL;
	if (c->done || cancel_is_set(g->work->cancel))
		return;
	c->layers = cache_ref_layers(g->context->cache, c->ref, &options, g->work, &why);
	c->done = true;
	if (c->layers || !c->make)
		return;
	g_mutex_lock(&g->mu);
	if (!g->error)
		g->error = g_steal_pointer(&why);
	g_mutex_unlock(&g->mu);
}

static bool gather_chains(gathered *g, GError **error)
{
	thread_each(g->chains->len, PARALLEL, chain_work, g);
	if (!cancel_check(g->work->cancel, error))
		return false;
	return !g->error || error_propagate(error, g_steal_pointer(&g->error));
}

/*
 * Reports whether results of a record are exported: sources are not (they are fetched again), and a definition can
 * exclude a step.
 */
static bool has_place(const struct key_record *r)
{
	return r->n_inputs > 0 && r->export_cache != 0;
}

static bool has_layers(const struct chain *c)
{
	return c && c->layers && c->layers->len > 0;
}

/*
 * Creates blobs for the targets. If a target has none (scratch, or removed), creates them for its inputs, and so on.
 * Users are visited before their inputs, because the result of a user decides about its inputs.
 */
static bool gather_wanted(gathered *g, const GArray *order, GError **error)
{
	guint n = g->keys->records->len;
	g_autofree bool *make = g_new0(bool, n + 1);
	for (guint at = order->len; at > 0; at--) {
		guint record = g_array_index(order, guint, at - 1);
		const struct key_record *r = key_graph_get(g->keys, record);
		if (!make[record] && !r->is_target)
			continue;
		struct chain *c = has_place(r) ? chain_of(g, record) : NULL;
		if (c)
			c->make = true;
		if (!gather_chains(g, error))
			return false;
		g->found[record] = c;
		for (guint i = 0; !has_layers(c) && i < r->n_inputs; i++)
			for (guint k = 0; k < r->inputs[i]->len; k++)
				make[g_array_index(r->inputs[i], struct key_input, k).from] = true;
	}
	return true;
}

static bool gather_all(gathered *g, GError **error)
{
	for (guint record = 0; record < g->keys->records->len; record++) {
		const struct key_record *r = key_graph_get(g->keys, record);
		if (g->found[record] || !has_place(r))
			continue;
		struct chain *c = g->found[record] = chain_of(g, record);
		if (c && !c->done)
			c->make = g->options.all;
	}
	return gather_chains(g, error);
}

static void nothing(gpointer unused)
{
}

gathered *gather(const struct remotecache_context *context, const key_graph *keys, const struct gather_options *options,
		 struct work *work, GError **error)
{
	g_autoptr(GArray) order = key_graph_order(keys);
	if (!order)
		return error_null(error, ERROR_INTERNAL, "cache keys form a cycle");
	g_autoptr(gathered) g = g_new0(gathered, 1);
	g->context = context;
	g->keys = keys;
	g->options = *options;
	g->work = work;
	g->chains = g_ptr_array_new_with_free_func(chain_free);
	g->by_result = g_hash_table_new_full(g_str_hash, g_str_equal, nothing, NULL);
	g->found = g_new0(struct chain *, keys->records->len + 1);
	g_mutex_init(&g->mu);
	if ((!options->all && !gather_wanted(g, order, error)) || !gather_all(g, error))
		return NULL;
	return g_steal_pointer(&g);
}

/* ---- conversion to a config */

struct numbering {
	cache_config *config;
	GHashTable *by_chain; /* chain id to layer + 1 */
	GPtrArray *layers;
};

static guint add_chain(struct numbering *n, const GPtrArray *layers)
{
	struct digest chain = {""};
	int64_t at = -1;
	for (guint i = 0; i < layers->len; i++) {
		struct cache_layer_result *layer = layers->pdata[i];
		const struct digest *blob = &layer->layer->descriptor->digest;
		oci_chain_id(&chain, blob, &chain);
		guint known = GPOINTER_TO_UINT(g_hash_table_lookup(n->by_chain, chain.text));
		if (known > 0) {
			at = (int64_t)known - 1;
			continue;
		}
		at = cache_config_add_layer(n->config, blob, at);
		g_ptr_array_add(n->layers, layer);
		g_hash_table_insert(n->by_chain, g_strdup(chain.text), GUINT_TO_POINTER((guint)at + 1));
	}
	return (guint)at;
}

static void copy_record(cache_config *c, const struct key_record *r)
{
	guint copy = key_graph_add(c->keys, r->digest, r->n_inputs);
	for (guint i = 0; i < r->n_inputs; i++)
		for (guint k = 0; k < r->inputs[i]->len; k++) {
			const struct key_input *link = &g_array_index(r->inputs[i], struct key_input, k);
			key_graph_link(c->keys, copy, i, link->selector, link->from);
		}
}

cache_config *gathered_config(const gathered *g, const key_graph *keys, GPtrArray **ret_layers)
{
	g_autoptr(GHashTable) by_chain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct numbering n = {cache_config_new(), by_chain, g_ptr_array_new()};
	for (guint record = 0; record < keys->records->len; record++) {
		const struct chain *c = g->found[record];
		copy_record(n.config, key_graph_get(keys, record));
		if (!has_layers(c))
			continue;
		guint top = add_chain(&n, c->layers);
		cache_config_add_result(n.config, record, false, &top, 1, c->created_ns);
	}
	*ret_layers = n.layers;
	return n.config;
}
