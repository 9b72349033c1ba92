/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: writes to file descriptors. For copies and attributes of files see os/tree.h.
 *
 *	if (!file_write_all(fd, bytes, n))
 *		return error_set_errno(error, errno, "write %s", name);
 *
 * Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Writes all n bytes, also after short writes and interruptions. False with errno. Blocks if the descriptor does. */
bool file_write_all(int fd, const void *bytes, size_t n);
