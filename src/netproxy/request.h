/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_request: the head of one HTTP/1.x request of a step to its proxy (RFC 9112), parsed strictly.
 *
 *	struct netproxy_request q;
 *	int status = netproxy_request_parse(bytes, n, tunnel, &q, error);
 *	if (status != 0) ...                            refused: 400, 405, 421, 431, 501, 505
 *	netproxy_request_clear(&q);
 *
 * Only one reading of the bytes is accepted: lines end with CRLF; names are tokens; no folded lines; at most one length
 * or "chunked", never both. Outside of a tunnel a request names its target as an absolute address or by CONNECT; inside one
 * it names a path of the tunnel's server, which Host must name too. Input comes from a step. Pure. Thread: any.
 */
#pragma once
#include "netproxy/target.h"

struct netproxy_request {
	char *method; /* owned */
	struct netproxy_target target;
	GPtrArray *headers; /* names and values in turn, owned; those for the server, without Host */
	bool has_body;
	int64_t body_size;     /* -1: chunked */
	bool is_1_0;           /* HTTP/1.0: responses are not chunked */
	bool keep_alive;       /* the client may send another request */
	bool expects_continue; /* the client waits for an interim response before it sends the body */
};

/* bytes: up to and including the empty line. tunnel: of the CONNECT request, NULL: none. 0, or an HTTP status with error. */
int netproxy_request_parse(const char *bytes, size_t n, const struct netproxy_target *tunnel,
			   struct netproxy_request *ret, GError **error);
/* Returns the size of a head including its empty line; 0: it is not complete. from: bytes known not to contain the end. */
size_t netproxy_head_size(const char *bytes, size_t n, size_t from);
/* Returns a header's value, borrowed, or NULL. */
const char *netproxy_request_header(const struct netproxy_request *q, const char *name);
/* Reports whether a header is about one connection only (RFC 9110, 7.6.1), so that a proxy does not pass it on. */
bool netproxy_is_hop_header(const char *name);
/* Reports whether the bytes are a header name, a header value. */
bool netproxy_is_token(const char *bytes, size_t n);
bool netproxy_is_field_value(const char *bytes, size_t n);
void netproxy_request_clear(struct netproxy_request *q);
