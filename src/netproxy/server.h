/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_server: the connections to servers that one client's connection uses, one request at a time.
 *
 *	netproxy_server *s = netproxy_server_new(egress_fd, stop, error);
 *	struct netproxy_exchange x = {.request = &q, .read = ..., .head = ..., .body = ..., .data = data};
 *	if (!netproxy_server_do(s, &x, error)) ...
 *	netproxy_server_free(s);
 *
 * HTTP/1.1, directly: proxies of the daemon's environment are not used. Servers are verified with the roots of the
 * daemon's machine. Names are resolved in the daemon's network namespace; sockets are created in the egress namespace.
 * Redirects are ordinary responses. Thread: one at a time; calls block.
 */
#pragma once
#include "base/cancel.h"
#include "netproxy/request.h"
#include "netproxy/response.h"

typedef struct netproxy_server netproxy_server;

struct netproxy_exchange {
	const struct netproxy_request *request;
	/* The callbacks return false (-1) to end the exchange. They may block. */
	ssize_t (*read)(void *data, void *into, size_t n, GError **error); /* of the request's body; 0: its end */
	bool (*head)(void *data, const struct netproxy_response *r, GError **error);
	bool (*body)(void *data, const void *bytes, size_t n, GError **error);
	void *data;
};

/* egress_fd: a network namespace, borrowed; -1: the daemon's. stop: borrowed. */
netproxy_server *netproxy_server_new(int egress_fd, cancel *stop, GError **error);
void netproxy_server_free(netproxy_server *s);
/*
 * Calls head once, then body, and returns true at the end of the response. Errors: those of the callbacks; what went wrong, in
 * Go's words ("dial tcp: lookup x: no such host").
 */
bool netproxy_server_do(netproxy_server *s, struct netproxy_exchange *x, GError **error);
