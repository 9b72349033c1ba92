/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts that tree puts together, one file a kind: devices, masks, the cgroup view.
 */
#pragma once
#include "tree.h"

/* A small tmpfs of the step's own, which it never sees as a whole: attached below the root, gone with the old one. */
void tree_make_scratch(struct tree *t, int place);
void tree_copy_up(int from_fd, int to_fd);
int tree_mount_cgroup(struct tree *t, const struct plan_mount *m, int place);
void tree_make_devices(struct tree *t, const struct plan *p);
void tree_make_readonly(struct tree *t, const char *path);
void tree_hide(struct tree *t, const char *path);
