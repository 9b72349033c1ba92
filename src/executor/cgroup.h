/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: the control groups of steps, on v1, hybrid and v2 systems.
 *
 *	struct cgroups g;
 *	cgroups_init(&g);
 *	g_autofree char *path = cgroup_path_for(parent, id);         "/buildkit/<id>"
 *	... the runtime creates and joins it ...
 *	cgroup_kill(&g, path); cgroup_remove(&g, path);
 *
 * Paths are relative to every hierarchy's mount point below /sys/fs/cgroup, as runtimes use them. A systemd name
 * ("x.slice:...:id") is handled by the runtime: all calls ignore it. Thread: any, immutable after init.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>

#define CGROUP_MAX_HIERARCHIES 24
#define CGROUP_ROOT "/sys/fs/cgroup"

struct cgroups {
	int fds[CGROUP_MAX_HIERARCHIES];      /* owned; directory of each mounted hierarchy */
	char *points[CGROUP_MAX_HIERARCHIES]; /* owned; its mount point: CGROUP_ROOT or a path below */
	size_t n;
	bool v2; /* unified hierarchy only: steps get a cgroup namespace */
};
void cgroups_init(struct cgroups *g);
void cgroups_done(struct cgroups *g);

/* Returns the cgroup of a step: "/<parent>/buildkit/<id>", or "<parent><id>" for a parent of systemd's form. */
char *cgroup_path_for(const char *parent, const char *id);
/*
 * The mount point of the hierarchy that counts what steps use (cgroup v2), borrowed, and the path of a cgroup beneath it,
 * borrowed from path. -1: there is none, or the runtime names the cgroup.
 */
int cgroup_counting_hierarchy(const struct cgroups *g, const char *path, const char **ret_relative);
/* Lists the directories of a path that no hierarchy has yet, as absolute paths, outer ones first. g_ptr_array_unref. */
GPtrArray *cgroup_missing(const struct cgroups *g, const char *path);
/*
 * Creates a directory for the cgroups of steps and limits all of them together: at most 32768 processes and all memory
 * except 512 MiB. Limits that the system does not allow us to set are skipped.
 */
void cgroup_limit_directory(const struct cgroups *g, const char *path);
/* Sends SIGKILL to all processes below; false if there were none. */
bool cgroup_kill(const struct cgroups *g, const char *path);
/* Removes it and everything below, killing remaining processes, for at most wait_ms. */
bool cgroup_remove(const struct cgroups *g, const char *path, int wait_ms);
/* Removes our runner's cgroups in a directory: those whose names begin with the name of the instance and a dot. */
void cgroup_remove_named(const struct cgroups *g, const char *directory, const char *instance, int wait_ms);
/* Reports whether the OOM killer killed one of its processes. */
bool cgroup_oom_killed(const struct cgroups *g, const char *path);
