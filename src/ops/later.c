/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that combine results without running anything: merge, diff, passthrough; and build, which is not built yet. */
#include "ops/op.h"

static bool later_cache_map(void *self, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	const struct op *op = self;
	if (!ops_cache_map_other(op->v, ret, error))
		return false;
	ret->last = true;
	return true;
}

static struct cache_record_options described(const struct op *op)
{
	return (struct cache_record_options){.description = op->v->name};
}

/*
 * Upstream merges the inputs of the op in their order and does not look at the indices of the merge; scratch inputs add
 * nothing, one input is its own merge. Fewer indices than inputs are no definition that a client makes.
 */
static bool merge(struct op *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret, GError **error)
{
	size_t n_named = op->v->op->merge->n_inputs, n = 0;
	if (n_named < n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT, "merge op names %zu of its %zu inputs", n_named,
				 n_inputs);
	g_autofree cache_ref **refs = g_new0(cache_ref *, n_inputs + 1);
	for (size_t i = 0; i < n_inputs; i++)
		if (inputs[i] != NULL)
			refs[n++] = inputs[i];
	if (n <= 1) {
		*ret = n == 1 ? cache_ref_ref(refs[0]) : NULL;
		return true;
	}
	struct cache_record_options options = described(op);
	*ret = cache_merge(op->worker->cache, refs, n, &options, work, error);
	return *ret != NULL;
}

/* As with a merge the place decides, not the index: the first input is the lower one when there is a lower one. */
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

static bool diff(struct op *op, struct work *work, void *const *inputs, size_t n_inputs, void **ret, GError **error)
{
	const Pb__DiffOp *pb = op->v->op->diff;
	cache_ref *lower, *upper;
	size_t next = 0;
	if (!diff_input(pb->lower->input, "lower", inputs, n_inputs, &next, &lower, error) ||
	    !diff_input(pb->upper->input, "upper", inputs, n_inputs, &next, &upper, error))
		return false;
	if (next < n_inputs)
		return error_set(error, ERROR_INVALID_ARGUMENT, "diff op names %zu of its %zu inputs", next, n_inputs);
	if (lower == upper || lower == NULL) {
		*ret = lower == upper || upper == NULL ? NULL : cache_ref_ref(upper);
		return true;
	}
	struct cache_record_options options = described(op);
	*ret = cache_diff(op->worker->cache, lower, upper, &options, work, error);
	return *ret != NULL;
}

static bool pass_through(const struct op *op, void *const *inputs, size_t n_inputs, void **ret, size_t n,
			 GError **error)
{
	const Pb__PassthroughOp *pb = op->v->op->passthrough;
	for (size_t i = 0; i < n; i++) {
		if (i >= pb->n_outputs || pb->outputs[i] < 0 || (size_t)pb->outputs[i] >= n_inputs)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid passthrough op output index %zu", i);
	}
	for (size_t i = 0; i < n; i++) {
		cache_ref *r = inputs[pb->outputs[i]];
		ret[i] = r != NULL ? cache_ref_ref(r) : NULL;
	}
	return true;
}

static bool later_exec(void *self, struct work *work, void *const *inputs, size_t n_inputs, void **ret_outputs,
		       size_t n_outputs, GError **error)
{
	struct op *op = self;
	void *result = NULL;
	bool done;
	switch (op->v->type) {
	case LLB_PASSTHROUGH:
		return pass_through(op, inputs, n_inputs, ret_outputs, n_outputs, error);
	case LLB_MERGE:
		done = merge(op, work, inputs, n_inputs, &result, error);
		break;
	case LLB_DIFF:
		done = diff(op, work, inputs, n_inputs, &result, error);
		break;
	case LLB_BUILD:
	case LLB_SOURCE:
	case LLB_EXEC:
	case LLB_FILE:
	default:
		return error_set(error, ERROR_UNIMPLEMENTED, "build op is not supported");
	}
	if (!done)
		return false;
	for (size_t i = 0; i < n_outputs; i++)
		ret_outputs[i] = i == 0 ? result : NULL;
	if (n_outputs == 0)
		cache_ref_unref(result);
	return true;
}

static const struct solver_op_class class = {
	.cache_map = later_cache_map,
	.exec = later_exec,
	.free = op_free,
};

bool op_later_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&class, op_new(sizeof(struct op), w, v)};
	return true;
}
