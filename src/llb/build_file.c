/* SPDX-License-Identifier: Apache-2.0 */
/* File ops: a chain of actions; each works on the result of the previous one. */
#include "llb/graph.h"
#include "api/message_copy.h"

struct llb_out llb_file(llb_graph *g, struct llb_out on, const struct llb_file_action *actions, size_t n,
			const struct llb_meta *meta)
{
	struct llb_op_draft d;
	llb_op_draft_init(&d, g, meta, false);
	llb_op_draft_cap(&d, "file.base");
	Pb__FileOp file = PB__FILE_OP__INIT;
	file.actions = llb_op_draft_alloc(&d, n * sizeof *file.actions);
	int64_t base = llb_op_draft_input(&d, on);
	for (size_t i = 0; i < n; i++) {
		Pb__FileAction *a = message_new_in(d.graph->arena, Pb__FileAction, pb__file_action);
		a->action_case = actions[i].type;
		a->copy = (Pb__FileActionCopy *)actions[i].copy; /* all members of the union are message pointers */
		a->input = i == 0 ? base : -1;                   /* later actions: the previous result */
		a->secondaryinput =
			actions[i].type == PB__FILE_ACTION__ACTION_COPY ? llb_op_draft_input(&d, actions[i].from) : -1;
		a->output = i == n - 1 ? 0 : -1;
		file.actions[file.n_actions++] = a;
	}
	d.op.op_case = PB__OP__OP_FILE;
	d.op.file = &file;
	struct llb_node *node = llb_op_draft_finish(&d);
	node->owner_from_base = llb_op_draft_alloc(&d, n * sizeof *node->owner_from_base);
	for (size_t i = 0; i < n; i++)
		node->owner_from_base[i] = actions[i].owner_from_base;
	return (struct llb_out){.node = node};
}
