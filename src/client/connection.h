/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: connects to a daemon: sockets, TLS, and helper programs (docker exec, kubectl, ssh, ...).
 *
 *	g_autoptr(rpc_conn) c = connection_open(loop, "unix:///run/buildkit/buildkitd.sock", &options, cancel, error);
 *
 * Address forms: buildctl(1). A helper program ends with the connection. Thread: any; blocks at most timeout_ms.
 */
#pragma once
#include "rpc/rpc.h"

struct connection_options {
	struct rpc_tls tls; /* members NULL or "": no TLS */
	int timeout_ms;
};
/* Errors: UNAVAILABLE. */
rpc_conn *connection_open(rpc_loop *loop, const char *address, const struct connection_options *options, cancel *c,
			  GError **error);
