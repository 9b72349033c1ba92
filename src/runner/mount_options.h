/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_options: parses mount options in the syntax of runtime specs and fstab.
 *
 *	struct plan_mount m = {...};
 *	mount_option(&m, "ro", data, sizeof data, &bind);     one option; options of the file system are appended to data
 *
 * Plain C. Thread: any.
 */
#pragma once
#include "runner/plan.h"

/*
 * Returns 0; -E2BIG: data is full. data is a string, initially "". m->source of "bind": *ret_bind (may be NULL),
 * recursive or not.
 */
enum mount_bind { MOUNT_NO_BIND, MOUNT_BIND, MOUNT_BIND_BELOW };
int mount_option(struct plan_mount *m, const char *option, char *data, size_t size, enum mount_bind *ret_bind);
