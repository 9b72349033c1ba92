/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_response: the head of a server's response, built from its lines, and written again for the step's client.
 *
 *	netproxy_response_line(&r, line, n, error) ...             "HTTP/1.1 200 OK\r\n", "Name: value\r\n"
 *	netproxy_response_finish(&r, is_head, error);              at the empty line
 *	g_autofree char *head = netproxy_response_head(&r, chunked, close);
 *
 * A status line begins a new head: interim ones are dropped. Input comes from a server. Pure. Thread: one at a time.
 */
#pragma once
#include "base/error.h"

struct netproxy_response {
	int status;         /* 0: nothing was received */
	char *reason;       /* owned */
	GPtrArray *headers; /* names and values in turn, owned; those for the client, without Content-Length */
	char *location;     /* owned; NULL: none */
	int64_t size;       /* of the body; -1: not known */
	bool has_body;      /* the response of this request can have one */
	bool is_interim;
	/* While lines are read: */
	size_t bytes;     /* of the head */
	char *connection; /* owned */
	bool is_encoded, has_size;
};

bool netproxy_response_line(struct netproxy_response *r, const char *line, size_t n, GError **error);
/* is_head: of a HEAD request. */
bool netproxy_response_finish(struct netproxy_response *r, bool is_head, GError **error);
/* chunked, close: how the client finds the end of the body. Owned. */
char *netproxy_response_head(const struct netproxy_response *r, bool chunked, bool close);
void netproxy_response_clear(struct netproxy_response *r);
