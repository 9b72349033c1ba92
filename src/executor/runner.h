/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner: starts buildkit-runc, which clones a process for each step.
 *
 *	runner *r = runner_new("/usr/bin/buildkit-runc", instance, "/buildkit-parent", true);
 *	struct runner_step s;
 *	if (!runner_take(r, NULL, &s, error)) ...              a process waiting for its plan
 *	runner_send(&s, &plan, fds, n_fds, error);
 *	... poll s.socket_fd; runner_receive(&s, &report, &fd, error) ...
 *	runner_step_done(&s);                                   kills remaining processes
 *
 * The program is started with the first step and restarted if it exits. Processes for the next steps are requested in
 * advance. Thread: any (.mu).
 */
#pragma once
#include "base/error.h"
#include "runner/plan.h"

typedef struct runner runner;
/* sandbox: steps have a pid namespace; without it, processes that a step leaves are killed by the runner. */
runner *runner_new(const char *binary, const char *instance, const char *cgroup_parent, bool sandbox);
void runner_free(runner *r); /* kills all its steps */

struct runner_step {
	int socket_fd, pidfd; /* owned */
	char cgroup[256];     /* its path beneath each hierarchy */
};
/* parent: the cgroup that contains the step's; NULL: the runner's. Errors: UNAVAILABLE, RESOURCE_EXHAUSTED. */
bool runner_take(runner *r, const char *parent, struct runner_step *ret, GError **error);
/*
 * A further process in the cgroup of a running step; its plan joins the step's namespaces by step->pidfd. Errors:
 * UNAVAILABLE, the runner has exited; UNKNOWN, the step has exited.
 */
bool runner_join(runner *r, const struct runner_step *step, struct runner_step *ret, GError **error);
bool runner_send(struct runner_step *s, struct plan *plan, const int *fds, size_t n_fds, GError **error);
/* Receives the next report and its descriptor ret_fd (owned, -1: none). Errors: UNAVAILABLE, the runner has exited. */
bool runner_receive(struct runner_step *s, struct runner_report *ret, int *ret_fd, GError **error);
void runner_kill(const struct runner_step *s);
/* Stops waiting: the next report is the last one, whether the process has exited or not. */
void runner_abandon(const struct runner_step *s);
void runner_step_done(struct runner_step *s);
