/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_graph: cache keys as a table of records that lead to each other, exported from a key store or imported into a
 * build.
 *
 *	key_graph *g = key_graph_new();
 *	guint base = key_graph_add(g, "sha256:...", 0);            a root
 *	guint step = key_graph_add(g, "sha256:...", 1);
 *	key_graph_link(g, step, 0, "", base);                      base is an alternative for input 0
 *	if (!key_graph_check(g, error)) ...                        no cycle, every input has a link
 *
 * The digest of a record is that of "<cache map digest>@<output>"; an input lists alternatives. Plain owned data.
 * Thread: one at a time; any number once it is no longer changed.
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
	GArray *results;  /* of struct key_result, most preferred first */
	bool is_target;   /* represents a requested result */
	int export_cache; /* the definition's export option: -1 unset, 0, 1 */
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
/* Returns the records ordered so that each comes after those it depends on; of guint. NULL: there is a cycle. */
GArray *key_graph_order(const key_graph *g);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_graph, key_graph_free)
