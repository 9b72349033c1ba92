/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd: users and groups of an image root, read by us alone (no NSS), at most LIMIT_PASSWD_BYTES.
 *
 *	passwd_find_user(root_fd, "www", &user, error);
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

struct passwd_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned; supplementary groups, the primary gid first */
	size_t n_groups;
	char *home; /* owned, "/" when unknown */
	char *name; /* owned, "" when unknown */
};
void passwd_user_clear(struct passwd_user *user);

/*
 * "user", "uid", "user:group", "uid:gid" as RUN and USER mean it (llb-and-solver: executor users). Empty is root.
 * Errors: NOT_FOUND-class texts of upstream ("unable to find user X: no matching entries in passwd file").
 */
bool passwd_resolve(int root_fd, const char *spec, struct passwd_user *ret, GError **error);
/* For COPY --chown by name: missing files or entries give 0 and true. */
bool passwd_lookup_uid(int root_fd, const char *name, uid_t *ret_uid, gid_t *ret_gid, GError **error);
/* The same, but a missing group leaves *ret_gid, that of the user before it. */
bool passwd_lookup_gid(int root_fd, const char *name, gid_t *ret_gid, GError **error);
