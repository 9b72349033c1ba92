/* SPDX-License-Identifier: Apache-2.0 */
#include "llb/validate.h"
#include "base/limits.h"
#include <string.h>

static bool invalid(GError **error, const char *text)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s", text);
}

static bool is_index(int64_t index, int64_t lowest, size_t n)
{
	return index >= lowest && index < (int64_t)n;
}

static bool mount_validate(const Pb__Op *op, const Pb__Mount *m, size_t *outputs, GError **error)
{
	if (!is_index(m->input, -1, op->n_inputs))
		return error_set(error, ERROR_INVALID_ARGUMENT, "missing input %" G_GINT64_FORMAT, m->input);
	bool is_root = strcmp(m->dest, "/") == 0;
	static const char *const types[] = {"BIND", "SECRET", "SSH", "CACHE", "TMPFS"};
	if ((unsigned)m->mounttype >= G_N_ELEMENTS(types))
		return error_set(error, ERROR_INVALID_ARGUMENT, "mount type %d not implemented", (int)m->mounttype);
	if (is_root && m->mounttype != PB__MOUNT_TYPE__BIND)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid mount type %s for %s", types[m->mounttype],
				 m->dest);
	if (m->output < -1 || m->output > LIMIT_LLB_INPUTS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid output index %" G_GINT64_FORMAT " of mount %s",
				 m->output, m->dest);
	bool has_result =
		m->mounttype == PB__MOUNT_TYPE__BIND || (m->mounttype == PB__MOUNT_TYPE__CACHE && m->input >= 0);
	if (m->output >= 0 && has_result)
		(*outputs)++;
	return true;
}

static bool exec_validate(const Pb__Op *op, size_t *outputs, GError **error)
{
	const Pb__ExecOp *exec = op->exec;
	if (!exec)
		return invalid(error, "invalid nil exec op");
	if (!exec->meta)
		return invalid(error, "invalid exec op with no meta");
	if (exec->meta->n_args == 0)
		return invalid(error, "invalid exec op with no args");
	if (exec->n_mounts == 0)
		return invalid(error, "invalid exec op with no mounts");
	if (exec->n_mounts > LIMIT_LLB_INPUTS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "exec op has %zu mounts, limit is %lld", exec->n_mounts,
				 LIMIT_LLB_INPUTS);
	size_t roots = 0;
	for (size_t i = 0; i < exec->n_mounts; i++) {
		if (!mount_validate(op, exec->mounts[i], outputs, error))
			return false;
		roots += strcmp(exec->mounts[i]->dest, "/") == 0;
	}
	if (roots == 0)
		return invalid(error, "invalid exec op with no rootfs");
	if (roots > 1)
		return invalid(error, "invalid exec op with several mounts at /");
	return true;
}

static bool user_validate(const Pb__Op *op, const Pb__UserOpt *user, GError **error)
{
	return !user || user->user_case != PB__USER_OPT__USER_BY_NAME || !user->byname ||
	       is_index(user->byname->input, -1, op->n_inputs) ||
	       error_set(error, ERROR_INVALID_ARGUMENT,
			 "invalid input index %" G_GINT64_FORMAT " in file op with %zu inputs", user->byname->input,
			 op->n_inputs);
}

/* Returns the owner of an action; ret_body: whether the action has a body. */
static const Pb__ChownOpt *action_owner(const Pb__FileAction *a, bool *ret_body)
{
	*ret_body = a->action_case != PB__FILE_ACTION__ACTION__NOT_SET && a->copy;
	if (!*ret_body)
		return NULL;
	if (a->action_case == PB__FILE_ACTION__ACTION_COPY)
		return a->copy->owner;
	if (a->action_case == PB__FILE_ACTION__ACTION_MKFILE)
		return a->mkfile->owner;
	if (a->action_case == PB__FILE_ACTION__ACTION_MKDIR)
		return a->mkdir->owner;
	if (a->action_case == PB__FILE_ACTION__ACTION_SYMLINK)
		return a->symlink->owner;
	return NULL;
}

/* Indices from the number of inputs upwards refer to earlier actions. */
static bool action_validate(const Pb__Op *op, size_t i, GError **error)
{
	const Pb__FileAction *a = op->file->actions[i];
	size_t n = op->n_inputs + op->file->n_actions;
	if (!is_index(a->input, -1, n))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid input index %" G_GINT64_FORMAT ", %zu provided", a->input, n);
	if (!is_index(a->secondaryinput, -1, n))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid secondary input index %" G_GINT64_FORMAT ", %zu provided", a->secondaryinput,
				 op->n_inputs);
	int64_t self = (int64_t)(op->n_inputs + i);
	if (a->input >= self || a->secondaryinput >= self)
		return error_set(error, ERROR_INVALID_ARGUMENT, "loop from index %" G_GINT64_FORMAT, self);
	bool has_body;
	const Pb__ChownOpt *owner = action_owner(a, &has_body);
	if (!has_body)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid file action %zu with no kind", i);
	return !owner || (user_validate(op, owner->user, error) && user_validate(op, owner->group, error));
}

