/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: creates, joins, limits, queries and removes control groups on v1, hybrid and v2 systems.
 *
 *	struct cgroups all;
 *	cgroups_find(&all);
 *	struct cgroup g;
 *	cgroup_make(&all, "/buildkit/x", &g);       in every hierarchy
 *	cgroup_join(&g, 0, true); cgroup_limit(&g, &plan->resources, &what);
 *	cgroup_remove(&all, "/buildkit/x");
 *
 * Paths are relative to the mount point of each hierarchy beneath /sys/fs/cgroup. All functions return 0 or -errno.
 */
#pragma once
#include "runner/plan.h"

#define CGROUPS_MAX 24
enum cgroup_controller { /* controllers, as bits */
			 CGROUP_DEVICES = 1,
			 CGROUP_MEMORY = 2,
			 CGROUP_PIDS = 4,
			 CGROUP_CPU = 8,
			 CGROUP_CPUSET = 16,
			 CGROUP_FREEZER = 32,
			 CGROUP_BLKIO = 64,
			 CGROUP_OTHER = 128,
			 CGROUP_UNIFIED = 256,
};
struct hierarchy {
	int fd;               /* owned; the directory of the mount point */
	unsigned controllers; /* bit set of CGROUP_* */
	char name[64];        /* name of that directory: "memory", "cpu,cpuacct", "unified" */
	char options[64];     /* mount options: "memory", "none,name=systemd" */
};
struct cgroups {
	struct hierarchy list[CGROUPS_MAX];
	unsigned n;
	bool unified_only; /* true if v2 is mounted at /sys/fs/cgroup itself */
	int unified;       /* index of the unified hierarchy, or -1 */
};
void cgroups_find(struct cgroups *all);

struct cgroup {
	const struct cgroups *all; /* borrowed */
	char path[256];
	int fds[CGROUPS_MAX]; /* owned; -1: not in this hierarchy */
};
/* Existing directories are used. Directories created before a failure remain: call cgroup_remove. */
int cgroup_make(const struct cgroups *all, const char *path, struct cgroup *ret);
int cgroup_open(const struct cgroups *all, const char *path, struct cgroup *ret);
void cgroup_close(struct cgroup *g);
/* Returns the descriptor for CLONE_INTO_CGROUP, borrowed; -1: there is no unified hierarchy. */
int cgroup_unified_fd(const struct cgroup *g);
/*
 * pid 0: the caller. born: the process was cloned into its unified cgroup already. In a user namespace, a hierarchy in
 * which the process may not be moved (it is not delegated) is left out of g.
 */
int cgroup_join(struct cgroup *g, int pid, bool born);
/* Returns the directory in the hierarchy of a controller, borrowed; -ENOENT: no such hierarchy. */
int cgroup_find(const struct cgroup *g, unsigned controller);
/* *ret_what: the file that could not be written. */
int cgroup_limit(const struct cgroup *g, const struct plan_resources *r, const char **ret_what);
/* Sets the device rules of the step; none in a user namespace. The last rule that matches decides; an access that no rule allows is denied. */
int cgroup_filter_devices(const struct cgroup *g, const struct plan_device_rule *rules, uint32_t n);
/* Removes the cgroup and the cgroups that the step made below it; -EBUSY while it contains processes. */
int cgroup_remove(const struct cgroups *all, const char *path);
/* Sends a signal to all processes of the cgroup and the cgroups below it. */
void cgroup_signal(const struct cgroups *all, const char *path, int signal);
/*
 * Kills the processes of the child cgroups of a directory whose names have this prefix, and removes those that are
 * empty then.
 */
void cgroup_sweep(const struct cgroups *all, const char *directory, const char *prefix);
bool cgroup_oom_killed(const struct cgroups *all, const char *path);
/* Returns the caller's path in a hierarchy from /proc/self/cgroup, or "" if unknown. */
void cgroup_own(const struct hierarchy *h, char path[256]);
