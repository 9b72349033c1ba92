/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step: what a freshly cloned process does to become the plan's program. Never returns; trouble is reported (fail.h).
 *
 *	const struct step_place place = {.made = CLONE_NEWNS | ..., .staging = "/stage", .cgroup = &g, ...};
 *	step_run(&plan, fds, &place);
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"

struct step_place {    /* what the parent prepared */
	uint64_t made; /* CLONE_NEW* that clone gave */
	int chroot_fd; /* see namespaces_leave_chroot */
	const char *staging, *cgroup_root;
	struct cgroup *cgroup; /* NULL: none; joined already */
	bool limited;          /* the parent has set its limits */
	bool replaces;         /* in a joined pid namespace: the new process is our parent's child, not ours */
	int life_fd;           /* end of a pipe that hangs up when the parent dies; -1 */
	int socket_fd;         /* for reports: the console; -1 */
	void (*before_exec)(void *data); /* all is done but the filter and exec; NULL */
	void *data;
	int (*device_source)(const char *path);
};
_Noreturn void step_run(struct plan *plan, const int *fds, const struct step_place *place);