/* Checks only the range. The op checks at run time, as upstream, that each output occurs once. */
static bool file_outputs_validate(const Pb__FileOp *file, size_t *outputs, GError **error)
{
	int64_t highest = 0;
	for (size_t i = 0; i < file->n_actions; i++) {
		int64_t output = file->actions[i]->output;
		if (output < -1 || output >= (int64_t)file->n_actions)
			return error_set(error, ERROR_INVALID_ARGUMENT, "missing output index 0");
		highest = MAX(highest, output);
	}
	*outputs = (size_t)highest + 1;
	return true;
}

static bool file_validate(const Pb__Op *op, size_t *outputs, GError **error)
{
	if (!op->file)
		return invalid(error, "invalid nil file op");
	if (op->file->n_actions == 0)
		return invalid(error, "invalid file op with no actions");
	if (op->file->n_actions > LIMIT_LLB_OPS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "file op has %zu actions, limit is %lld",
				 op->file->n_actions, LIMIT_LLB_OPS);
	for (size_t i = 0; i < op->file->n_actions; i++)
		if (!action_validate(op, i, error))
			return false;
	return file_outputs_validate(op->file, outputs, error);
}

static bool build_validate(const Pb__Op *op, GError **error)
{
	if (!op->build)
		return invalid(error, "invalid nil build op");
	for (size_t i = 0; i < op->build->n_inputs; i++) {
		const Pb__BuildInput *in = op->build->inputs[i]->value;
		if (!is_index(in ? in->input : 0, 0, op->n_inputs))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid index %" G_GINT64_FORMAT " for input %s", in ? in->input : 0,
					 op->build->inputs[i]->key);
	}
	return true;
}

static bool merge_validate(const Pb__Op *op, GError **error)
{
	if (!op->merge)
		return invalid(error, "invalid nil merge op");
	for (size_t i = 0; i < op->merge->n_inputs; i++)
		if (!is_index(op->merge->inputs[i]->input, 0, op->n_inputs))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid merge input index %" G_GINT64_FORMAT,
					 op->merge->inputs[i]->input);
	return true;
}

static bool diff_validate(const Pb__Op *op, GError **error)
{
	const Pb__DiffOp *diff = op->diff;
	if (!diff)
		return invalid(error, "invalid nil diff op");
	if (!diff->lower || !diff->upper)
		return invalid(error, "invalid diff op with nil lower or upper input");
	const int64_t sides[] = {diff->lower->input, diff->upper->input};
	for (size_t i = 0; i < G_N_ELEMENTS(sides); i++)
		if (!is_index(sides[i], -1, op->n_inputs))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid diff input index %" G_GINT64_FORMAT,
					 sides[i]);
	return true;
}

static bool passthrough_validate(const Pb__Op *op, size_t *outputs, GError **error)
{
	const Pb__PassthroughOp *pass = op->passthrough;
	if (!pass)
		return invalid(error, "invalid nil passthrough op");
	if (!*pass->id)
		return invalid(error, "invalid passthrough op with no id");
	if (pass->n_outputs == 0)
		return invalid(error, "invalid passthrough op with no outputs");
	for (size_t i = 0; i < pass->n_outputs; i++)
		if (!is_index(pass->outputs[i], 0, op->n_inputs))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid passthrough output input index %" G_GINT64_FORMAT, pass->outputs[i]);
	*outputs = pass->n_outputs;
	return true;
}

bool llb_op_validate(const Pb__Op *op, size_t *ret_outputs, GError **error)
{
	if (op->n_inputs > LIMIT_LLB_INPUTS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "op has %zu inputs, limit is %lld", op->n_inputs,
				 LIMIT_LLB_INPUTS);
	*ret_outputs = 0;
	if (op->op_case == PB__OP__OP_EXEC)
		return exec_validate(op, ret_outputs, error);
	if (op->op_case == PB__OP__OP_FILE)
		return file_validate(op, ret_outputs, error);
	if (op->op_case == PB__OP__OP_PASSTHROUGH)
		return passthrough_validate(op, ret_outputs, error);
	*ret_outputs = 1;
	if (op->op_case == PB__OP__OP_SOURCE)
		return op->source || invalid(error, "invalid nil source op");
	if (op->op_case == PB__OP__OP_BUILD)
		return build_validate(op, error);
	if (op->op_case == PB__OP__OP_MERGE)
		return merge_validate(op, error);
	if (op->op_case == PB__OP__OP_DIFF)
		return diff_validate(op, error);
	return invalid(error, "invalid nil op");
}
