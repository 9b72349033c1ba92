/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount: the new mount API (fsopen, fsmount, open_tree, move_mount, mount_setattr) with mount(2) as fallback.
 *
 *	scoped_fd m = mount_overlay(lower_fds, n, upper_fd, work_fd, error);    detached; gone with its fd
 *	mount_attach(m, dir_fd, "rootfs", error);
 *
 * The daemon lives in a private mount namespace (mount_make_private_namespace at start), so that nothing of it
 * outlives it. Thread: any.
 */
#pragma once
#include "base/scope.h"
#include "base/error.h"
#include <sys/types.h>

/* unshare(CLONE_NEWNS) and make everything a slave. Before any thread starts. */
bool mount_make_private_namespace(GError **error);
/* An overlay of lowers (top first) and, when upper_fd >= 0, a writable layer. Options explicit: index=off,
 * redirect_dir=off, metacopy=off, xino=off (userxattr when in a user namespace). volatile: no sync at unmount. */
int mount_overlay(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd, bool volatile_upper,
		  GError **error);
/* A detached clone of a directory or file (with everything below it when recursive). */
int mount_clone(int fd, bool recursive, GError **error);
bool mount_set_readonly(int mount_fd, bool recursive, GError **error);
/*
 * Device nodes of a mount cannot be opened (nodev): what the daemon itself looks at. Steps get clones that allow them;
 * a nodev that the kernel keeps locked, in a user namespace, stays.
 */
bool mount_forbid_devices(int mount_fd, GError **error);
bool mount_allow_devices(int mount_fd, GError **error);
/* Mounts a directory on itself with nodev, submounts included; a directory of the new mount. */
int mount_over_without_devices(int dir_fd, GError **error);
int mount_tmpfs(int64_t size_bytes /* 0: default */, mode_t mode, GError **error);
bool mount_attach(int mount_fd, int dir_fd, const char *name /* "" for dir_fd itself */, GError **error);
bool mount_detach(int dir_fd, const char *name, GError **error); /* umount2(MNT_DETACH) */
/* Lazily unmounts everything below a path that an earlier life left. */
void mount_sweep_below(const char *path);
