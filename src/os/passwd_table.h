/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd_table: the bytes of passwd(5) and group(5) files, searched line by line.
 *
 *	int found = passwd_table_find_user(file, "www", 0, &user, error);      1 found, 0 not, -1 error
 *
 * A line whose ids are no numbers is skipped, so that a broken file never means root. Inside os only. Thread: any.
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
/* The first with this name, or with this uid when name is NULL. Errors: RESOURCE_EXHAUSTED for endless lines. */
int passwd_table_find_user(struct slice file, const char *name, uid_t uid, struct passwd_entry *ret, GError **error);
int passwd_table_find_group(struct slice file, const char *name, gid_t gid, gid_t *ret_gid, GError **error);
/* Appends the gids (gid_t) of all groups that list the user. */
bool passwd_table_groups_of(struct slice file, struct slice user, GArray *gids, GError **error);
