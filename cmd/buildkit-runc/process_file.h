/* SPDX-License-Identifier: Apache-2.0 */
/* process_file: prepares the descriptors of a process, writes its pid file, and sends its terminal. */
#pragma once
#include "config.h"
#include <sys/types.h>

/* Saves stdin, stdout and stderr for the process. Call before process_fds. */
void process_stdio(struct plan *plan, struct config *c);
/* Returns the plan's descriptors: the opened sources of the config, then those of process_stdio. */
int *process_fds(struct config *c);
void process_write_pid(const char *path, pid_t pid); /* path NULL: no file */
/* Sends the terminal's master in one message, as the protocol of console sockets requires. */
void process_send_console(const char *socket_path, int master_fd);
