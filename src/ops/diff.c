/* SPDX-License-Identifier: Apache-2.0 */
/* Diff ops: the changes between a lower and an upper tree. */
#include "ops/op.h"

/* As in a merge, positions decide, not the indices: the first input is the lower one if there is a lower one. */
static bool diff_input(int64_t index, const char *which, void *const *inputs, size_t n_inputs, size_t *next,
		       cache_ref **ret, GError **error)
{
	*ret = NULL;
	if (index < 0)
		return true;
	if (*next >= n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid %s input index %zu for diff op with %zu inputs", which, *next, n_inputs);
	*ret = inputs[(*next)++];
	return true;
}

static bool diff_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		      size_t n_outputs, GError **error)
{
	const struct op *op = self;
	const Pb__DiffOp *pb = op->v->op->diff;
	cache_ref *lower, *upper;
	size_t next = 0;
	if (!diff_input(pb->lower->input, "lower", inputs, n_inputs, &next, &lower, error) ||
	    !diff_input(pb->upper->input, "upper", inputs, n_inputs, &next, &upper, error))
		return false;
	if (next < n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT, "diff op uses %zu of its %zu inputs", next, n_inputs);
	if (lower == upper || !lower) {
		op_output(lower == upper || !upper ? NULL : cache_ref_ref(upper), ret_outputs, n_outputs);
		return true;
	}
	struct cache_record_options options = {.description = op->v->name};
	cache_ref *added = cache_diff(op->worker->cache, lower, upper, &options, work, error);
	if (!added)
		return false;
	op_output(added, ret_outputs, n_outputs);
	return true;
}

static const struct solver_op_class diff_class = {
	.cache_map = op_cache_map_other,
	.exec = diff_exec,
	.free = op_free,
};

bool op_diff_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&diff_class, op_new(sizeof(struct op), w, v)};
	return true;
}
