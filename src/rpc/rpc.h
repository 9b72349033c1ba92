/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc: gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), server and client.
 *
 *	rpc_loop *loop = rpc_loop_new(error);
 *	rpc_server *s = rpc_server_new(loop);
 *	rpc_server_add(s, methods, G_N_ELEMENTS(methods), data);
 *	rpc_server_listen(s, "unix:///run/x.sock", &options, error);
 *
 *	rpc_conn *c = rpc_connect(loop, "unix:///run/x.sock", &dial, cancel, error);
 *	reply = rpc_unary(c, "/pkg.Service/Method", NULL, request, &reply__descriptor, cancel, timeout_ms, error);
 *
 * One I/O thread (the loop) owns sockets, HTTP/2 sessions and timers and never blocks. The functions here block the
 * calling thread. Each server call runs its handler on a thread until it returns (at most LIMIT_CALL_THREADS, and
 * LIMIT_CONNECTION_THREADS per connection), or in turns, which use no thread while they wait. Taking a message returns
 * its window, so that a slow reader slows down its peer. A message is at most LIMIT_MESSAGE_BYTES. Calls are reference
 * counted; a call whose last reference is dropped without finish is reset.
 * Thread: any but the loop's, unless stated otherwise. Each direction of a call belongs to one thread at a time.
 */
#pragma once
#include "base/cancel.h"
#include "trace/trace.h"
#include <protobuf-c/protobuf-c.h>
#include <sys/types.h>

typedef struct rpc_loop rpc_loop;
typedef struct rpc_server rpc_server;
typedef struct rpc_conn rpc_conn;
typedef struct rpc_call rpc_call;

/* Ignores SIGPIPE in this process unless it has a handler. Errors: RESOURCE_EXHAUSTED and errno codes. */
rpc_loop *rpc_loop_new(GError **error);
void rpc_loop_free(rpc_loop *loop); /* all servers and connections must be closed */

/* ---- metadata: repeated (name, value) pairs; names are lower-case; "-bin" values are raw bytes in this API */
typedef struct rpc_metadata rpc_metadata;
rpc_metadata *rpc_metadata_new(void);
void rpc_metadata_free(rpc_metadata *md);
void rpc_metadata_add(rpc_metadata *md, const char *name, const char *value);
const char *rpc_metadata_get(const rpc_metadata *md, const char *name); /* the first value, or NULL */
char **rpc_metadata_get_all(const rpc_metadata *md, const char *name);  /* g_strfreev, never NULL */
/* Returns the i-th pair; false beyond the end. */
bool rpc_metadata_at(const rpc_metadata *md, size_t i, const char **ret_name, const char **ret_value);

/* ---- TLS, on tcp and fd listeners */
struct rpc_tls {
	const char *ca_file; /* server: require and verify client certificates; client: CA to trust */
	const char *cert_file;
	const char *key_file;
	const char *server_name; /* client: expected name in the certificate and :authority */
};

/* ---- server */

