/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: trees as layers of an overlay mount.
 *
 *	if (overlay_probe(root_fd, &can_clone, error)) ...       does it work on this file system, as this user
 *	overlay_prepare(dir_fd, parent_dir_fd, error);
 *	int mount_fd = overlay_mount(dirs, n, true, false, error);
 *
 * Upper directories are mounted volatile (no sync at unmount): durability is the build's. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* can_clone: a detached mount can be cloned without being attached (Linux 6.15). */
bool overlay_probe(int root_fd, bool *ret_can_clone, GError **error);
bool overlay_prepare(int dir_fd, int parent_dir_fd, GError **error);
/* The merged root shows the top layer's own metadata: it begins as its parent's. */
bool overlay_inherit(int dir_fd, int parent_dir_fd, bool linked, GError **error);
/* n trees, top first; n >= 2, or 1 with write. linked: "fs" and "work" are links to where somebody else keeps them. */
int overlay_mount(const int *dirs, size_t n, bool write, bool linked, GError **error);
/* A directory of a tree. */
int overlay_open_part(int dir_fd, const char *name, bool linked, GError **error);
