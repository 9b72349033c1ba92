/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountfd: mounts made and put in place by descriptor; the new mount API, with mount(2) where the kernel lacks it.
 *
 *	int fd = mountfd_type(place_fd, &(struct mountfd_type){.type = "proc", .attributes = MOUNT_ATTR_NOSUID});
 *	mountfd_bind(place_fd, source_fd, &change);
 *
 * All give a descriptor of the mount's root, or -errno. The places are O_PATH descriptors: nothing is ever mounted
 * onto a name. mountfd_use_old makes all of it use mount(2), for tests.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

void mountfd_use_old(void);

struct mountfd_type {
	const char *type, *source, *data; /* data: comma-separated options of the file system */
	uint64_t attributes;              /* MOUNT_ATTR_* */
};
int mountfd_type(int place_fd, const struct mountfd_type *t);

struct mountfd_change {                          /* MOUNT_ATTR_* */
	uint64_t set, clear;                     /* of the mount */
	uint64_t set_recursive, clear_recursive; /* of it and all below */
	uint64_t propagation;                    /* MS_* */
	int user_fd;                             /* a user namespace whose ids it shows; <= 0: none */
};
/* A detached copy of a place in our own mount namespace. */
int mountfd_clone(int fd, bool recursive);
/* Puts a detached mount in place. */
int mountfd_attach(int place_fd, int mount_fd, const struct mountfd_change *change);
/* A copy of a place, with all below it, at another place. */
int mountfd_bind(int place_fd, int source_fd, const struct mountfd_change *change);
/* Changes what is mounted already: fd is its root. 0 or -errno. */
int mountfd_change(int fd, const struct mountfd_change *change);
