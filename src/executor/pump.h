/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pump: handles the two outputs of a running step, its exit and its cancellation in one poll loop on the calling
 * thread.
 *
 *	struct pump p;
 *	if (!pump_init(&p, &call, error)) ...
 *	... the step gets p.write_fds; pump_close_write_ends(&p) ...
 *	pump_run(&p, exit_fd);                 until exit_fd is readable; calls kill() repeatedly once canceled
 *	pump_drain(&p);
 *	pump_done(&p);
 *
 * Thread: the one that runs the step; blocks.
 */
#pragma once
#include "base/cancel.h"
#include <poll.h>

typedef void (*pump_output_fn)(void *data, int stream, const void *bytes, size_t n);
struct pump_call { /* all borrowed */
	pump_output_fn output;
	void *output_data;
	cancel *cancel;
	/*
	 * Kills the step's processes; called at least every 50 ms after cancellation; late: the time limit (7 s) has
	 * passed. Returns false to stop waiting for the exit.
	 */
	bool (*kill)(void *data, bool late);
	void *kill_data;
	bool skip[2]; /* this output is not read here: no pipe is created for it */
};
struct pump {
	const struct pump_call *call;  /* borrowed */
	int read_fds[2], write_fds[2]; /* owned; -1: closed */
	uint8_t *buffer;               /* owned */
	int64_t killing_since_us;      /* 0: not canceled */
};
/* Creates the pipes for the two outputs. */
bool pump_init(struct pump *p, const struct pump_call *call, GError **error);
/* For outputs that come through other descriptors: out_fd and err_fd are owned and non-blocking. */
void pump_init_fds(struct pump *p, const struct pump_call *call, int out_fd, int err_fd);
void pump_close_write_ends(struct pump *p);
/* False: the step did not exit, and kill() stopped the wait. */
bool pump_run(struct pump *p, int exit_fd);
/*
 * Reads the rest of the pipes. Processes that keep them open after the step's exit are killed, with a short time limit.
 */
void pump_drain(struct pump *p);
void pump_done(struct pump *p);
