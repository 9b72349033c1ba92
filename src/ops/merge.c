/* SPDX-License-Identifier: Apache-2.0 */
/* Merge ops: combine several trees, later inputs over earlier ones. */
#include "ops/op.h"

/*
 * Upstream merges the inputs of the op in their order and ignores the indices of the merge. Scratch inputs add nothing; a
 * merge of one input is that input. Clients never send fewer indices than inputs.
 */
static bool merge_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		       size_t n_outputs, GError **error)
{
	const struct op *op = self;
	size_t n_named = op->v->op->merge->n_inputs, n = 0;
	if (n_named < n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT, "merge op uses %zu of its %zu inputs", n_named,
				 n_inputs);
	g_autofree cache_ref **refs = g_new0(cache_ref *, n_inputs + 1);
	for (size_t i = 0; i < n_inputs; i++)
		if (inputs[i])
			refs[n++] = inputs[i];
	if (n <= 1) {
		op_output(n == 1 ? cache_ref_ref(refs[0]) : NULL, ret_outputs, n_outputs);
		return true;
	}
	struct cache_record_options options = {.description = op->v->name};
	cache_ref *merged = cache_merge(op->worker->cache, refs, n, &options, work, error);
	if (!merged)
		return false;
	op_output(merged, ret_outputs, n_outputs);
	return true;
}

static const struct solver_op_class merge_class = {
	.cache_map = op_cache_map_other,
	.exec = merge_exec,
	.free = op_free,
};

bool op_merge_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&merge_class, op_new(sizeof(struct op), w, v)};
	return true;
}
