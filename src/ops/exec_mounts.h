/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_mounts: prepares the mounts of an exec op for the executor and commits its outputs afterwards.
 *
 *	exec_mounts *m = exec_mounts_new(op, inputs, n_inputs, work, error);
 *	exec_mounts_fill(m, &step);
 *	... executor_run ...
 *	exec_mounts_close(m);                                 unmounts everything
 *	exec_mounts_commit(m, work, outputs, n, error);       only after success
 *	exec_mounts_free(m);
 *
 * Thread: one at a time.
 */
#pragma once
#include "ops/op.h"

typedef struct exec_mounts exec_mounts;

exec_mounts *exec_mounts_new(const struct op *op, void *const *inputs, size_t n_inputs, struct work *work,
			     GError **error);
/* Sets root_fd, root_readonly, mounts and n_mounts of the step; m keeps ownership. */
void exec_mounts_fill(const exec_mounts *m, struct step *step);
void exec_mounts_close(exec_mounts *m);
/* ret_outputs: n results, owned by the caller. */
bool exec_mounts_commit(exec_mounts *m, struct work *work, void **ret_outputs, size_t n, GError **error);
void exec_mounts_free(exec_mounts *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(exec_mounts, exec_mounts_free)

/* Returns the command line of the op, "arg arg"; owned by the caller. */
char *exec_args_text(const Pb__ExecOp *pb);
