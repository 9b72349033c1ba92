/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: methods, connections and running calls of a server, inside the room.
 *
 * Lock order: a connection's mu, then the server's.
 */
#pragma once
#include "rpc/conn.h"
#include "base/pool.h"

struct listener;

struct rpc_server {
	rpc_loop *loop; /* borrowed */
	pool *handlers; /* owned: calls that hold a thread */
	pool *turns;    /* owned: the others */
	GMutex mu;
	GCond changed;        /* open_calls or conns went down */
	GHashTable *methods;  /* path (borrowed) -> struct method_entry */
	GHashTable *services; /* set of owned names */
	GHashTable *conns;    /* set of rpc_conn, memory references */
	struct admission admission;
	GPtrArray *listeners; /* of struct listener, owned */
	gsize buffered;       /* atomic: message bytes of all connections that are not taken */
	size_t open_calls;
	bool large_headers;
	bool stopping;
	int port;
	void (*hook)(const char *path, const GError *error, void *data);
	void *hook_data;
	void (*refused_hook)(const char *peer, const char *reason, void *data);
	void *refused_data;
};

/* ---- server.c */
/* Serves a stream; NULL and an error when the server stops. Takes the peer. */
rpc_conn *server_add_stream(rpc_server *s, struct stream *stream, struct peer *peer, GError **error);
/*
 * Loop's thread. Closes a connection without calls, of this source or (NULL) of any: one that has not finished its
 * preface, or that has been idle for longest, first of the source with the most connections. False when there is none.
 */
bool server_make_room(rpc_server *s, const char *source);
/* Ends a call: the packed reply (taken, may be NULL) and the status. Not under a lock. */
void server_answer(rpc_call *call, uint8_t *packed, size_t n, const GError *error);
char **server_services(rpc_server *s);
bool server_has_service(rpc_server *s, const char *name);

/* ---- listener.c */
/* Stops accepting; the sockets are gone when it returns. Takes no locks of connections. */
void listeners_close(rpc_server *s);
