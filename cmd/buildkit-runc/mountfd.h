/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountfd: creates and attaches mounts by descriptor, with the new mount API or, on older kernels, mount(2).
 *
 *	int fd = mountfd_type(place_fd, &(struct mountfd_type){.type = "proc", .attributes = MOUNT_ATTR_NOSUID});
 *	mountfd_bind(place_fd, source_fd, &change);
 *
 * All functions return a descriptor of the mount's root, or -errno. Mount points are given as O_PATH descriptors, never
 * as names.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * On old kernels (sys_is_old): mounts a private tmpfs on a directory, for mounts that are not at their place yet. Call it in
 * the mount namespace of the mounts, before any other function here. Returns 0 or -errno.
 */
int mountfd_prepare(const char *staging);

struct mountfd_type {
	const char *type, *source, *data; /* data: comma-separated options of the file system */
	uint64_t attributes;              /* MOUNT_ATTR_* */
};
int mountfd_type(int place_fd, const struct mountfd_type *t);
/*
 * Sets the SELinux label of all files of the file systems that mountfd_type makes from now on (borrowed), except those that
 * the kernel labels itself; NULL or "": none. Of message queues, which processes of an IPC namespace share, only the root
 * directory gets it.
 */
void mountfd_set_label(const char *label);

struct mountfd_change {                          /* MOUNT_ATTR_* */
	uint64_t set, clear;                     /* of the mount only */
	uint64_t set_recursive, clear_recursive; /* of the mount and all mounts below */
	uint64_t propagation;                    /* MS_* */
	int user_fd;                             /* user namespace for an id-mapped mount; <= 0: none */
};
/* Returns a detached copy of a mount of the caller's mount namespace. */
int mountfd_clone(int fd, bool recursive);
/* Attaches a detached mount. */
int mountfd_attach(int place_fd, int mount_fd, const struct mountfd_change *change);
/* Bind-mounts a tree, with all mounts below it, at another place. */
int mountfd_bind(int place_fd, int source_fd, const struct mountfd_change *change);
/* Changes an attached mount; fd is its root. Returns 0 or -errno. */
int mountfd_change(int fd, const struct mountfd_change *change);
