/* SPDX-License-Identifier: Apache-2.0 */
/* definition_internal: the parts of a definition while it is loaded. Internal to llb/. Thread: the loader's. */
#pragma once
#include "llb/definition.h"
#include <stdlib.h>
#include <string.h>

/* An element of def. */
struct loaded_op {
	struct digest digest;
	Pb__Op *op;                     /* owned */
	bool is_canonical;              /* was sent in the encoding of llb_op_pack */
	const Pb__OpMetadata *metadata; /* borrowed from side */
	const Pb__Locations *locations;
	struct llb_vertex *vertex; /* owned; NULL: not reachable from the result, or the terminal op */
};

struct llb_definition {
	gint refs;
	Pb__Definition *side;  /* owned: metadata and source of the definition, without its ops */
	GArray *ops;           /* element type: struct loaded_op */
	GHashTable *by_digest; /* digest text (borrowed from the op) to index + 1 */
	GPtrArray *vertices;   /* borrowed, inputs before users */
	struct llb_input result;
	netproxy_policy *proxy; /* counted; NULL: none */
};

static inline struct loaded_op *op_at(llb_definition *d, guint i)
{
	return &g_array_index(d->ops, struct loaded_op, i);
}

static inline struct loaded_op *op_find(llb_definition *d, const char *digest)
{
	guint index = GPOINTER_TO_UINT(g_hash_table_lookup(d->by_digest, digest));
	return index > 0 ? op_at(d, index - 1) : NULL;
}

/* Reports whether the op is an exec op that reaches the network through the proxy of the definition. */
static inline bool op_is_proxied(const llb_definition *d, const Pb__Op *op)
{
	return d->proxy && op->op_case == PB__OP__OP_EXEC && op->exec->network != PB__NET_MODE__NONE;
}

/*
 * Passes all sources to the hook of the options, then computes the final digest of each op, inputs first. All edges
 * must be resolved.
 */
bool definition_rewrite(llb_definition *d, const struct llb_load_options *options, GError **error);
