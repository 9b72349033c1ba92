/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_process: one process that buildkit-runc runs, the first one of a step or a further one, from its plan to its
 * exit: streams, reports, output, signals, cancellation.
 *
 *	struct runner_process p;
 *	runner_process_init(&p, e, run, &s, error)
 *	... runner_streams_plan(&p.streams, &input); the plan ...
 *	runner_process_run(&p, plan, &exit, error);
 *	runner_process_clear(&p);
 *
 * Thread: one, which blocks; the handle's functions run on others.
 */
#pragma once
#include "executor/executor_internal.h"
#include "executor/step_plan.h"

struct runner_streams {
	const struct step_io *io; /* borrowed; may be NULL */
	struct pump pump;         /* of the streams for run->output */
	struct step_ends ends;    /* of the other ones */
};
struct runner_process {
	executor *e; /* borrowed, like run and step */
	const struct step_run *run;
	struct runner_step *step; /* the process that the runner cloned */
	bool joins;               /* a further process: that process waits for the inner one */
	struct runner_streams streams;
	struct pump_call pump_call;
	int inner_fd;    /* owned; pidfd of the inner process; -1: not known */
	int terminal_fd; /* owned; -1: none */
	bool started;
};
bool runner_process_init(struct runner_process *p, executor *e, const struct step_run *run, struct runner_step *step,
			 GError **error);
void runner_streams_plan(const struct runner_streams *streams, struct step_plan_input *input);
bool runner_process_run(struct runner_process *p, step_plan *plan, struct step_exit *ret_exit, GError **error);
/* Ends the handle first: until then other threads use p. */
void runner_process_clear(struct runner_process *p);
