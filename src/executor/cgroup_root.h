/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup_root: prepares the cgroup of a container for the cgroups of steps (cgroup v2).
 *
 *	if (!cgroup_root_prepare(CGROUP_ROOT, "/proc/self/cgroup", &error))
 *		log_warn("%s", error->message);
 *
 * A cgroup v2 with processes cannot give controllers to its children ("no internal processes"), except the root of the
 * hierarchy. A container's processes are in the cgroup that its cgroup namespace shows as the root. Thread: any, before
 * the first step.
 */
#pragma once
#include "base/error.h"

/*
 * Moves all processes of the cgroup mounted at root to its child "init" and gives the children all of its controllers.
 * own_path is the file that names the caller's cgroup (cgroups(7)). Does nothing without cgroup v2 at root, and at the root of the
 * hierarchy. FAILED_PRECONDITION if the cgroup at root is not the caller's: its processes would be those of other
 * containers.
 */
/* own_path NULL: root is the daemon's cgroup, and need not be the root of a namespace. */
bool cgroup_root_prepare(const char *root, const char *own_path, GError **error);
/*
 * Returns the path of the daemon's cgroup beneath the unified hierarchy, without the child that cgroup_root_prepare made,
 * if the daemon may create cgroups in it and move processes; else NULL. Owned. own_path: /proc/self/cgroup.
 */
char *cgroup_root_delegated(const char *hierarchy, const char *own_path);
