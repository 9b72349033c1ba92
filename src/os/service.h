/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: interface to the service manager and machine facts: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3),
 * boot id, disk space.
 *
 *	service_begin();                     before any thread and any child
 *	service_notify("READY=1");
 *	int64_t period_us = service_watchdog_us();
 *
 * Thread: any, after service_begin.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

/*
 * Removes NOTIFY_SOCKET and WATCHDOG_* from the environment, so that runc and other children do not notify the manager.
 */
void service_begin(void);
bool service_notify(const char *state); /* returns false without a service manager */
int64_t service_watchdog_us(void);      /* interval within which WATCHDOG=1 must be sent; 0: none */
/* Returns the sockets passed to this process (LISTEN_PID, LISTEN_FDS) with CLOEXEC set; unsets the variables. */
int *service_listen_fds(size_t *ret_n); /* g_free; NULL if there are none */
const char *machine_boot_id(void);
bool disk_space(int dir_fd, int64_t *ret_total, int64_t *ret_free, GError **error);
