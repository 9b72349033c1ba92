/* SPDX-License-Identifier: Apache-2.0 */
/* Build ops are not implemented: their cache digest is upstream's, running them is an error. */
#include "ops/op.h"

static bool build_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		       size_t n_outputs, GError **error)
{
	return error_set(error, ERROR_UNIMPLEMENTED, "build op is not supported");
}

static const struct solver_op_class build_class = {
	.cache_map = op_cache_map_other,
	.exec = build_exec,
	.free = op_free,
};

bool op_build_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&build_class, op_new(sizeof(struct op), w, v)};
	return true;
}
