/* SPDX-License-Identifier: Apache-2.0 */
/* service: what a service manager and the machine tell us: sd_notify(3), sd_listen_fds(3), boot id, disk space. Thread: any. */
#pragma once
#include "base/error.h"
#include <sys/types.h>

bool service_notify(const char *state);              /* "READY=1"; false when nobody listens */
/* The sockets passed to this process (LISTEN_PID, LISTEN_FDS), CLOEXEC set; unsets the variables. */
int *service_listen_fds(size_t *ret_n);              /* g_free; NULL when none */
const char *machine_boot_id(void);
bool disk_space(int dir_fd, int64_t *ret_total, int64_t *ret_free, GError **error);
