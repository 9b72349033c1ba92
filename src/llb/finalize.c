/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes nodes final: resolves promises, shares equal inputs, numbers indices and encodes bytes as upstream's client
 * does.
 */
#include "llb/graph.h"
#include <string.h>

/* For final nodes only. Terminates, because each step leads to a node that became final earlier. */
static struct llb_out resolve(struct llb_out out)
{
	while (out.node) {
		const struct llb_node *node = out.node;
		if (node->state != LLB_NODE_FINAL)
			return (struct llb_out){0}; /* a promise that depends on itself */
		if (node->is_alias) {
			out = node->alias;
		} else if (out.index == LLB_ROOT_READONLY) {
			out = (struct llb_out){0};
			for (size_t i = 0; i < node->n_mounts; i++)
				if (strcmp(node->mounts[i].dest, "/") == 0)
					out = node->mounts[i].source;
		} else {
			break;
		}
	}
	return out;
}

static int64_t add_input(struct llb_node *node, struct llb_out in, bool shared)
{
	if (!in.node)
		return -1;
	for (size_t i = 0; i < node->n_inputs && shared; i++)
		if (node->inputs[i].index == in.index && digest_equal(&node->inputs[i].node->digest, &in.node->digest))
			return (int64_t)i;
	node->inputs[node->n_inputs] = in;
	return (int64_t)node->n_inputs++;
}

static int64_t renumbered(const int64_t *map, int64_t ref)
{
	return ref < 0 ? ref : map[ref];
}

static void user_on_base(Pb__UserOpt *user, int64_t base)
{
	if (user && user->user_case == PB__USER_OPT__USER_BY_NAME)
		user->byname->input = base;
}

static void owner_on_base(Pb__FileAction *a, int64_t base)
{
	Pb__ChownOpt *owner = NULL;
	if (a->action_case == PB__FILE_ACTION__ACTION_COPY)
		owner = a->copy->owner;
	else if (a->action_case == PB__FILE_ACTION__ACTION_MKFILE)
		owner = a->mkfile->owner;
	else if (a->action_case == PB__FILE_ACTION__ACTION_MKDIR)
		owner = a->mkdir->owner;
	else if (a->action_case == PB__FILE_ACTION__ACTION_SYMLINK)
		owner = a->symlink->owner;
	if (!owner)
		return;
	user_on_base(owner->user, base);
	user_on_base(owner->group, base);
}

static void renumber_file(struct llb_node *node, const int64_t *map)
{
	Pb__FileOp *file = node->op->file;
	int64_t base = file->n_actions > 0 ? renumbered(map, file->actions[0]->input) : -1;
	for (size_t i = 0; i < file->n_actions; i++) {
		Pb__FileAction *a = file->actions[i];
		a->input = i == 0 ? base : (int64_t)(node->n_inputs + i - 1); /* the result of the previous action */
		a->secondaryinput = renumbered(map, a->secondaryinput);
		if (node->owner_from_base[i])
			owner_on_base(a, base);
	}
}

static void renumber(struct llb_node *node, const int64_t *map)
{
	Pb__Op *op = node->op;
	if (op->op_case == PB__OP__OP_EXEC) {
		for (size_t i = 0; i < op->exec->n_mounts; i++)
			op->exec->mounts[i]->input = renumbered(map, op->exec->mounts[i]->input);
	} else if (op->op_case == PB__OP__OP_FILE) {
		renumber_file(node, map);
	} else if (op->op_case == PB__OP__OP_DIFF) {
		op->diff->lower->input = renumbered(map, op->diff->lower->input);
		op->diff->upper->input = renumbered(map, op->diff->upper->input);
	} else if (op->op_case == PB__OP__OP_MERGE) {
		size_t n = 0;
		for (size_t i = 0; i < op->merge->n_inputs; i++) /* scratch inputs are dropped */
			if (renumbered(map, op->merge->inputs[i]->input) >= 0)
				n++;
		for (size_t i = 0; i < op->merge->n_inputs; i++)
			op->merge->inputs[i]->input = (int64_t)i;
		op->merge->n_inputs = n;
	}
}

