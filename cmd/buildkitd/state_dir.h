/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir: opens the state directory: private (mode 0700, owner checked), used by one daemon at a time (flock).
 *
 *	g_autofree char *path = state_dir_path(config->root);
 *	scoped_fd root = state_dir_open(path, &lock_fd, error);
 *
 * Thread: main.
 */
#pragma once
#include "base/error.h"

/*
 * Returns the path of the state directory for a configured path. In a user namespace, the root of a volume can belong to a user
 * of the host who is not mapped (with Kubernetes: to root) and be writable by others. The daemon cannot make it private: then
 * the state directory is its child "state". Otherwise a copy of the path.
 */
char *state_dir_path(const char *path);
/*
 * Creates the directory if it is missing, and locks it. Errors: "could not lock X, another instance running?". The
 * caller closes both descriptors.
 */
int state_dir_open(const char *path, int *ret_lock_fd, GError **error);
