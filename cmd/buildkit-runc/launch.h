/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch: one container process for the OCI commands: cloned, mapped, put into its cgroups, let loose.
 *
 *	struct launch l = {.plan = &plan, .fds = fds, .cgroup = &g, .gate_fd = gate};
 *	pid_t pid = launch(&l);     all is done but exec, which gate_fd holds up (-1: nothing does)
 *
 * Trouble ends the command as anywhere (fail.h): whoever says so kills the child first (launch_abort).
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"
#include <sys/types.h>

struct launch {
	struct plan *plan;
	const int *fds;
	struct cgroup *cgroup; /* NULL: none */
	bool limit;            /* sets the plan's limits and devices */
	int gate_fd;
	const char *staging; /* where the root is put together; NULL with a plan without root */
	int console_fd;      /* result: the terminal's master, -1 */
	pid_t inner;         /* the process itself, also where it had to be born twice */
};
pid_t launch(struct launch *l);
/* Kills what was launched, if anything. */
void launch_abort(void);
