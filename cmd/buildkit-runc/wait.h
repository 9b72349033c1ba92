/* SPDX-License-Identifier: Apache-2.0 */
/* wait: the foreground part of run and exec: forwards signals, relays the terminal, returns the exit status. */
#pragma once
#include <sys/types.h>

/* Blocks signals from now on, so that none that is meant for the process is lost. Call before the process starts. */
void wait_prepare(void);
/* Returns the exit status, or 128 + signal. console_fd: master of a terminal, which is closed at the end, or -1. */
int wait_for(pid_t pid, int console_fd);
