/* SPDX-License-Identifier: Apache-2.0 */
/* The build op: reads a definition from a file of an input; the solver builds it, and its result is that of the op. */
#include "ops/op.h"
#include "api/guard.h"
#include "base/limits.h"
#include "os/path.h"
#include <string.h>

#define LLB_BUILDER (-1)
#define DEFINITION_INPUT "buildkit.llb.definition"
#define FILENAME_ATTR "llbbuild.filename"

static const char *definition_filename(const Pb__BuildOp *op)
{
	for (size_t i = 0; i < op->n_attrs; i++)
		if (strcmp(op->attrs[i]->key, FILENAME_ATTR) == 0)
			return op->attrs[i]->value;
	return DEFINITION_INPUT;
}

/* Returns the index of the input that contains the definition, or -1. */
static int64_t definition_input(const Pb__BuildOp *op, size_t n_inputs, GError **error)
{
	if (op->builder != LLB_BUILDER) {
		error_set(error, ERROR_UNKNOWN, "only LLB builder is currently allowed");
		return -1;
	}
	for (size_t i = 0; i < op->n_inputs; i++) {
		if (strcmp(op->inputs[i]->key, DEFINITION_INPUT) != 0)
			continue;
		int64_t index = op->inputs[i]->value->input;
		if (index >= 0 && (size_t)index < n_inputs)
			return index;
		error_set(error, ERROR_INVALID_ARGUMENT, "invalid index %" G_GINT64_FORMAT, index);
		return -1;
	}
	error_set(error, ERROR_INVALID_ARGUMENT, "no llb definition input %s found", DEFINITION_INPUT);
	return -1;
}

static bool is_regular(int root_fd, const char *name, GError **error)
{
	struct stat st;
	scoped_fd fd = path_open_regular_errno(root_fd, name, O_RDONLY, PATH_IN_ROOT, &st);
	int failed = fd;
	if (failed >= 0)
		return true;
	fd = -1;
	if (path_is_irregular(failed))
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s is not a regular file", name);
	error_set_errno(error, -failed, "open %s", name);
	return error_prefix(error, "failed to open %s: ", name);
}

static Pb__Definition *read_definition(int root_fd, const char *name, GError **error)
{
	if (!is_regular(root_fd, name, error))
		return NULL;
	g_autoptr(GBytes) bytes = path_read(root_fd, name, LIMIT_MESSAGE_BYTES, PATH_IN_ROOT, error);
	if (!bytes)
		return NULL;
	gsize n;
	const void *start = g_bytes_get_data(bytes, &n);
	Pb__Definition *d = guard_unpack_go(&pb__definition__descriptor, start, n, error);
	if (!d)
		g_prefix_error(error, "failed to parse llb definition %s: ", name);
	return d;
}

static Pb__Definition *build_definition(void *self, struct work *work, void *const *inputs, size_t n_inputs,
					GError **error)
{
	const struct op *op = self;
	const Pb__BuildOp *build = op->v->op->build;
	int64_t input = definition_input(build, n_inputs, error);
	if (input < 0)
		return NULL;
	scoped_fd root_fd = cache_ref_open_tree(op->worker->cache, op_ref(inputs[input]), CACHE_TREE_READ, work, error);
	return root_fd < 0 ? NULL : read_definition(root_fd, definition_filename(build), error);
}

static const struct solver_op_class build_class = {
	.cache_map = op_cache_map_other,
	.prepare = op_prepare,
	.definition = build_definition,
	.free = op_free,
};

bool op_build_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error)
{
	*ret = (struct solver_op){&build_class, op_new(sizeof(struct op), w, v)};
	return true;
}
