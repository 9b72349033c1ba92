/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_walk: path lookup one component at a time, for kernels without openat2 and to resolve a path to its name.
 *
 *	int fd = path_walk_open(root_fd, "etc/passwd", O_RDONLY, PATH_IN_ROOT);        -errno on failure
 *
 * Gives the same results as openat2 (one test table runs both). Private to os. Thread: any.
 */
#pragma once
#include "os/path.h"

int path_walk_open(int root_fd, const char *path, int flags, enum path_mode mode);
/*
 * Returns 0 or -errno; *ret_path (owned) is clean and absolute, missing components at the end are kept. -ENOTDIR: a path
 * below a file, and *ret_path is the component below it.
 */
int path_walk_resolve(int root_fd, const char *path, bool follow_last, char **ret_path);
