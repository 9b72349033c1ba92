/* SPDX-License-Identifier: Apache-2.0 */
/* op: the members that all ops of this module begin with. Thread: one call at a time per op. */
#pragma once
#include "ops/ops.h"

struct op {
	worker *worker;             /* borrowed: outlives the solver */
	const struct llb_vertex *v; /* borrowed from definition */
	llb_definition *definition; /* ref */
	/* Selectors of each input that is identified by content (owned struct contenthash_selector); NULL: no input is. */
	GArray *(*selectors)(const struct op *op, unsigned input);
	char *ref;         /* owned; ref of the first build that uses it, NULL: none */
	GHashTable *attrs; /* ref; the options of that build, NULL: none */
};

/* Allocates a cleared struct of size bytes that begins with a struct op. */
void *op_new(size_t size, worker *w, const struct llb_vertex *v);
void op_free(void *op); /* solver_op_class.free of ops without further members */
/* Returns the record of a result, borrowed; NULL: scratch. */
static inline cache_ref *op_ref(void *result)
{
	return result;
}
/* solver_op_class.prepare of ops that read their inputs. */
bool op_prepare(void *op, struct work *work, unsigned input, void *result, GError **error);
/* solver_op_class.cache_map of ops whose cache digest is that of their definition. */
bool op_cache_map_other(void *op, struct work *work, unsigned phase, struct cache_map *ret, GError **error);
/* Takes result (NULL: scratch) as the first output of an op that has one; nothing may use it. */
void op_output(cache_ref *result, void **ret_outputs, size_t n_outputs);
/* Computes the content digest of a result over several selectors; errors name the record. */
bool op_checksum(const struct op *op, cache_ref *r, const struct contenthash_selector *selectors, size_t n,
		 struct work *work, struct digest *ret, GError **error);
