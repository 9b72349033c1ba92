/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inroot: paths inside a root, resolved by the kernel beneath its descriptor; absolute links and ".." stay inside.
 *
 *	auto_fd place = inroot_ensure(root_fd, "/run/secrets/x", false);
 *	if (place < 0) fail(PHASE_MOUNT, -place, ...);
 *
 * Nothing is ever looked up twice: what was opened is what is used.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* -errno on failure. */
int inroot_open(int root_fd, const char *path, uint64_t flags);
/* The same, O_PATH; what is missing is made on the way, the last component as a directory or an empty file. */
int inroot_ensure(int root_fd, const char *path, bool directory);
/* O_PATH of the directory that holds the last component, made when missing; *ret_name points into path. */
int inroot_ensure_parent(int root_fd, const char *path, const char **ret_name);
/* Beneath a file system of the kernel (proc, sysfs): no links out of it, no other mount. */
int inroot_open_kernel(int fs_fd, const char *path, uint64_t flags);
