/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passwd: looks up users and groups in the files of an image root (without NSS), of at most LIMIT_PASSWD_BYTES.
 *
 *	passwd_resolve(root_fd, "www", &user, error);
 *	passwd_user_clear(&user);
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
 * Resolves "user", "uid", "user:group" or "uid:gid" as RUN and USER do. Empty means root. Errors: upstream's texts
 * ("unable to find user X: no matching entries in passwd file").
 */
bool passwd_resolve(int root_fd, const char *spec, struct passwd_user *ret, GError **error);
/* For COPY --chown by name: missing files or entries give 0 and true. */
bool passwd_lookup_uid(int root_fd, const char *name, uid_t *ret_uid, gid_t *ret_gid, GError **error);
/* The same, but for a missing group *ret_gid is unchanged: the gid of the user looked up before. */
bool passwd_lookup_gid(int root_fd, const char *name, gid_t *ret_gid, GError **error);