/* A unary handler returns a newly allocated message (rpc calls guard_free), or NULL with an error. */
typedef ProtobufCMessage *(*rpc_unary_fn)(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
/* A streaming handler receives and sends; returning true gives status OK. */
typedef bool (*rpc_stream_fn)(rpc_call *call, void *data, GError **error);

/*
 * A handler that uses no thread while it waits. It runs on a few threads shared by all such calls: first when the first
 * message of the request was received (headers_only: when the headers were), then after every rpc_call_kick, never
 * concurrently, and not after the call has ended. It must not wait for a peer: it takes messages with rpc_call_poll and
 * sends with rpc_call_offer while rpc_call_has_room. *state belongs to the handler, initially NULL; free_state runs
 * when the call is over, however it ended, and must stop all sources of kicks.
 */
enum rpc_turn { RPC_TURN_WAIT, RPC_TURN_OK, RPC_TURN_FAILED };
typedef enum rpc_turn (*rpc_turn_fn)(rpc_call *call, void **state, void *data, GError **error);

struct rpc_method {
	const char *path;                          /* "/moby.buildkit.v1.Control/Solve" */
	const ProtobufCMessageDescriptor *request; /* unary; for a stream: run it after its single request */
	rpc_unary_fn unary;                        /* exactly one of the three is set */
	rpc_stream_fn stream;
	rpc_turn_fn turn;
	void (*free_state)(void *state, void *data);
	bool headers_only;
};

rpc_server *rpc_server_new(rpc_loop *loop);
/*
 * Accepts header lists of 4 MiB with any number of fields instead of the limits of docs/limits.md, for a server whose
 * peer is trusted: a daemon sends every pattern of a .dockerignore as a header field. Call before the first connection.
 */
void rpc_server_take_large_headers(rpc_server *s);
/*
 * The table is borrowed for the server's lifetime. An unknown method gets UNIMPLEMENTED "unknown method X for service
 * Y".
 */
void rpc_server_add(rpc_server *s, const struct rpc_method *methods, size_t n, void *data);
/* Adds grpc.health.v1 (Check, List, Watch): the serving state for "" and every added service. */
void rpc_server_add_health(rpc_server *s);
/* Adds grpc.reflection.v1 and v1alpha: the names of the added services, and the descriptors of those in api/services. */
void rpc_server_add_reflection(rpc_server *s);
/* Sets the state that the health service reports; initially SERVING. Calls are served in either state. */
void rpc_server_set_serving(rpc_server *s, bool serving);
bool rpc_server_is_serving(rpc_server *s);

struct rpc_listen_options {
	const struct rpc_tls *tls;
	mode_t socket_mode; /* 0: 0660 */
	uid_t uid;
	gid_t gid;
};

/* address: unix://PATH, tcp://HOST:PORT. A socket in use is never replaced; a stale one is. */
bool rpc_server_listen(rpc_server *s, const char *address, const struct rpc_listen_options *options, GError **error);
/* Serves a listening socket, e.g. from systemd; the server owns it on success. */
bool rpc_server_listen_fd(rpc_server *s, int fd, const struct rpc_tls *tls, GError **error);
/* Returns the port of the first tcp listener, for tests that listen on port 0. */
int rpc_server_port(const rpc_server *s);
/*
 * Serves one connection over a byte pipe (a frontend image's stdio, a socketpair). Takes the fds, which may be the
 * same; the caller owns the returned reference. NULL: the fds cannot be polled.
 */
rpc_conn *rpc_server_attach(rpc_server *s, int fd_in, int fd_out);
/*
 * Serves HTTP/2 inside a call whose messages are BytesMessage{1 data} (the client side of Control.Session). Blocks
 * until the tunnel ends.
 */
bool rpc_server_serve_tunnel(rpc_server *s, rpc_call *call, GError **error);
/* Invoked once per failed unary call, on a separate thread. May be NULL. The daemon logs one line per failure. */
void rpc_server_set_error_hook(rpc_server *s, void (*hook)(const char *path, const GError *error, void *data),
			       void *data);
/*
 * Called on the loop's thread for each connection of a listener that is refused or closed because of the peer: source
 * ("uid 1000 (pid 7)", "192.0.2.1:4711") and reason. It must not block.
 */
void rpc_server_set_refused_hook(rpc_server *s, void (*hook)(const char *peer, const char *reason, void *data),
				 void *data);
/*
 * Traces calls that clients trace, all calls if the tracer exports spans, and calls of the method recorded_path (borrowed;
 * NULL: none): the span is current while a unary or stream handler runs. Before the first connection.
 */
void rpc_server_set_tracer(rpc_server *s, tracer *t, const char *recorded_path);
/* The span that is current in handlers of calls that are not traced, or NULL. Before the first connection. */
void rpc_server_set_span(rpc_server *s, trace_span *span);
/* Waits until all connections have ended, at most timeout_ms. */
void rpc_server_wait_disconnected(rpc_server *s, int timeout_ms);
/* Refuses new calls (UNAVAILABLE), waits at most grace_ms for running ones, then cancels them and waits. */
void rpc_server_stop(rpc_server *s, int grace_ms);
void rpc_server_free(rpc_server *s);
/* Returns counters for debug info. */
size_t rpc_server_open_calls(const rpc_server *s);

/* ---- client */
struct rpc_dial_options {
	const struct rpc_tls *tls;
	const char *authority; /* NULL: "localhost" */
	/*
	 * Until the server is connected and has sent its settings. Later, a server that is silent for as long during a
	 * call is pinged and given up after 20 s without an answer (UNAVAILABLE). 0: no limit.
	 */
	int timeout_ms;
};

/* address: unix://PATH, tcp://HOST:PORT. Errors: UNAVAILABLE. */
rpc_conn *rpc_connect(rpc_loop *loop, const char *address, const struct rpc_dial_options *options, cancel *c,
		      GError **error);
/* Connects over a byte pipe, e.g. the stdio of a helper program; owns the fds (they may be the same fd). */
rpc_conn *rpc_connect_fds(rpc_loop *loop, int fd_in, int fd_out, const char *authority, GError **error);
/*
 * Connects inside a call whose messages are BytesMessage{1 data} (the daemon side of Control.Session). The tunnel
 * always reads the outer stream; only the inner windows apply flow control, so that no transfer can block another.
 */
rpc_conn *rpc_connect_tunnel(rpc_call *call, GError **error);
/*
 * Sends the first bytes of such a connection, so that rpc_connect_tunnel can be called later: an unused tunnel then
 * needs no HTTP/2 session, and the peer, which waits some seconds for these bytes, keeps it open. Does not block.
 */
bool rpc_tunnel_greet(rpc_call *call, GError **error);
/* Calls of threads with a current span are traced and pass it on. address: the server's name in their spans. */
void rpc_conn_trace(rpc_conn *c, const char *address);
rpc_conn *rpc_conn_ref(rpc_conn *c);
void rpc_conn_unref(rpc_conn *c); /* the last one closes it and cancels its calls */
void rpc_conn_close(rpc_conn *c);
/* Set when the connection is closed. Borrowed from the connection. */
cancel *rpc_conn_closed(rpc_conn *c);

/* Starts a call. md is borrowed. timeout_ms 0: no deadline. Setting parent cancels the call. */
rpc_call *rpc_call_start(rpc_conn *c, const char *path, const rpc_metadata *md, cancel *parent, int timeout_ms,
			 GError **error);
/* Sends one request and returns the reply (guard_free). Errors carry the peer's code, text and details. */
void *rpc_unary(rpc_conn *c, const char *path, const rpc_metadata *md, const void *request,
		const ProtobufCMessageDescriptor *reply, cancel *parent, int timeout_ms, GError **error);
/* Client: waits for the trailers (messages not taken yet are dropped); false with the status as error unless OK. */
bool rpc_call_finish(rpc_call *call, GError **error);

/* ---- client and server calls */
rpc_call *rpc_call_ref(rpc_call *call);
void rpc_call_unref(rpc_call *call);
const char *rpc_call_path(const rpc_call *call);
/* Request metadata (server), initial response metadata (client; blocks until it is received). Borrowed. */
const rpc_metadata *rpc_call_metadata(rpc_call *call);
/*
 * Server: adds initial response metadata; call it before the first message. rpc_call_send_headers sends it immediately.
 */
void rpc_call_add_header(rpc_call *call, const char *name, const char *value);
bool rpc_call_send_headers(rpc_call *call, GError **error);
/* Set when the peer resets the call, the connection ends or the deadline passes. Borrowed. */
cancel *rpc_call_cancel(rpc_call *call);
/* Ends the call from this side: sends RST_STREAM, and everything that blocks in it returns CANCELED. */
void rpc_call_abort(rpc_call *call);

/*
 * Returns the next message; NULL without an error at the end of the stream (client: status OK), NULL with an error
 * otherwise. Blocks. The bytes are the protobuf message without gRPC's prefix.
 */
GBytes *rpc_call_recv(rpc_call *call, GError **error);
/*
 * Appends all received messages (of GBytes *) to the empty queue ret, and waits for the first one. False at the end of
 * the stream or with an error.
 */
bool rpc_call_recv_all(rpc_call *call, GQueue *ret, GError **error);
void *rpc_call_recv_message(rpc_call *call, const ProtobufCMessageDescriptor *descriptor, GError **error);
/* Blocks while more than a window of bytes is unsent. */
bool rpc_call_send(rpc_call *call, const void *bytes, size_t n, GError **error);
/* Sends two parts of one message, so that a payload need not be copied behind its protobuf header. */
bool rpc_call_send_parts(rpc_call *call, const void *head, size_t n_head, const void *body, size_t n_body,
			 GError **error);
/* Sends n messages with one write; bytes has one after the other, sizes their lengths. */
bool rpc_call_send_many(rpc_call *call, const void *bytes, const uint32_t *sizes, size_t n, GError **error);
bool rpc_call_send_message(rpc_call *call, const void *message, GError **error);

/* ---- turns (server): none of these functions block */
/* Makes the handler run again soon. Thread: any, with any lock; from the first run until free_state returns. */
void rpc_call_kick(rpc_call *call);
/* The same at at_us (g_get_monotonic_time) or earlier. */
void rpc_call_kick_at(rpc_call *call, gint64 at_us);
/* Returns the next message. NULL without an error: none yet, or (ret_end) no more. */
GBytes *rpc_call_poll(rpc_call *call, bool *ret_end, GError **error);
/* Reports whether a message may be offered; if not, the call is kicked once it may. */
bool rpc_call_has_room(rpc_call *call);
/* Queues a copy of a message. */
bool rpc_call_offer(rpc_call *call, const void *bytes, size_t n, GError **error);

/* ---- unary calls without waiting (client) */
/* ended(data) runs once when the call has ended, on any thread with locks held: it may only kick. */
rpc_call *rpc_unary_begin(rpc_conn *conn, const char *path, const void *request, int timeout_ms,
			  void (*ended)(void *data), void *data, GError **error);
bool rpc_unary_has_ended(rpc_call *call);
/* After the end: reports whether it succeeded and drops the reply. ended is not called afterwards. */
bool rpc_unary_end(rpc_call *call, GError **error);

/* ---- ends of calls */
/* Half-close (client). */
bool rpc_call_close_send(rpc_call *call, GError **error);

/* ---- status: GError to google.rpc.Status and back, details as Any{github.com/moby/buildkit/<type>+json, json} */
GBytes *rpc_status_pack(const GError *error);
GError *rpc_status_unpack(const uint8_t *bytes, size_t n); /* NULL for code OK */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(rpc_metadata, rpc_metadata_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(rpc_conn, rpc_conn_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(rpc_call, rpc_call_unref)
