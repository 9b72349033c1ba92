/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_server: a small HTTP/1.1 server whose connections do not wait for each other.
 *
 *	debug_server *s = debug_server_start("127.0.0.1:6060", answer, data, error);
 *	static void answer(const struct http_request *request, const char *body, GString *reply, void *data)
 *	debug_server_stop(s);
 *
 * The reply is written with its head. A connection is for one request of at most 8 KiB, and is closed after 10 s, whatever it has sent or read. Of the
 * connections beyond DEBUG_SERVER_CONNECTIONS, the oldest one is closed: clients that send or read nothing do not keep others
 * away. Thread: the server has its own thread, on which answer is called.
 */
#pragma once
#include "format/http_request.h"

#define DEBUG_SERVER_CONNECTIONS 32

typedef struct debug_server debug_server;
/* request: NULL if it is malformed or too long. */
typedef void (*debug_server_answer)(const struct http_request *request, const char *body, GString *reply, void *data);

/* address: "host:port", "tcp://host:port" or "unix:///path" (mode 0660). */
debug_server *debug_server_start(const char *address, debug_server_answer answer, void *data, GError **error);
void debug_server_stop(debug_server *s);
