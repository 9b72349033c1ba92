/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: builds the root file system of the step: root, mounts, devices, masks.
 *
 *	tree_init(&t); t.root_fd = ...; t.staging = ...; t.fds = fds;
 *	tree_build(&t, plan);      the tree is complete; the process still has the old root
 *	tree_enter(&t, plan);      makes the tree the root and detaches the old one
 *
 * Every mount point is resolved once beneath root_fd and used by descriptor. Kernel file systems are mounted on
 * directories only; a symbolic link in the image is refused.
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"

struct tree {
	int root_fd;                 /* owned by the caller: root of a detached mount; attached by tree_build */
	const char *staging;         /* directory of the old root where the new root is attached */
	int chroot_fd;               /* descriptor of the old root; see namespaces_leave_chroot */
	const char *cgroup_root;     /* path of the hierarchies in the old root, e.g. "/sys/fs/cgroup" */
	const int *fds;              /* the plan's descriptors */
	const struct cgroup *cgroup; /* NULL: no cgroup mounts */
	bool cgroup_namespace;
	/* Opens (O_PATH) the host's device where devices cannot be created; returns -errno on failure. */
	int (*device_source)(const char *path);
	/* set while mounting; owned, -1 */
	int proc_fd, dev_fd, devpts_fd, scratch_fd;
	unsigned n_files;
};
void tree_init(struct tree *t);
void tree_build(struct tree *t, const struct plan *plan);
void tree_mask(struct tree *t, const struct plan *plan);
/* Returns a procfs that the runner can write to: the step's, or one that is mounted nowhere. */
int tree_proc(struct tree *t);
void tree_enter(struct tree *t, const struct plan *plan);
