/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: what the program will see as "/": the root, mounts, devices, masks.
 *
 *	tree_init(&t); t.root_fd = ...; t.staging = ...; t.fds = fds;
 *	tree_build(&t, plan);      attached and complete, our own root is still the old one
 *	tree_enter(&t);            now it is the root, and the old one is gone
 *
 * Every place is resolved once beneath root_fd and used by descriptor. A mount of a kernel file system needs a real
 * directory: where the image has a link, it is refused.
 */
#pragma once
#include "cgroup.h"
#include "runner/plan.h"

struct tree {
	int root_fd;                 /* owned by the caller: root of a detached mount; attached by tree_build */
	const char *staging;         /* a directory of the old root, where the new one may be attached */
	int chroot_fd;               /* of the old root: see namespaces_leave_chroot */
	const char *cgroup_root;     /* where the old root has the hierarchies: "/sys/fs/cgroup" */
	const int *fds;              /* the plan's descriptors */
	const struct cgroup *cgroup; /* NULL: no view of it */
	bool cgroup_namespace;
	int (*device_source)(const char *path); /* where devices cannot be made: an O_PATH of the host's; -errno */
	/* found while mounting; owned, -1 */
	int proc_fd, dev_fd, devpts_fd, scratch_fd;
	unsigned n_files;
};
void tree_init(struct tree *t);
void tree_build(struct tree *t, const struct plan *plan);
void tree_mask(struct tree *t, const struct plan *plan);
/* A procfs for our own writes: the step's, or one that nobody sees. */
int tree_proc(struct tree *t);
void tree_enter(struct tree *t, const struct plan *plan);
