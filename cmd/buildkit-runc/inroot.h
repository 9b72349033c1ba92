/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inroot: opens paths inside a root; the kernel resolves them beneath its descriptor (openat2), links and ".."
 * included.
 *
 *	auto_fd place = inroot_ensure(root_fd, "/run/secrets/x", false);
 *	if (place < 0) fail(PHASE_MOUNT, -place, ...);
 *
 * No path is resolved twice: callers use the descriptor.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Returns a descriptor, or -errno on failure. */
int inroot_open(int root_fd, const char *path, uint64_t flags);
/* Same with O_PATH; creates missing components, the last one as a directory or an empty file. */
int inroot_ensure(int root_fd, const char *path, bool directory);
/* Returns an O_PATH descriptor of the parent directory, created if missing; *ret_name points into path. */
int inroot_ensure_parent(int root_fd, const char *path, const char **ret_name);
/* Opens a path beneath a kernel file system (proc, sysfs) without following links or crossing mounts. */
int inroot_open_kernel(int fs_fd, const char *path, uint64_t flags);
