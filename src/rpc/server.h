/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: methods, connections and running calls of a server, inside the room.
 *
 * Lock order: a connection's mu, then the server's.
 */
#pragma once
#include "rpc/conn.h"
#include "rpc/handlers.h"

enum slot { SLOT_NONE, SLOT_UNIX, SLOT_TCP, N_SLOTS };

struct listener;

struct rpc_server {
	rpc_loop *loop;            /* borrowed */
	struct handlers *handlers; /* owned */
	GMutex mu;
	GCond changed;        /* open_calls or conns went down */
	GHashTable *methods;  /* path (borrowed) -> struct method_entry */
	GHashTable *services; /* set of owned names */
	GHashTable *conns;    /* set of rpc_conn, memory references */
	GHashTable *sources;  /* peer address (owned) -> count */
	GPtrArray *listeners; /* of struct listener, owned */
	guint slots[N_SLOTS];
	size_t open_calls;
	bool large_headers;
	bool stopping;
	int port;
	void (*hook)(const char *path, const GError *error, void *data);
	void *hook_data;
};

/* ---- server.c */
/* Serves a stream; NULL and an error when the server stops. */
rpc_conn *server_add_stream(rpc_server *s, struct stream *stream, enum slot slot, const char *source, GError **error);
char **server_services(rpc_server *s);
bool server_has_service(rpc_server *s, const char *name);

/* ---- listener.c */
/* Stops accepting; the sockets are gone when it returns. Takes no locks of connections. */
void listeners_close(rpc_server *s);
/* A connection ended: accepts again where that was the reason not to. mu held. */
void listeners_resume(rpc_server *s);
