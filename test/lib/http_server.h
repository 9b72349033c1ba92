/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_server: a small HTTP/1.1 server on the loopback address for tests; a handler answers, every request is logged.
 *
 *	struct server *s = http_server_start(handler, data);        s->port, s->address ("127.0.0.1:port")
 *	... s->log has "GET /v2/..." lines ...
 *	http_server_stop(s);
 *
 * Thread: the handler runs on one thread per connection, under the server's lock.
 */
#pragma once
#include <gio/gio.h>
#include <string.h>

struct server_request {
	char *method, *path, *query; /* query "" if there is none */
	GHashTable *headers;         /* lower-case names */
	GByteArray *body;
};
struct server_reply {
	int status;
	GString *headers; /* "Name: value\r\n" lines */
	GByteArray *body;
	gssize cut; /* send only that many bytes of the body, then close; -1: all */
};
struct server;
typedef void (*server_handler)(struct server *s, const struct server_request *q, struct server_reply *r, void *data);
struct server {
	GSocketListener *listener;
	GCancellable *stop;
	GThread *thread;
	GPtrArray *threads; /* one per connection */
	GMutex mu;
	GPtrArray *log; /* "METHOD path?query" */
	server_handler handler;
	void *data;
	guint16 port;
	char address[32];
};

const char *http_server_header(const struct server_request *q, const char *name);
void http_server_reply_header(struct server_reply *r, const char *name, const char *value);
void http_server_reply_text(struct server_reply *r, int status, const char *text);
struct server *http_server_start(server_handler handler, void *data);
/* Connections must be closed: free the client first. */
void http_server_stop(struct server *s);
/* Number of logged requests with this prefix. */
guint http_server_count(struct server *s, const char *prefix);
