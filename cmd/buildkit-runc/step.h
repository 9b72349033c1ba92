/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step: turns a cloned process into the plan's program. Never returns; errors are reported through fail.h.
 *
 *	const struct step_place place = {.made = CLONE_NEWNS | ..., .staging = "/stage", .cgroup = &g, ...};
 *	step_run(&plan, fds, &place);
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"

struct step_place {    /* environment prepared by the parent */
	uint64_t made; /* CLONE_NEW* flags of the clone */
	int chroot_fd; /* see namespaces_leave_chroot */
	const char *staging, *cgroup_root;
	struct cgroup *cgroup; /* NULL: no cgroup; else joined already */
	bool limited;          /* the parent has set the cgroup's limits */
	bool replaces;         /* in a joined pid namespace: the new process becomes the parent's child */
	bool supervise; /* the first process is a subreaper that only waits, so that it has what the step leaves */
	int life_fd;    /* read end of a pipe whose write end closes when the parent dies; -1 */
	int socket_fd;  /* socket for reports and the console; -1 */
	int gate_fd;    /* stays open for before_exec; -1 */
	void (*before_exec)(void *data); /* called directly before the filter is loaded and exec; NULL */
	void *data;
	int (*device_source)(const char *path);
};
_Noreturn void step_run(struct plan *plan, const int *fds, const struct step_place *place);
