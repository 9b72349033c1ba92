/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy: the HTTP(S) proxy of one step, through which it reaches the network and nothing else.
 *
 *	struct netproxy_options o = {.listen_fd = fd, .egress_fd = -1, .policy = policy, .capture = capture};
 *	netproxy *p = netproxy_start(&o, error);
 *	netproxy_ca_certificate(p)                      a PEM text that the step must trust
 *	netproxy_stop(p);                               ends all connections; the capture is complete
 *
 * http requests are forwarded; CONNECT begins a TLS connection with the proxy itself, which has a certificate for each
 * server, so that https requests are seen, too. There are no raw tunnels. Each request is checked by the policy and recorded
 * in the capture. What the step sends is untrusted: see request.h, target.h and LIMIT_PROXY_*.
 * A thread, "proxy", accepts connections; each has a thread, "proxy-client". At most LIMIT_PROXY_CONNECTIONS are served, the
 * others wait. Thread: any.
 */
#pragma once
#include "netproxy/capture.h"
#include "netproxy/policy.h"

typedef struct netproxy netproxy;

struct netproxy_options {
	int listen_fd;             /* taken; non-blocking */
	int egress_fd;             /* the network namespace that servers are reached from, borrowed; -1: the daemon's */
	netproxy_policy *policy;   /* borrowed; NULL: everything is allowed */
	netproxy_capture *capture; /* borrowed; NULL: nothing is recorded */
};
/* listen_fd is taken in any case. */
netproxy *netproxy_start(const struct netproxy_options *options, GError **error);
const char *netproxy_ca_certificate(const netproxy *p); /* borrowed */
void netproxy_stop(netproxy *p);                        /* frees it; NULL is allowed */
