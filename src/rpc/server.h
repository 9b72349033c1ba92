/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: methods, connections and running calls of a server; private to this module.
 *
 * Lock order: a connection's mu, then the server's. Thread: any, unless stated otherwise.
 */
#pragma once
#include "rpc/conn.h"
#include "base/pool.h"

struct listener;

struct rpc_server {
	rpc_loop *loop; /* borrowed */
	pool *handlers; /* owned: calls that hold a thread */
	pool *turns;    /* owned: runs calls in turns */
	GMutex mu;
	GCond changed;                     /* open_calls or conns decreased */
	GHashTable *methods;               /* path (borrowed) -> struct method_entry */
	GHashTable *services;              /* set of owned names */
	struct rpc_reflection *reflection; /* owned; NULL: not added */
	GHashTable *conns;                 /* set of rpc_conn, memory references */
	struct admission admission;
	GPtrArray *listeners; /* of struct listener, owned */
	gsize buffered;       /* atomic: message bytes of all connections that handlers have not taken */
	size_t open_calls;
	GHashTable *health_watchers; /* set of rpc_call, borrowed: kicked when the serving state changes; mu */
	bool not_serving;            /* mu */
	bool large_headers;
	bool stopping;
	int port;
	tracer *tracer;            /* ref; NULL: calls are not traced */
	const char *recorded_path; /* borrowed; of the method that begins a trace in any case; NULL: none */
	trace_span *span;          /* ref; current in handlers of calls that are not traced; NULL: none */
	void (*hook)(const char *path, const GError *error, void *data);
	void *hook_data;
	void (*refused_hook)(const char *peer, const char *reason, void *data);
	void *refused_data;
};

/* ---- server.c */
/* Serves a stream; NULL with an error if the server is stopping. Takes the peer. */
rpc_conn *server_add_stream(rpc_server *s, struct stream *stream, struct peer *peer, GError **error);
/*
 * Thread: the loop's. Closes a connection without calls, of this source or (NULL) of any: one that has not finished its
 * preface, or the one idle for longest, preferring the source with the most connections. False if there is none.
 */
bool server_make_room(rpc_server *s, const char *source);
/* Ends a call with the packed reply (taken, may be NULL) and the status. Call without locks. */
void server_answer(rpc_call *call, uint8_t *packed, size_t n, const GError *error);
char **server_services(rpc_server *s);
bool server_has_service(rpc_server *s, const char *name);
void server_add_health_watcher(rpc_server *s, rpc_call *call);
void server_remove_health_watcher(rpc_server *s, rpc_call *call);

/* ---- reflection.c */
void reflection_free(struct rpc_reflection *r);

/* ---- listener.c */
/* Stops accepting; the sockets are closed when it returns. Takes no connection locks. */
void listeners_close(rpc_server *s);
