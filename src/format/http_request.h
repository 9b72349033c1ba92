/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_request: parses requests of HTTP/1 (RFC 9112), for the small servers of this project.
 *
 *	size_t head = http_request_head(bytes, n);             0: the head is not complete
 *	g_auto(http_request) r = {0};
 *	if (!http_request_parse(bytes, head, &r, error)) return false;
 *	g_autofree char *ref = http_form_get(r.query, "ref");
 *
 * Input comes from a peer. Errors: INVALID_ARGUMENT. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"

struct http_request {
	char *method, *path;                 /* owned; the path as it was sent */
	char *query;                         /* owned; "": none */
	char *host, *cookie, *authorization; /* owned; NULL: no such field; of several equal fields the first */
	uint64_t body_bytes;                 /* Content-Length; 0: none */
};
typedef struct http_request http_request;

/* The length of the request line and the fields, with the empty line. */
size_t http_request_head(const char *bytes, size_t n);
/* Refused: a second Host, a body that is chunked or of unknown length, control characters. */
bool http_request_parse(const char *bytes, size_t head, struct http_request *ret, GError **error);
void http_request_clear(struct http_request *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(http_request, http_request_clear)

/* The decoded value of a name in application/x-www-form-urlencoded text, the first one; NULL: none or malformed. Owned. */
char *http_form_get(const char *text, const char *name);
/* The value of a cookie in a Cookie field, the first one; NULL: none. Owned. */
char *http_cookie_get(const char *field, const char *name);
/*
 * Whether a Host field names this machine without the help of a name server: localhost or an IP address, with or without a
 * port. A page of a foreign name may be an attack by DNS rebinding.
 */
bool http_host_is_literal(const char *host);
