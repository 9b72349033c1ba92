/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountfd_old: mounts by descriptor with mount(2), for kernels without mount_setattr (Linux 5.12); part of mountfd.
 *
 * A detached mount is one in a directory of a private tmpfs that no other process has a name for. It gets its attributes
 * there, then it is moved to its place (MS_MOVE) by descriptors, so that no name of a tree is resolved again and nothing
 * is writable in between. Functions return 0 or a descriptor, or -errno.
 */
#pragma once
#include "mountfd.h"

int mountfd_old_prepare(const char *staging);
int mountfd_old_type(const struct mountfd_type *t, bool directory, unsigned long flags);
int mountfd_old_clone(int fd, bool recursive);
int mountfd_old_move(int place_fd, int mount_fd);
int mountfd_old_change(int fd, const struct mountfd_change *change);
/* MS_* flags of MOUNT_ATTR_*. */
unsigned long mountfd_flags(uint64_t attributes);
