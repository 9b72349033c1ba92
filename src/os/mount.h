/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount: the new mount API (fsopen, fsmount, open_tree, move_mount, mount_setattr) with mount(2) as fallback.
 *
 *	scoped_fd m = mount_overlay(lower_fds, n, upper_fd, work_fd, false, error);    detached; unmounted with its fd
 *	mount_attach(m, dir_fd, "rootfs", error);
 *
 * Kernels without mount_setattr (Linux 5.12) use mount(2) only: a mount that is not attached yet is in a hidden directory,
 * mount_use_directory, and is unmounted by mount_collect, or with the next mount, when its descriptors are closed.
 *
 * The daemon lives in a private mount namespace (mount_make_private_namespace at start), so that its mounts end with
 * it. Thread: any.
 */
#pragma once
#include "base/scope.h"
#include "base/error.h"
#include <sys/types.h>

/*
 * Moves the process to a new mount namespace with slave mounts. In a chroot, the directory of the chroot becomes the root
 * of the namespace: an OCI runtime that joins the namespace of a step in a chroot would get the root of the host. The
 * working directory stays the same. Call it before any thread starts. Needs /proc.
 */
bool mount_make_private_namespace(GError **error);
/*
 * Reports whether the kernel has no mount_setattr: buildkit-runc then cannot take mounts as descriptors and runs steps from
 * bundles, as an OCI runtime.
 */
bool mount_is_old(void);
/* Names an empty directory for mounts that are not attached yet; no effect on other kernels. */
bool mount_use_directory(int dir_fd, GError **error);
void mount_collect(void);
/*
 * Mounts /proc if it shows another pid namespace than that of the process, in which programs do not find themselves
 * (/proc/<pid>/ns). Call it in a private mount namespace.
 */
bool mount_own_proc(GError **error);
/*
 * Mounts an overlay of lowers (top first) and, if upper_fd >= 0, a writable layer. Explicit options: index=off,
 * redirect_dir=off, metacopy=off, xino=off (redirect_dir=nofollow and userxattr in a user namespace). volatile: no sync at unmount.
 */
int mount_overlay(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd, bool volatile_upper,
		  GError **error);
/* Returns a detached clone of a directory or file (including everything below it if recursive). */
int mount_clone(int fd, bool recursive, GError **error);
bool mount_set_readonly(int mount_fd, bool recursive, GError **error);
/*
 * Sets nodev on a mount that the daemon itself reads, so that device nodes in it cannot be opened. Steps get clones
 * without nodev, except in a user namespace, where the kernel locks the flag.
 */
bool mount_forbid_devices(int mount_fd, GError **error);
bool mount_allow_devices(int mount_fd, GError **error);
/* Mounts a directory on itself with nodev, submounts included; returns a directory of the new mount. */
int mount_over_without_devices(int dir_fd, GError **error);
int mount_tmpfs(int64_t size_bytes /* 0: default */, mode_t mode, GError **error);
/* Mounts a file system whose requests are read from a descriptor of /dev/fuse; its root is a directory of root. */
int mount_fuse(const char *source, int device_fd, bool readonly, GError **error);
bool mount_attach(int mount_fd, int dir_fd, const char *name /* "" for dir_fd itself */, GError **error);
bool mount_detach(int dir_fd, const char *name, GError **error); /* umount2(MNT_DETACH) */
/* Lazily unmounts everything below a path; for mounts that a previous daemon left. */
void mount_sweep_below(const char *path);
