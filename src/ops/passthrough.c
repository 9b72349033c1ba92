/* SPDX-License-Identifier: Apache-2.0 */
/* Passthrough ops: return inputs as outputs without running anything. */
#include "ops/op.h"

static bool passthrough_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
			     size_t n_outputs, GError **error)
{
	const Pb__PassthroughOp *pb = ((const struct op *)self)->v->op->passthrough;
	for (size_t i = 0; i < n_outputs; i++)
		if (i >= pb->n_outputs || pb->outputs[i] < 0 || (size_t)pb->outputs[i] >= n_inputs)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid passthrough op output index %zu", i);
	for (size_t i = 0; i < n_outputs; i++) {
		cache_ref *r = inputs[pb->outputs[i]];
		ret_outputs[i] = r ? cache_ref_ref(r) : NULL;
	}
	return true;
}

static const struct solver_op_class passthrough_class = {
	.cache_map = op_cache_map_other,
	.exec = passthrough_exec,
	.free = op_free,
};

bool op_passthrough_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&passthrough_class, op_new(sizeof(struct op), w, v)};
	return true;
}
