/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_namespace: whether the program runs in a user namespace that maps only some ids (rootless mode).
 *
 *	if (user_namespace_is_limited()) ...     devices cannot be created, mounts of the host are locked
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

/* Reports whether /proc/self/uid_map maps less than all ids. The answer is computed once. */
bool user_namespace_is_limited(void);
/* Reports whether root of the user namespace can change the network namespace. True if it is not known. */
bool user_namespace_owns_network(void);
/* Reports whether the text of a uid_map maps less than all ids. */
bool user_namespace_map_is_limited(const char *map);
/*
 * Sets the error of a failed change of owner, and returns false. EINVAL means that the user namespace does not map the
 * ids: the error says so, and what to do. format: the operation that failed, as for error_set_errno.
 */
bool user_namespace_owner_error(GError **error, int errnum, uid_t uid, gid_t gid, const char *format, ...)
	G_GNUC_PRINTF(5, 6);
