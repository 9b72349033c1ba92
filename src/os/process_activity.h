/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_activity: whether the processes of a session still get anywhere.
 *
 *	struct stall_rule rule = {.bytes = 3840, .window_ms = 60000};
 *	struct stall_watch w;
 *	stall_watch_init(&w, &rule, session);
 *	if (stall_watch_check(&w)) ...        every stall_watch_interval_ms: nothing happened for the whole window
 *
 * Activity is what the session reads and writes by read(2), write(2) and the like, and processor time; a process that
 * waits for a disk, or one that came or went, counts too. Pure reads of /proc. Thread: one at a time a watch.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stall_rule {
	uint64_t bytes; /* less than these in a window is a stall; 0: no rule */
	int64_t window_ms;
};

struct stall_watch {
	struct stall_rule rule;
	pid_t session;
	int64_t measured_us;
	int64_t begun_us;    /* of the window */
	uint64_t begun_with; /* activity at that time */
	uint64_t members;    /* a sum over the processes at that time */
};

void stall_watch_init(struct stall_watch *w, const struct stall_rule *rule, pid_t session);
int stall_watch_interval_ms(const struct stall_watch *w); /* for poll: -1 without a rule */
bool stall_watch_check(struct stall_watch *w);
