/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_capture: the requests that a step made through its proxy, for its log and for provenance.
 *
 *	netproxy_capture *c = netproxy_capture_new();
 *	netproxy_capture_request(c, "GET", url, 200, NULL);
 *	netproxy_capture_material(c, url, &digest);            the response was a complete file
 *	netproxy_capture_incomplete(c, "POST", url, "method_not_materializable");
 *	g_autofree char *text = netproxy_capture_log(c);       "proxy network requests:\n- GET URL -> 200\n"
 *
 * Addresses are stored without credentials and default ports. Bounded: beyond LIMIT_PROXY_REQUESTS or
 * LIMIT_PROXY_CAPTURE_BYTES requests are counted only, and the capture is incomplete. Counted. Thread: any.
 */
#pragma once
#include "base/digest.h"

typedef struct netproxy_capture netproxy_capture;

struct netproxy_material {
	char *url; /* owned */
	struct digest digest;
};
struct netproxy_incomplete { /* a request whose effect on the step is not known from materials */
	char *method, *url;  /* owned; "" if there were too many requests */
	const char *reason;  /* a constant */
};

netproxy_capture *netproxy_capture_new(void);
netproxy_capture *netproxy_capture_ref(netproxy_capture *c);
void netproxy_capture_unref(netproxy_capture *c);
/* redirect: the address that the response refers to; NULL: none. */
void netproxy_capture_request(netproxy_capture *c, const char *method, const char *url, int status,
			      const char *redirect);
void netproxy_capture_material(netproxy_capture *c, const char *url, const struct digest *digest);
/* reason: a constant. */
void netproxy_capture_incomplete(netproxy_capture *c, const char *method, const char *url, const char *reason);

/* Lists the requests in order. Owned; NULL: there were none. */
char *netproxy_capture_log(netproxy_capture *c);
/*
 * Returns the files (struct netproxy_material *), each once; an address that was redirected to one of them, directly or not, is
 * another one with the same digest. Owned.
 */
GPtrArray *netproxy_capture_materials(netproxy_capture *c);
/* Returns copies (struct netproxy_incomplete *). Owned. */
GPtrArray *netproxy_capture_all_incomplete(netproxy_capture *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(netproxy_capture, netproxy_capture_unref)
