/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_mounts: prepares the mounts of an exec op or of a container for the executor; commits outputs afterwards.
 *
 *	const struct exec_mounts_input in = {.worker = w, .owner = "exec make", .mounts = pb->mounts, ...};
 *	exec_mounts *m = exec_mounts_new(&in, work, error);
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

struct exec_mounts_input { /* borrowed; strings, mounts and inputs are used by exec_mounts_new only */
	worker *worker;
	const char *owner; /* "exec ARGS", for descriptions of records */
	Pb__Mount *const *mounts;
	size_t n_mounts;
	const char *cwd;          /* of relative destinations */
	cache_ref *const *inputs; /* by Pb__Mount.input; NULL: scratch */
	size_t n_inputs;
};
/* Agents and what waits for other steps end with work->cancel. Errors: "invalid exec op with no rootfs" and others. */
exec_mounts *exec_mounts_new(const struct exec_mounts_input *in, struct work *work, GError **error);
/* Sets root_fd, root_readonly, mounts and n_mounts of the step; m keeps ownership. */
void exec_mounts_fill(const exec_mounts *m, struct step *step);
size_t exec_mounts_count(const exec_mounts *m); /* of the input's mounts */
/* Returns the tree of the i-th mount of the input, borrowed; -1: it has none (tmpfs, absent secret). */
int exec_mounts_tree(const exec_mounts *m, size_t i);
void exec_mounts_close(exec_mounts *m);
/* ret_outputs: n results, owned by the caller. */
bool exec_mounts_commit(exec_mounts *m, struct work *work, void **ret_outputs, size_t n, GError **error);
/*
 * After a failure, instead of exec_mounts_commit: the trees as they are, by mount of the input; NULL: the mount had no
 * separate tree, or it cannot be committed. ret: owned by the caller.
 */
void exec_mounts_commit_failed(exec_mounts *m, struct work *work, cache_ref **ret);
void exec_mounts_free(exec_mounts *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(exec_mounts, exec_mounts_free)

/* Returns the command line of the op, "arg arg"; owned by the caller. */
char *exec_args_text(const Pb__ExecOp *pb);
