/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yard: an almost empty mount namespace, in which steps are cloned: there is little to copy and nothing to find.
 *
 *	yard_enter(&cgroups);      YARD_STAGING, /proc, /sys, /dev/null and its like, YARD_CGROUP/<hierarchy>
 */
#pragma once
#include "cgroup.h"

#define YARD_STAGING "/stage"
#define YARD_CGROUP "/cgroup"

/* Ends the process when it cannot be made. Finds the cgroups, whose descriptors are those in the yard. */
void yard_enter(struct cgroups *cgroups);
/* An O_PATH of a device of the yard, or -errno. */
int yard_device(const char *path);
