/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_file: what a command does for the process it starts: its descriptors, its pid in a file, its terminal handed
 * on.
 */
#pragma once
#include "config.h"
#include <sys/types.h>

/* Our own stdin, stdout and stderr become the process's. Before process_fds. */
void process_stdio(struct plan *plan, struct config *c);
/* The plan's descriptors: the config's sources opened, then those of process_stdio. */
int *process_fds(struct config *c);
void process_write_pid(const char *path, pid_t pid); /* NULL: no file */
/* One message with the terminal's master, as console sockets want it. */
void process_send_console(const char *socket_path, int master_fd);
