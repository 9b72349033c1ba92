/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner: our own step runner at work: one program beside the daemon that clones a process for each step.
 *
 *	runner *r = runner_new("/usr/bin/buildkit-runc", instance, "/buildkit-parent");
 *	struct runner_step s;
 *	if (!runner_take(r, NULL, &s, error)) ...              a process that waits for its plan
 *	runner_send(&s, &plan, fds, n_fds, error);
 *	... poll s.socket_fd; runner_receive(&s, &report, &fd, error) ...
 *	runner_step_done(&s);                                   what still runs of it dies
 *
 * The program is started with the first step and again when it ended. The next steps' processes are asked for in
 * advance, so that they wait ready. Thread: any (.mu).
 */
#pragma once
#include "base/error.h"
#include "runner/plan.h"

typedef struct runner runner;
runner *runner_new(const char *binary, const char *instance, const char *cgroup_parent);
void runner_free(runner *r); /* kills all its steps */

struct runner_step {
	int socket_fd, pidfd; /* owned */
	char cgroup[256];     /* its place beneath each hierarchy */
};
/* parent: the cgroup under which the step's is; NULL: the runner's. Errors: UNAVAILABLE, RESOURCE_EXHAUSTED. */
bool runner_take(runner *r, const char *parent, struct runner_step *ret, GError **error);
bool runner_send(struct runner_step *s, struct plan *plan, const int *fds, size_t n_fds, GError **error);
/* The next report; ret_fd (owned, -1: none) came with it. Errors: UNAVAILABLE, the runner is gone. */
bool runner_receive(struct runner_step *s, struct runner_report *ret, int *ret_fd, GError **error);
void runner_kill(const struct runner_step *s);
/* The next report is the end, whether the process is gone or not. */
void runner_abandon(const struct runner_step *s);
void runner_step_done(struct runner_step *s);
