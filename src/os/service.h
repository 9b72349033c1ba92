/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: what a service manager and the machine tell us: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), boot id,
 * disk space.
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

/* Takes NOTIFY_SOCKET and WATCHDOG_* out of the environment: runc and other children would speak to the manager, too. */
void service_begin(void);
bool service_notify(const char *state); /* "READY=1"; false without a service manager */
int64_t service_watchdog_us(void);      /* within which WATCHDOG=1 must come; 0: never */
/* The sockets passed to this process (LISTEN_PID, LISTEN_FDS), CLOEXEC set; unsets the variables. */
int *service_listen_fds(size_t *ret_n); /* g_free; NULL when none */
const char *machine_boot_id(void);
bool disk_space(int dir_fd, int64_t *ret_total, int64_t *ret_free, GError **error);
