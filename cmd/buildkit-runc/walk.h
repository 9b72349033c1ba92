/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk: path lookup one component at a time, for kernels without openat2 (Linux 5.6).
 *
 *	int fd = walk_open(root_fd, "etc/passwd", O_PATH, WALK_IN_ROOT);
 *
 * No component is followed by the kernel: links are read and resolved here, and ".." starts again from the root and goes
 * down, so that a directory that is moved meanwhile cannot lead out of the root. Returns a descriptor or -errno.
 */
#pragma once
#include <stdint.h>

enum walk_kind {
	WALK_IN_ROOT,  /* links and ".." are resolved inside the root */
	WALK_BENEATH,  /* relative links only; a path that leaves the root or the root's mount is -EXDEV */
	WALK_NO_LINKS, /* a link is -ELOOP, ".." is -EXDEV */
};
int walk_open(int root_fd, const char *path, uint64_t flags, enum walk_kind kind);
