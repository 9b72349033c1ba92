/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph: internals of llb/build.h, shared by the files that create nodes.
 *
 *	struct llb_op_draft d;
 *	llb_op_draft_init(&d, g, meta, true);
 *	int64_t input = llb_op_draft_input(&d, out);
 *	d.op.op_case = ...; llb_op_draft_cap(&d, "exec.meta.base");
 *	struct llb_node *node = llb_op_draft_finish(&d);
 *
 * A new node has the requested op, with inputs in the order of the calls. It becomes final (inputs resolved, shared and
 * renumbered; bytes and digest computed) when its digest is needed, because promises are set only then. A draft borrows
 * its arguments until finish. Thread: as llb/build.h.
 */
#pragma once
#include "base/arena.h"
#include "llb/build.h"

#define LLB_ROOT_READONLY (-1) /* index of a read-only root: replaced by its mounted input */

struct llb_mount_out {
	char *dest;
	int index;             /* -1: no output, but */
	struct llb_out source; /* the input to use instead (read-only mounts); node NULL: none */
};

/* All members except bytes are allocated in the graph's arena. */
enum llb_node_state { LLB_NODE_NEW, LLB_NODE_OPEN, LLB_NODE_FINAL };
struct llb_node {
	size_t id; /* position in the graph */
	enum llb_node_state state;
	Pb__Op *op;           /* NULL: a promise or an imported op */
	struct llb_out *refs; /* inputs in the order of the calls; final: resolved */
	size_t n_refs;
	bool *owner_from_base;        /* file ops, one element per action */
	Pb__OpMetadata *metadata;     /* NULL for promises only */
	struct vec locations;         /* element type: Pb__Location; sourceindex refers to the graph */
	struct llb_mount_out *mounts; /* exec only */
	size_t n_mounts;
	/* valid when final: */
	bool is_alias;        /* a promise, or a merge or diff of one input: another name of its input */
	struct llb_out alias; /* resolved */
	GBytes *bytes;        /* owned */
	struct digest digest;
	struct llb_out *inputs; /* resolved */
	size_t n_inputs;
};

struct llb_graph {
	arena *arena;       /* owned; memory of nodes, drafts and assembled definitions */
	GPtrArray *nodes;   /* owned, of struct llb_node */
	GPtrArray *sources; /* owned, of Pb__SourceInfo */
	struct platform platform;
};

struct llb_op_draft {
	llb_graph *graph;
	const struct llb_meta *meta;
	Pb__Op op;
	Pb__Platform platform;
	Pb__WorkerConstraints constraints;
	struct vec refs; /* element type: struct llb_out */
	struct vec caps; /* element type: char *, borrowed */
};

void llb_op_draft_init(struct llb_op_draft *d, llb_graph *g, const struct llb_meta *meta, bool with_platform);
/* Returns the number of the input until the node is final; -1 for scratch. */
int64_t llb_op_draft_input(struct llb_op_draft *d, struct llb_out out);
void llb_op_draft_cap(struct llb_op_draft *d, const char *cap);
/* Allocates memory that lives as long as the graph. */
void *llb_op_draft_alloc(struct llb_op_draft *d, size_t n);
struct llb_node *llb_op_draft_finish(struct llb_op_draft *d);

struct llb_node *llb_node_new(llb_graph *g);
void llb_node_set_bytes(struct llb_node *node, GBytes *bytes /* takes ownership */);
/* Returns the graph's index of a source file. Equal files share it. */
int llb_graph_intern_source(llb_graph *g, const Pb__SourceInfo *info);

/*
 * Makes all nodes that the output depends on final (inputs first, no recursion) and returns the output without aliases.
 */
struct llb_out llb_out_finalize(llb_graph *g, struct llb_out out);
