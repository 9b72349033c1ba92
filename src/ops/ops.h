/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: the solver's op classes, one file per op type. ops_resolve is the solver's resolve function.
 *
 * Results are cache_ref * (NULL: scratch). ops/cache_key.c computes cache digests. Thread: as in solver.h.
 */
#pragma once
#include "netproxy/capture.h"
#include "solver/solver.h"
#include "worker/worker.h"

/* Each creates the op of a vertex of its type. The vertex is kept by reference. */
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
 * Drops the cache mounts of steps that a definition runs without cache. Called once per load, before the build starts,
 * so that the steps of the build share their new cache mounts.
 */
void ops_drop_cache_mounts(worker *w, const llb_definition *d);

/*
 * Returns what an exec op has requested through its proxy, counted; NULL: not an exec op, it has not run, or it has no proxy.
 * Thread: any.
 */
netproxy_capture *ops_exec_requests(const struct solver_op *op);
/* Returns what the last run of an exec op has used, counted; NULL: not an exec op, or it has not run. Thread: any. */
step_usage *ops_exec_usage(const struct solver_op *op);
/*
 * Returns the digest or commit that a source resolved to. Owned; NULL: not a source, not resolved yet, or without
 * (local). Thread: any.
 */
char *ops_source_pin(const struct solver_op *op);

/* Cache digests of ops; pure (known-answer vectors). inputs of ret: n_inputs. */
bool ops_cache_map_exec(const struct llb_vertex *v, struct cache_map *ret, GError **error);
bool ops_cache_map_file(const struct llb_vertex *v, struct cache_map *ret, GError **error);
bool ops_cache_map_other(const struct llb_vertex *v, struct cache_map *ret,
			 GError **error); /* merge, diff, build, passthrough */
