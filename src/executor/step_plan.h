/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_plan: converts a step to a plan for buildkit-runc (runner/plan.h).
 *
 *	step_plan *p = step_plan_new(&input, error);
 *	runner_send(&process, step_plan_get(p), step_plan_fds(p, &n), n, error);
 *
 * Names, modes and masks are the same as in the runtime spec (spec.h). Thread: one at a time.
 */
#pragma once
#include "executor/spec.h"
#include "runner/plan.h"

struct step_plan_input {
	struct spec_input spec;     /* borrowed; sources and JSON are not used */
	GBytes *seccomp;            /* borrowed; NULL: none */
	const char *hosts, *resolv; /* texts of these files */
	const int *mount_fds;       /* a detached mount for each of step->mounts, -1 for tmpfs */
	int proc_fd;                /* a detached clone of /proc, without a pid namespace */
	int stdio[3];               /* -1: /dev/null */
	bool terminal;              /* a new terminal in place of stdio, reported as RUNNER_CONSOLE */
	struct step_size size;
	bool notify; /* report RUNNER_READY */
};
typedef struct step_plan step_plan;
step_plan *step_plan_new(const struct step_plan_input *in, GError **error);
/* A further process in the namespaces of the running step whose first process is pidfd. The tree is not used. */
step_plan *step_plan_new_join(const struct step_plan_input *in, int pidfd, GError **error);
struct plan *step_plan_get(step_plan *p);
const int *step_plan_fds(const step_plan *p, size_t *ret_n); /* borrowed */
void step_plan_free(step_plan *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(step_plan, step_plan_free)
