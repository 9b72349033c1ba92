/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope: automatic cleanup at the end of a block, for types that GLib does not cover.
 *
 *	scoped_fd fd = openat(...);
 *	if (fd < 0) return error_set_errno(error, errno, "open %s", name);
 *	return fd_steal(&fd);
 *
 * Thread: any.
 */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>
#include <glib.h>

static inline void fd_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
		*fd = -1;
	}
}

static inline int fd_steal(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#define scoped_fd __attribute__((cleanup(fd_close))) int

/* A borrowed view of bytes. */
struct slice {
	const uint8_t *ptr;
	size_t len;
};
