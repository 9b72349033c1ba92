/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: control groups on v1, hybrid and v2 systems: made, joined, limited, asked and removed.
 *
 *	struct cgroups all;
 *	cgroups_find(&all);
 *	struct cgroup g;
 *	cgroup_make(&all, "/buildkit/x", &g);       in every hierarchy
 *	cgroup_join(&g, 0); cgroup_limit(&g, &plan->resources);
 *	cgroup_remove(&all, "/buildkit/x");
 *
 * Paths are relative to the mount point of each hierarchy beneath /sys/fs/cgroup. All give 0 or -errno.
 */
#pragma once
#include "runner/plan.h"

#define CGROUPS_MAX 24
enum cgroup_controller { /* bits */
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
	int fd;               /* owned; the directory it is mounted at */
	unsigned controllers; /* CGROUP_* */
	char name[64];        /* of that directory: "memory", "cpu,cpuacct", "unified" */
	char options[64];     /* for mount: "memory", "none,name=systemd" */
};
struct cgroups {
	struct hierarchy list[CGROUPS_MAX];
	unsigned n;
	bool unified_only; /* v2: /sys/fs/cgroup itself */
	int unified;       /* index, or -1 */
};
void cgroups_find(struct cgroups *all);

struct cgroup {
	const struct cgroups *all; /* borrowed */
	char path[256];
	int fds[CGROUPS_MAX]; /* owned; -1: not there */
};
/* Existing directories are taken. What was made stays on failure: remove it. */
int cgroup_make(const struct cgroups *all, const char *path, struct cgroup *ret);
int cgroup_open(const struct cgroups *all, const char *path, struct cgroup *ret);
void cgroup_close(struct cgroup *g);
/* For clone: joins by being born there. -1: no such hierarchy. */
int cgroup_unified_fd(const struct cgroup *g);
/* pid 0: the caller. born: is in the unified one already. */
int cgroup_join(const struct cgroup *g, int pid, bool born);
/* The directory in the hierarchy of a controller, borrowed; -ENOENT: there is none. */
int cgroup_find(const struct cgroup *g, unsigned controller);
/* *ret_what: the file that failed. */
int cgroup_limit(const struct cgroup *g, const struct plan_resources *r, const char **ret_what);
/* The step's devices: rules in order, the last that matches counts; nothing is allowed that none allows. */
int cgroup_filter_devices(const struct cgroup *g, const struct plan_device_rule *rules, uint32_t n);
/* What every container may: make any node, use those that every container has. */
extern const struct plan_device_rule cgroup_default_devices[];
extern const uint32_t cgroup_n_default_devices;
/* Removes it and what the step made below; -EBUSY while something runs. */
int cgroup_remove(const struct cgroups *all, const char *path);
/* SIGKILL (or another signal) to all in it and below. */
void cgroup_signal(const struct cgroups *all, const char *path, int signal);
/* Kills what is in those of a directory whose names begin so, and removes them as far as that goes at once. */
void cgroup_sweep(const struct cgroups *all, const char *directory, const char *prefix);
bool cgroup_oom_killed(const struct cgroups *all, const char *path);
/* Our own place in a hierarchy, as /proc/self/cgroup names it; "" when unknown. */
void cgroup_own(const struct hierarchy *h, char path[256]);
