/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_fd: refers to a process that is not a child, and signals it.
 *
 *	scoped_fd fd = process_fd_open(pid);
 *	process_fd_signal(fd, SIGKILL);
 *
 * A pidfd; before Linux 5.3 the directory /proc/PID, which is that process's even when its number is used again: the
 * process is seen to exist before the signal is sent to the number, so the number can only be wrong if the process ends and
 * another one gets it in between. Thread: any.
 */
#pragma once
#include <sys/types.h>

/* Returns a descriptor, owned, or -errno (-ESRCH: no such process). */
int process_fd_open(pid_t pid);
/* Returns 0 or -errno (-ESRCH: it has ended). */
int process_fd_signal(int fd, int signal);