static GBytes *pack_with_inputs(llb_graph *g, struct llb_node *node)
{
	Pb__Input *values = arena_alloc(g->arena, node->n_inputs * sizeof *values);
	Pb__Input **inputs = arena_alloc(g->arena, node->n_inputs * sizeof *inputs);
	for (size_t i = 0; i < node->n_inputs; i++) {
		pb__input__init(&values[i]);
		values[i].digest = (char *)node->inputs[i].node->digest.text;
		values[i].index = node->inputs[i].index;
		inputs[i] = &values[i];
	}
	Pb__Op op = *node->op;
	op.inputs = inputs;
	op.n_inputs = node->n_inputs;
	return llb_op_pack(&op);
}

/* Merges of fewer than two trees and diffs against scratch become aliases, not ops. */
static bool collapse(struct llb_node *node)
{
	if (!node->op) {
		node->alias = node->n_refs > 0 ? resolve(node->refs[0]) : (struct llb_out){0};
		return true;
	}
	if (node->op->op_case == PB__OP__OP_MERGE && node->n_inputs <= 1) {
		node->alias = node->n_inputs == 1 ? node->inputs[0] : (struct llb_out){0};
		return true;
	}
	if (node->op->op_case == PB__OP__OP_DIFF && node->op->diff->lower->input < 0) {
		node->alias = node->n_inputs == 1 ? node->inputs[0] : (struct llb_out){0};
		return true;
	}
	return false;
}

static void node_finalize(llb_graph *g, struct llb_node *node)
{
	node->state = LLB_NODE_FINAL;
	bool imported = node->bytes != NULL;
	int64_t *map = arena_alloc(g->arena, node->n_refs * sizeof *map);
	node->inputs = arena_alloc(g->arena, node->n_refs * sizeof *node->inputs);
	bool shared = node->op && (node->op->op_case == PB__OP__OP_EXEC || node->op->op_case == PB__OP__OP_FILE);
	for (size_t i = 0; i < node->n_refs; i++) {
		node->refs[i] = resolve(node->refs[i]);
		map[i] = add_input(node, node->refs[i], shared);
	}
	if (imported)
		return;
	if (node->op)
		renumber(node, map);
	node->is_alias = collapse(node);
	if (!node->is_alias)
		llb_node_set_bytes(node, pack_with_inputs(g, node));
}

struct frame {
	struct llb_node *node;
	size_t next;
};

static void push(llb_graph *g, GArray *stack, const struct llb_node *node)
{
	if (!node || node->state != LLB_NODE_NEW)
		return;
	struct frame f = {.node = g->nodes->pdata[node->id]};
	f.node->state = LLB_NODE_OPEN;
	g_array_append_val(stack, f);
}

struct llb_out llb_out_finalize(llb_graph *g, struct llb_out out)
{
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct frame));
	push(g, stack, out.node);
	while (stack->len > 0) {
		struct frame *top = &g_array_index(stack, struct frame, stack->len - 1);
		if (top->next < top->node->n_refs) {
			push(g, stack, top->node->refs[top->next++].node);
			continue;
		}
		node_finalize(g, top->node);
		g_array_set_size(stack, stack->len - 1);
	}
	return resolve(out);
}

void llb_out_digest(llb_graph *g, struct llb_out out, struct digest *ret)
{
	out = llb_out_finalize(g, out);
	*ret = out.node ? out.node->digest : (struct digest){0};
}

/* ---- promises */

struct llb_out llb_promise(llb_graph *g)
{
	return (struct llb_out){.node = llb_node_new(g)};
}

void llb_promise_set(llb_graph *g, struct llb_out promise, struct llb_out real)
{
	struct llb_node *node = g->nodes->pdata[promise.node->id];
	g_assert(!node->op && !node->bytes && node->state == LLB_NODE_NEW);
	node->refs = arena_make(g->arena, struct llb_out);
	*node->refs = real;
	node->n_refs = 1;
}
