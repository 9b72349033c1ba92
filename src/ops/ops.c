/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

/* An op with 1,000 actions has about 64 KiB. */
#define PURE_MAP_BYTES 65536

typedef bool (*op_new_fn)(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);

static const op_new_fn makers[] = {
	[LLB_SOURCE] = op_source_new,
	[LLB_EXEC] = op_exec_new,
	[LLB_FILE] = op_file_new,
	[LLB_MERGE] = op_merge_new,
	[LLB_DIFF] = op_diff_new,
	[LLB_BUILD] = op_build_new,
	[LLB_PASSTHROUGH] = op_passthrough_new,
};

/*
 * Keys of small ops are computed at once, in tens of microseconds: handing each vertex of a large graph to a worker would
 * take longer. Sources need the network, and data of files may be large.
 */
static bool map_is_pure(const struct llb_vertex *v)
{
	return v->type != LLB_SOURCE && protobuf_c_message_get_packed_size(&v->op->base) <= PURE_MAP_BYTES;
}

bool ops_resolve(void *data, const struct llb_vertex *v, solver_job *job, struct solver_op *ret, GError **error)
{
	if ((size_t)v->type >= G_N_ELEMENTS(makers))
		return error_set(error, ERROR_INVALID_ARGUMENT, "could not resolve op type %d", (int)v->type);
	if (!makers[v->type](data, v, ret, error))
		return false;
	ret->map_is_pure = map_is_pure(v);
	struct op *op = ret->self;
	op->ref = job ? g_strdup(solver_job_id(job)) : NULL;
	GHashTable *attrs = job ? solver_job_attrs(job) : NULL;
	op->attrs = attrs ? g_hash_table_ref(attrs) : NULL;
	return true;
}

void *op_new(size_t size, worker *w, const struct llb_vertex *v)
{
	struct op *op = g_malloc0(size);
	op->worker = w;
	op->v = v;
	op->definition = llb_definition_ref(v->owner);
	return op;
}

void op_free(void *data)
{
	struct op *op = data;
	llb_definition_unref(op->definition);
	g_clear_pointer(&op->attrs, g_hash_table_unref);
	g_free(op->ref);
	g_free(op);
}

bool op_prepare(void *data, struct work *work, unsigned input, void *result, GError **error)
{
	return cache_ref_unpack(result, work, error);
}

bool op_cache_map_other(void *data, struct work *work, unsigned phase, struct cache_map *ret, GError **error)
{
	const struct op *op = data;
	if (!ops_cache_map_other(op->v, ret, error))
		return false;
	ret->last = true;
	return true;
}

void op_output(cache_ref *result, void **ret_outputs, size_t n_outputs)
{
	if (n_outputs > 0)
		ret_outputs[0] = result;
	else if (result)
		cache_ref_unref(result);
}

bool op_checksum(const struct op *op, cache_ref *r, const struct contenthash_selector *selectors, size_t n,
		 struct work *work, struct digest *ret, GError **error)
{
	if (cache_ref_checksum(op->worker->cache, r, selectors, n, work, ret, error)) {
		/*
		 * A content key is computed over a list of digests, even of a single one, because caches are shared
		 * with upstream.
		 */
		if (n == 1)
			digest_of_text(ret->text, ret);
		return true;
	}
	return error_prefix(error, "failed to calculate checksum of ref %s::%s: ", op->worker->id,
			    r ? cache_ref_id(r) : "");
}
