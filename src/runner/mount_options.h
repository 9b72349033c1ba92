/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_options: the options of a mount as runtime specs and fstab write them.
 *
 *	struct plan_mount m = {...};
 *	mount_option(&m, "ro", data, sizeof data);     one at a time; what is the file system's own goes to data
 *
 * Plain C. Thread: any.
 */
#pragma once
#include "runner/plan.h"

/* 0; -E2BIG: data is full. data is a string, "" at first. m->source of "bind": *ret_bind (may be NULL), recursively or
 * not. */
enum mount_bind { MOUNT_NO_BIND, MOUNT_BIND, MOUNT_BIND_BELOW };
int mount_option(struct plan_mount *m, const char *option, char *data, size_t size, enum mount_bind *ret_bind);
