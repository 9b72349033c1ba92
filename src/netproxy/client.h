/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_client: one connection of a step to its proxy: reads requests, answers or forwards them.
 *
 * *	struct netproxy_service service = {.ca = ca, .egress_fd = -1, .waits = waits};
 * *	netproxy_client_serve(&service, fd, stop, client);      until the connection ends; fd: taken
 *
 * Thread: one per connection; it blocks.
 */
#pragma once
#include "netproxy/capture.h"
#include "netproxy/certificates.h"
#include "netproxy/policy.h"

struct netproxy_service { /* borrowed; shared by the connections of a step */
	netproxy_ca *ca;
	int egress_fd;
	netproxy_policy *policy;   /* may be NULL */
	netproxy_capture *capture; /* may be NULL */
	/* Called with true before the connection waits for a request, and with false afterwards. */
	void (*waits)(void *client, bool waits);
};
/* stop: ends the connection, borrowed. client: for service.waits. */
void netproxy_client_serve(const struct netproxy_service *service, int fd, cancel *stop, void *client);
