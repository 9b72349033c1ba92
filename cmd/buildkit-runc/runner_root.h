/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner root: an almost empty mount namespace, in which steps are cloned: there is little to copy and nothing to find.
 *
 *	runner_root_enter(&cgroups);      RUNNER_ROOT_STAGING, /proc, /sys, /dev/null and its like, RUNNER_ROOT_CGROUP/<hierarchy>
 */
#pragma once
#include "cgroup.h"

#define RUNNER_ROOT_STAGING "/stage"
#define RUNNER_ROOT_CGROUP "/cgroup"

/* Ends the process when it cannot be made. Finds the cgroups, whose descriptors are those in the runner root. */
void runner_root_enter(struct cgroups *cgroups);
/* An O_PATH of a device of the runner root, or -errno. */
int runner_root_device(const char *path);
