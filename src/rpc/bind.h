/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind: creates listening sockets at "unix:///path" and "tcp://host:port".
 *
 *	struct bound b;
 *	if (!bind_address("unix:///run/x.sock", &options, &b, error)) ...
 *	bound_clear(&b);                                 closes it and removes the socket file unless it was replaced
 *
 * A socket in use is never replaced; one that a terminated daemon left is.
 * Thread: any.
 */
#pragma once
#include "rpc/rpc.h"
#include <sys/stat.h>

struct bound {
	int fd;           /* owned, nonblocking */
	char *path;       /* owned: of a unix socket */
	struct stat made; /* the socket file */
};

/* options may be NULL; its tls member is not used here. */
bool bind_address(const char *address, const struct rpc_listen_options *options, struct bound *ret, GError **error);
void bound_clear(struct bound *b);
