/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_id: the id of the mount that a descriptor refers to, as in /proc/self/mountinfo.
 *
 *	if (!mount_id_of(fd, &id))
 *		return error_set_errno(error, errno, "stat directory");
 *
 * Uses statx, or /proc on kernels before 5.8. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool mount_id_of(int fd, uint64_t *ret_id); /* false: errno */
