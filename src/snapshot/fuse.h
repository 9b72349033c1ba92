/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuse: trees as layers of a mount of the program fuse-overlayfs, for kernels and file systems without overlayfs.
 *
 *	if (fuse_probe(root_fd, &can_clone, error)) ...
 *	int mount_fd = fuse_mount(dirs, n, true, &server, error);      ... close(mount_fd); fuse_end(server);
 *
 * Trees have the form of overlay.h, except that the program also writes files named .wh..wh..opq into them: they are read
 * through mounts only. Thread: any.
 */
#pragma once
#include "os/process.h"

bool fuse_probe(int root_fd, bool *ret_can_clone, GError **error);
/* Mounts n trees, top first, detached; server serves the mount until it is unmounted. Errors: NOT_FOUND, no program. */
int fuse_mount(const int *dirs, size_t n, bool write, process **ret_server, GError **error);
/*
 * Takes a server, which ends when the last user of its mount has closed it: a thread waits for that. What was written to a
 * file is in the trees when the file is closed. server may be NULL.
 */
void fuse_end(process *server);
