/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_walk: path lookup one component at a time, where openat2 is missing, and to name where it leads.
 *
 *	int fd = path_walk_open(root_fd, "etc/passwd", O_RDONLY, PATH_IN_ROOT);        -errno on failure
 *
 * The same answers as openat2 (one test table runs both). Inside os only. Thread: any.
 */
#pragma once
#include "os/path.h"

int path_walk_open(int root_fd, const char *path, int flags, enum path_mode mode);
/* 0 or -errno; *ret_path (owned) is clean and absolute, a missing tail is kept. */
int path_walk_resolve(int root_fd, const char *path, bool follow_last, char **ret_path);
