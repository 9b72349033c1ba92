/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users: the daemons that use a bridge of the network namespace, so that the last one removes it.
 *
 *	network_users *u = network_users_join("buildkit0", error);
 *	if (is_new || network_users_have_owner(u)) network_users_own(u, error);
 *	network_users_leave(u);
 *	if (!network_bridge_is_used("buildkit0")) remove it
 *
 * A daemon is known by a socket with an abstract address: it belongs to the network namespace, and disappears with the process.
 * An owner removes the bridge; a bridge without an owner was created by something else. Thread: one at a time.
 */
#pragma once
#include "base/error.h"

typedef struct network_users network_users;
network_users *network_users_join(const char *bridge, GError **error);
/* Another daemon is an owner of the bridge. */
bool network_users_have_owner(const network_users *u);
bool network_users_own(network_users *u, GError **error);
/* NULL is valid. */
void network_users_leave(network_users *u);

/* Any daemon uses the bridge. */
bool network_bridge_is_used(const char *bridge);
