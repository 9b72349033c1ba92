/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: trees as layers of an overlay mount.
 *
 *	if (overlay_probe(root_fd, &can_clone, error)) ...       checks the file system and permissions
 *	overlay_prepare(dir_fd, parent_dir_fd, error);
 *	int mount_fd = overlay_mount(dirs, n, true, false, error);
 *
 * Upper directories are mounted volatile (no sync at unmount): builds make their results durable. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* can_clone: a detached mount can be cloned without being attached (Linux 6.15). */
bool overlay_probe(int root_fd, bool *ret_can_clone, GError **error);
bool overlay_prepare(int dir_fd, int parent_dir_fd, GError **error);
/* The merged root shows the top layer's metadata: it is initialized from its parent. */
bool overlay_inherit(int dir_fd, int parent_dir_fd, bool linked, GError **error);
/* Mounts n trees, top first; n >= 2, or 1 with write. linked: "fs" and "work" are links to a keeper's directories. */
int overlay_mount(const int *dirs, size_t n, bool write, bool linked, GError **error);
/* Makes a new "work" directory in a tree, and opens it. */
int overlay_make_work(int dir_fd, GError **error);
/*
 * In the directory of a remote tree, the link OVERLAY_REMOTE says whether "fs" refers to a mount, whose files are in a
 * registry.
 */
#define OVERLAY_REMOTE "remote"
#define OVERLAY_REMOTE_MOUNT "mount"
#define OVERLAY_REMOTE_PLAIN "directory"
/*
 * Opens a directory of a tree. Errors: UNAVAILABLE if the mount of a remote tree is missing, so that an empty mount point
 * is never taken for its files.
 */
int overlay_open_part(int dir_fd, const char *name, bool linked, GError **error);
