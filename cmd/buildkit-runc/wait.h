/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait: the foreground of run and exec: signals are passed on, a terminal is relayed, the end is reported.
 */
#pragma once
#include <sys/types.h>

/* Holds signals back from now on, so that none is lost to us that is meant for the process. Before it starts. */
void wait_prepare(void);
/* The exit status, 128 + signal when one ended it. console_fd: a terminal's master that becomes ours, or -1. */
int wait_for(pid_t pid, int console_fd);
