/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_old: mounts by descriptor with mount(2), for kernels without mount_setattr (Linux 5.12). Private to os.
 *
 *	int fd = mount_old_clone(dir_fd, true);          "detached": in a directory that no other process has a name for
 *	mount_old_set(fd, MS_RDONLY, 0, true);
 *	mount_old_move(fd, dir_fd, "rootfs");
 *
 * mount.h has the public functions, with mount_is_old. A mount that is not at its place yet is one below a private tmpfs (mount_use_directory). It cannot end with its
 * descriptor: mount_old_collect unmounts those that no descriptor refers to, which the kernel knows (EBUSY). Functions
 * return 0 or a descriptor, or -errno. Thread: any.
 */
#pragma once
#include <stdbool.h>

int mount_old_use(int dir_fd);
int mount_old_clone(int fd, bool recursive);
/* Makes a mount of a directory by a function that mounts it on the target. */
typedef int (*mount_old_fn)(const char *target, const void *data);
int mount_old_make(mount_old_fn fn, const void *data);
int mount_old_move(int mount_fd, int dir_fd, const char *name);
/* Sets and clears MS_RDONLY and MS_NODEV, of all mounts below as well if recursive. */
int mount_old_set(int mount_fd, unsigned long set, unsigned long clear, bool recursive);
void mount_old_collect(void);
