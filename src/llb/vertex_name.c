/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "llb/validate.h"
#include <string.h>

/*
 * Names of merges contain the names of their inputs; without a limit, the name of a chain of merges would double at
 * each step.
 */
#define NESTED_NAME_BYTES KIB(16)

static void append_nested(GString *name, const char *inner)
{
	if ((long long)(name->len + strlen(inner)) <= NESTED_NAME_BYTES)
		g_string_append(name, inner);
	else
		g_string_append(name, "...");
}

static void append_action(GString *name, const Pb__FileAction *a)
{
	if (name->len > 0)
		g_string_append(name, ", ");
	if (a->action_case == PB__FILE_ACTION__ACTION_MKDIR)
		g_string_append_printf(name, "mkdir %s", a->mkdir->path);
	else if (a->action_case == PB__FILE_ACTION__ACTION_MKFILE)
		g_string_append_printf(name, "mkfile %s", a->mkfile->path);
	else if (a->action_case == PB__FILE_ACTION__ACTION_SYMLINK)
		g_string_append_printf(name, "symlink %s -> %s", a->symlink->newpath, a->symlink->oldpath);
	else if (a->action_case == PB__FILE_ACTION__ACTION_RM)
		g_string_append_printf(name, "rm %s", a->rm->path);
	else
		g_string_append_printf(name, "copy %s %s", a->copy->src, a->copy->dest);
}

static void append_side(GString *name, int64_t input, const struct llb_input *inputs)
{
	if (input < 0) {
		g_string_append(name, "scratch");
		return;
	}
	g_string_append_c(name, '(');
	append_nested(name, inputs[input].vertex->name);
	g_string_append_c(name, ')');
}

char *llb_op_name(const Pb__Op *op, const struct llb_input *inputs)
{
	GString *name = g_string_new(NULL);
	if (op->op_case == PB__OP__OP_SOURCE) {
		g_string_append(name, op->source->identifier);
	} else if (op->op_case == PB__OP__OP_EXEC) {
		for (size_t i = 0; i < op->exec->meta->n_args; i++)
			g_string_append_printf(name, "%s%s", i > 0 ? " " : "", op->exec->meta->args[i]);
	} else if (op->op_case == PB__OP__OP_FILE) {
		for (size_t i = 0; i < op->file->n_actions; i++)
			append_action(name, op->file->actions[i]);
	} else if (op->op_case == PB__OP__OP_BUILD) {
		g_string_append(name, "build");
	} else if (op->op_case == PB__OP__OP_MERGE) {
		g_string_append(name, "merge (");
		for (size_t i = 0; i < op->n_inputs; i++) {
			g_string_append(name, i > 0 ? ", " : "");
			append_nested(name, inputs[i].vertex->name);
		}
		g_string_append_c(name, ')');
	} else if (op->op_case == PB__OP__OP_DIFF) {
		g_string_append(name, "diff ");
		append_side(name, op->diff->lower->input, inputs);
		g_string_append(name, " -> ");
		append_side(name, op->diff->upper->input, inputs);
	} else {
		g_string_append_printf(name, "passthrough %s", op->passthrough->id);
	}
	return g_string_free(name, FALSE);
}
