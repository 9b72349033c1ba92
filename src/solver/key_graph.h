/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_graph: cache keys as a table of records that lead to each other, on their way out of a key store or into a build.
 *
 *	key_graph *g = key_graph_new();
 *	guint base = key_graph_add(g, "sha256:...", 0);            a root
 *	guint step = key_graph_add(g, "sha256:...", 1);
 *	key_graph_link(g, step, 0, "", base);                      input 0 of step may be base
 *	if (!key_graph_check(g, error)) ...                        no cycle, no input without a link
 *
 * The digest of a record is that of "<cache map digest>@<output>"; an input lists alternatives.
 * Plain owned data. Thread: one at a time; any number once nobody changes it.
 */
#pragma once
#include "solver/key_store.h"

struct key_input {
	char *selector; /* owned, "" for none */
	guint from;     /* record */
};
struct key_record {
	char *digest;    /* owned */
	GArray **inputs; /* owned, of struct key_input; n_inputs */
	guint n_inputs;
	GArray *results;  /* of struct key_result, the one to prefer first */
	bool is_target;   /* stands for what was asked for */
	int export_cache; /* what the definition says of it: -1 nothing, 0, 1 */
};
typedef struct key_graph {
	GPtrArray *records; /* of struct key_record * */
} key_graph;

key_graph *key_graph_new(void);
void key_graph_free(key_graph *g);
guint key_graph_add(key_graph *g, const char *digest, guint n_inputs);
struct key_record *key_graph_get(const key_graph *g, guint record); /* borrowed */
void key_graph_link(key_graph *g, guint record, guint input, const char *selector, guint from);
void key_graph_add_result(key_graph *g, guint record, const char *id, int64_t created_ns);
/* Errors: INVALID_ARGUMENT "invalid record ID: N", "invalid empty input for record N", "invalid looping record". */
bool key_graph_check(const key_graph *g, GError **error);
/* Records in an order in which each comes after those that it leads from; of guint. NULL: there is a cycle. */
GArray *key_graph_order(const key_graph *g);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_graph, key_graph_free)
