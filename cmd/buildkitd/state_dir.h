/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir: the root directory: ours alone (0700, owner checked), one daemon at a time (flock).
 *
 *	scoped_fd root = state_dir_open(path, &lock_fd, error);
 *
 * Thread: main.
 */
#pragma once
#include "base/error.h"

/* Makes it if need be and locks it. Errors: "could not lock X, another instance running?". The caller closes both. */
int state_dir_open(const char *path, int *ret_lock_fd, GError **error);
