/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_activity: detects that the processes of a session make no progress.
 *
 *	struct stall_rule rule = {.bytes = 3840, .window_ms = 60000};
 *	struct stall_watch w;
 *	stall_watch_init(&w, &rule, session);
 *	if (stall_watch_check(&w)) ...        call every stall_watch_interval_ms; true: no activity for a whole window
 *
 * Activity is data read and written by read(2), write(2) and similar calls, and processor time; a process that waits
 * for a disk, starts or exits counts as activity, too. Only reads /proc. Thread: one at a time per watch.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stall_rule {
	uint64_t bytes; /* fewer bytes in a window are a stall; 0: no rule */
	int64_t window_ms;
};

struct stall_watch {
	struct stall_rule rule;
	pid_t session;
	int64_t measured_us;
	int64_t begun_us;    /* start of the window */
	uint64_t begun_with; /* activity at the start */
	uint64_t members;    /* a checksum of the processes at the start */
};

void stall_watch_init(struct stall_watch *w, const struct stall_rule *rule, pid_t session);
int stall_watch_interval_ms(const struct stall_watch *w); /* poll timeout: -1 without a rule */
bool stall_watch_check(struct stall_watch *w);
