/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner root: an almost empty mount namespace in which steps are cloned: cloning copies few mounts, and no host file
 * is reachable.
 *
 *	int null_fd = runner_root_enter(&cgroups);
 *
 * It contains RUNNER_ROOT_STAGING, /proc, /sys, the standard devices in /dev, and RUNNER_ROOT_CGROUP/<hierarchy>.
 */
#pragma once
#include "cgroup.h"

#define RUNNER_ROOT_STAGING "/stage"
#define RUNNER_ROOT_CGROUP "/cgroup"

/*
 * Exits on failure. Initialises cgroups, whose descriptors are those of the runner root. Returns its null device, or the
 * host's where devices cannot be created.
 */
int runner_root_enter(struct cgroups *cgroups);
/* Returns an O_PATH descriptor of a device of the runner root, or -errno. */
int runner_root_device(const char *path);
