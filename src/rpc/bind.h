/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind: listening sockets at "unix:///path" and "tcp://host:port".
 *
 *	struct bound b;
 *	if (!bind_address("unix:///run/x.sock", &options, &b, error)) ...
 *	bound_clear(&b);                                 closes, and removes the socket file unless another replaced it
 *
 * A socket that answers is never taken over; one that a dead daemon left is.
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

/* options may be NULL; tls in it is not used here. */
bool bind_address(const char *address, const struct rpc_listen_options *options, struct bound *ret, GError **error);
void bound_clear(struct bound *b);
