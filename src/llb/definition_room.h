/* SPDX-License-Identifier: Apache-2.0 */
/* definition_room: what a definition is made of while it is loaded. Room-internal. Thread: the loader's. */
#pragma once
#include "llb/definition.h"
#include <stdlib.h>
#include <string.h>

/* One element of def. */
struct loaded_op {
	struct digest digest;
	Pb__Op *op;                     /* owned */
	bool is_canonical;              /* was sent as llb_op_pack writes it */
	const Pb__OpMetadata *metadata; /* borrowed from the definition's copy */
	const Pb__Locations *locations;
	struct llb_vertex *vertex; /* owned; NULL: not reachable from the result, or the terminal op */
};

struct llb_definition {
	gint refs;
	Pb__Definition *side;  /* owned: metadata and source, no ops */
	GArray *ops;           /* struct loaded_op */
	GHashTable *by_digest; /* text (of the op) to index + 1 */
	GPtrArray *vertices;   /* borrowed, inputs before users */
	struct llb_input result;
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

/* A text of an unpacked message. */
static inline void replace_text(char **field, const char *text)
{
	if (*field != (const char *)protobuf_c_empty_string)
		free(*field);
	*field = strdup(text);
}

/* Lets the options' hook see every source, then gives each op its last digest; inputs follow. All edges are there. */
bool definition_rewrite(llb_definition *d, const struct llb_load_options *options, GError **error);
