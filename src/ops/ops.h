/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: one file a kind of step, as solver op classes. ops_resolve is the solver's resolve function.
 *
 * Results are cache_ref * (NULL: scratch). Cache digests: llb-and-solver.md section 10 (ops/cache_key.c).
 * Build ops return UNIMPLEMENTED when they run.
 * Thread: as solver.h says.
 */
#pragma once
#include "solver/solver.h"
#include "worker/worker.h"

/* Each makes the op of a vertex of its type. The vertex is kept by reference. */
bool op_source_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_exec_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_file_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_merge_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_diff_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_build_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);
bool op_passthrough_new(worker *w, const struct llb_vertex *v, struct solver_op *ret, GError **error);

/* Dispatch by type; data is the worker. */
bool ops_resolve(void *data, const struct llb_vertex *v, solver_job *job, struct solver_op *ret, GError **error);
/* solver_result_class over cache refs; data is the worker. */
extern const struct solver_result_class ops_results;

/*
 * Forgets the cache mounts of steps that a definition runs without cache; once a load, before anything of it is built,
 * so that the steps of the build share what they write.
 */
void ops_drop_cache_mounts(worker *w, const llb_definition *d);

/* What a source came to: a digest or a commit. Owned; NULL: no source, not asked yet, or without (local). Any thread. */
char *ops_source_pin(const struct solver_op *op);

/* Cache digests of ops, pure (known-answer vectors). inputs of ret: n_inputs. */
bool ops_cache_map_exec(const struct llb_vertex *v, struct cache_map *ret, GError **error);
bool ops_cache_map_file(const struct llb_vertex *v, struct cache_map *ret, GError **error);
bool ops_cache_map_other(const struct llb_vertex *v, struct cache_map *ret,
			 GError **error); /* merge, diff, build, passthrough */
