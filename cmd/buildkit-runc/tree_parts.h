/* SPDX-License-Identifier: Apache-2.0 */
/* tree_parts: functions that tree.c calls and that are in separate files: devices, masks, cgroup mounts. Thread: one. */
#pragma once
#include "tree.h"

/*
 * Creates a small tmpfs, mounted below the old root and therefore detached with it. The step never sees it as a whole.
 */
void tree_make_scratch(struct tree *t, int place);
void tree_copy_up(int from_fd, int to_fd);
int tree_mount_cgroup(struct tree *t, const struct plan_mount *m, int place);
void tree_make_devices(struct tree *t, const struct plan *p);
void tree_make_readonly(struct tree *t, const char *path);
void tree_hide(struct tree *t, const char *path);
