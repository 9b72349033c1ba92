/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch: starts one container process for the OCI commands: clone, id maps, cgroups.
 *
 *	struct launch l = {.plan = &plan, .fds = fds, .cgroup = &g, .gate_fd = gate};
 *	pid_t pid = launch(&l);     returns before exec, which waits for gate_fd (-1: no wait)
 *
 * Errors exit through fail.h, after launch_abort has killed the child.
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"
#include <sys/types.h>

struct launch {
	struct plan *plan;
	const int *fds;
	struct cgroup *cgroup; /* NULL: no cgroup */
	bool limit;            /* set the plan's limits and device rules */
	int gate_fd;
	const char *staging; /* directory where the root is mounted; NULL if the plan has no root */
	/* On old kernels, where mounts cannot be cloned: called in the child, in its mount namespace, before the tree is built. */
	void (*open_mounts)(void *data);
	void *data;
	int console_fd; /* result: master of the terminal, or -1 */
	pid_t inner;    /* result: the process, also after a second fork */
};
pid_t launch(struct launch *l);
/* Kills the child, if there is one. */
void launch_abort(void);
