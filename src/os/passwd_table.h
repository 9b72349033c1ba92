/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd_table: searches the bytes of passwd(5) and group(5) files line by line.
 *
 *	int found = passwd_table_find_user(file, "www", 0, &user, error);      1 found, 0 not, -1 error
 *
 * A line with invalid ids is skipped, so that a broken file never gives uid 0. Private to os. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/scope.h"
#include <sys/types.h>

struct passwd_entry {
	struct slice name, home; /* borrowed from the file */
	uid_t uid;
	gid_t gid;
};
/*
 * Finds the first entry with this name, or with this uid if name is NULL. Errors: RESOURCE_EXHAUSTED for overlong
 * lines.
 */
int passwd_table_find_user(struct slice file, const char *name, uid_t uid, struct passwd_entry *ret, GError **error);
int passwd_table_find_group(struct slice file, const char *name, gid_t gid, gid_t *ret_gid, GError **error);
/* Appends the gids (gid_t) of all groups that list the user. */
bool passwd_table_groups_of(struct slice file, struct slice user, GArray *gids, GError **error);
