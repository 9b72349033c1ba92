/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir: opens the state directory: private (mode 0700, owner checked), used by one daemon at a time (flock).
 *
 *	scoped_fd root = state_dir_open(path, &lock_fd, error);
 *
 * Thread: main.
 */
#pragma once
#include "base/error.h"

/*
 * Creates the directory if it is missing, and locks it. Errors: "could not lock X, another instance running?". The
 * caller closes both descriptors.
 */
int state_dir_open(const char *path, int *ret_lock_fd, GError **error);
