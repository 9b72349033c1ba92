/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console: a terminal from the step's devpts.
 *
 *	struct console c = console_open(devpts_fd, plan);      before the root changes
 *	console_take(&c);                                      makes it fds 0 to 2 and the controlling terminal
 */
#pragma once
#include "runner/plan.h"

struct console {
	int master, slave; /* owned; -1 */
};
struct console console_open(int devpts_fd, const struct plan *plan);
/* Binds the terminal to /dev/console. dev_fd: the root of the step's /dev. */
void console_bind(const struct console *c, int dev_fd);
void console_take(struct console *c);
