/* SPDX-License-Identifier: Apache-2.0 */
/* Imports a received definition as nodes of a graph, with unchanged bytes. */
#include "api/guard.h"
#include "api/message_copy.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "llb/graph.h"
#include <string.h>

struct grafted {
	struct llb_node *node; /* borrowed from the graph */
	Pb__Op *op;            /* owned */
};

static void grafted_free(gpointer data)
{
	struct grafted *g = data;
	guard_free(g->op);
	g_free(g);
}

/* Creates a node without inputs for each op; ret_last: the terminal op, owned. */
static GHashTable *graft_ops(llb_graph *g, const Pb__Definition *def, Pb__Op **ret_last, GError **error)
{
	g_autoptr(GHashTable) by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, grafted_free);
	for (size_t i = 0; i < def->n_def; i++) {
		Pb__Op *op = guard_unpack_go(&pb__op__descriptor, def->def[i].data, def->def[i].len, error);
		if (!op)
			return error_prefix_null(error, "failed to parse llb proto op: ");
		if (i == def->n_def - 1) {
			*ret_last = op;
			break;
		}
		struct grafted *one = g_new0(struct grafted, 1);
		one->op = op;
		one->node = llb_node_new(g);
		llb_node_set_bytes(one->node, g_bytes_new(def->def[i].data, def->def[i].len));
		g_hash_table_replace(by_digest, one->node->digest.text, one);
	}
	return g_steal_pointer(&by_digest);
}

static bool graft_input(GHashTable *by_digest, const Pb__Input *in, struct llb_out *ret, GError **error)
{
	const struct grafted *one = g_hash_table_lookup(by_digest, in->digest);
	if (!one)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid missing input digest %s", in->digest);
	if (in->index < 0 || in->index > G_MAXINT)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid definition op with invalid index");
	*ret = (struct llb_out){.node = one->node, .index = (int)in->index};
	return true;
}

static bool graft_edges(llb_graph *g, GHashTable *by_digest, GError **error)
{
	for (struct hash_walk it = hash_walk(by_digest); hash_walk_next(&it);) {
		struct grafted *one = it.value;
		one->node->refs = arena_alloc(g->arena, one->op->n_inputs * sizeof *one->node->refs);
		for (size_t i = 0; i < one->op->n_inputs; i++) {
			if (!graft_input(by_digest, one->op->inputs[i], &one->node->refs[i], error))
				return false;
			one->node->n_refs++;
		}
	}
	return true;
}

static void graft_metadata(llb_graph *g, GHashTable *by_digest, const Pb__Definition *def)
{
	for (size_t i = 0; i < def->n_metadata; i++) {
		struct grafted *one = g_hash_table_lookup(by_digest, def->metadata[i]->key);
		if (one && !one->node->metadata && def->metadata[i]->value)
			one->node->metadata = message_copy_in(g->arena, def->metadata[i]->value);
	}
	Pb__OpMetadata none = PB__OP_METADATA__INIT;
	for (struct hash_walk it = hash_walk(by_digest); hash_walk_next(&it);) {
		struct grafted *one = it.value;
		if (!one->node->metadata)
			one->node->metadata = message_copy_in(g->arena, &none);
	}
}

static bool graft_locations(llb_graph *g, GHashTable *by_digest, const Pb__Source *source, GError **error)
{
	if (!source)
		return true;
	g_autofree int *index = g_new0(int, source->n_infos + 1);
	for (size_t i = 0; i < source->n_infos; i++)
		index[i] = llb_graph_intern_source(g, source->infos[i]);
	for (size_t i = 0; i < source->n_locations; i++) {
		const struct grafted *one = g_hash_table_lookup(by_digest, source->locations[i]->key);
		const Pb__Locations *all = source->locations[i]->value;
		for (size_t k = 0; one && all && k < all->n_locations; k++) {
			Pb__Location *location = all->locations[k];
			if (location->sourceindex < 0 || (size_t)location->sourceindex >= source->n_infos)
				return error_set(error, ERROR_INVALID_ARGUMENT,
						 "failed to find source map with index %d", location->sourceindex);
			Pb__Location *copy = message_copy_in(g->arena, location);
			copy->sourceindex = index[location->sourceindex];
			arena_push(g->arena, &one->node->locations, copy);
		}
	}
	return true;
}

/* Removes the nodes of a failed import, because some have no metadata or inputs. */
static struct llb_out graft_fail(llb_graph *g, guint first)
{
	g_ptr_array_set_size(g->nodes, (gint)first);
	return (struct llb_out){0};
}

struct llb_out llb_import(llb_graph *g, const Pb__Definition *definition, GError **error)
{
	struct llb_out out = {0};
	if (definition->n_def == 0)
		return out;
	if (definition->n_def > LIMIT_LLB_OPS) {
		error_set(error, ERROR_INVALID_ARGUMENT, "definition has %zu ops, limit is %lld", definition->n_def,
			  LIMIT_LLB_OPS);
		return out;
	}
	guint first = g->nodes->len;
	Pb__Op *last = NULL;
	g_autoptr(GHashTable) by_digest = graft_ops(g, definition, &last, error);
	if (!by_digest)
		return graft_fail(g, first);
	bool ok = graft_edges(g, by_digest, error);
	if (ok && last->n_inputs > 0)
		ok = graft_input(by_digest, last->inputs[0], &out, error);
	guard_free(last);
	graft_metadata(g, by_digest, definition);
	if (!ok || !graft_locations(g, by_digest, definition->source, error))
		return graft_fail(g, first);
	return out;
}
