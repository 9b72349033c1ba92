/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_streams: the FIFOs between a task's shim and us, for the standard streams that a step connects.
 *
 *	struct task_streams s;
 *	if (!task_streams_open(&s, bundle, io, error)) ...       paths for Tasks.Create: s.paths
 *	if (!task_streams_feed(&s, client, id, error)) ...       once the task exists
 *	step_process_start(process, io, &class, self, s.ours)    takes s.ours
 *	task_streams_close(&s);                                  after the task has exited
 *
 * A thread copies the input, because a shim keeps its FIFO open until it is told to close it. Thread: one at a time.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "executor/executor.h"

struct task_streams {
	char *paths[3]; /* owned; "": the stream is empty */
	int ours[3];    /* owned; ends for the step's caller; -1: none */
	int log[2];     /* owned; outputs that are logged; -1: not logged */
	int from, to;   /* owned; input, from the caller to the shim; -1: none */
	cancel *stop;   /* owned; ends the thread */
	GThread *thread;
	ctd_client *client; /* borrowed */
	const char *id;     /* borrowed */
};
/* io: NULL: both outputs are logged. */
bool task_streams_open(struct task_streams *s, const char *bundle, const struct step_io *io, GError **error);
bool task_streams_feed(struct task_streams *s, ctd_client *client, const char *id, GError **error);
void task_streams_close(struct task_streams *s);
