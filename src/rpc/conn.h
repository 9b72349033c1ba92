/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn: an HTTP/2 connection and its calls; private to this module.
 *
 * Locks: conn->mu guards the connection, its nghttp2 session, its stream and all of its calls. A thread that sends
 * takes mu and writes to the socket itself (conn_pump); only data that the socket does not accept waits for the loop.
 * Only the loop's thread reads. A tunnel's inner connection may lock the outer one, never the reverse; external
 * callbacks (cancel tokens) are posted to the loop, so that none runs under mu.
 *
 * Thread: any, unless a function says otherwise.
 *
 * References: `users` counts public references; dropping the last one closes the connection. `refs` keep the memory
 * (all users count as one, each call as one, each posted function as one); the loop's thread frees it.
 */
#pragma once
#include "base/limits.h"
#include "rpc/admission.h"
#include "rpc/frame.h"
#include "rpc/header_filter.h"
#include "rpc/metadata.h"
#include "rpc/stream.h"
#include "trace/trace.h"
#include <nghttp2/nghttp2.h>

/*
 * Maximum stream window over a network; windows grow if the reader keeps up, so that latency does not limit throughput.
 */
#define WINDOW_MAX_BYTES ((size_t)LIMIT_CONNECTION_WINDOW_BYTES)
/* The same on one machine, where a larger window means fewer changes between the threads of both sides. */
#define WINDOW_NEAR_BYTES (4 * (size_t)LIMIT_STREAM_WINDOW_BYTES)
/* If a connection has more unsent output than this, each call may queue only a little more. */
#define UNSENT_BYTES ((size_t)MIB(16))
#define UNSENT_LITTLE_BYTES ((size_t)KIB(16))
/* nghttp2 does not decode header fields above 64 KiB and closes the connection on one. */
#define FIELD_BYTES ((size_t)KIB(63))

/* A piece of output; the bytes are owned if `owned` is set, otherwise borrowed from a blocked sender. */
struct chunk {
	struct chunk *next;
	const uint8_t *data;
	size_t len;
	void *owned; /* g_free'd */
};

struct chunks {
	struct chunk *head;
	struct chunk *tail;
	size_t bytes;
};

/* Control frames per second, with a burst: limits.h L7. */
struct bucket {
	gint64 tokens;
	gint64 at_us;
};

struct tunnel;

struct rpc_call {
	gint refs;
	rpc_conn *conn; /* memory reference */
	bool is_server;
	int32_t id; /* HTTP/2 stream */
	char *path; /* owned */
	/* All members below: conn->mu. */
	bool closed;         /* removed from conn->calls: nothing will be sent or received */
	bool remote_end;     /* END_STREAM was received */
	bool dispatched;     /* server: a handler runs it */
	bool aborted;        /* error overrides queued messages */
	bool recv_waiting;   /* a reader waits: window is returned for partial messages */
	bool headers_sent;   /* server */
	bool headers_here;   /* client: initial metadata or the end was received */
	bool out_end;        /* the queued output is the last */
	bool is_post;        /* server */
	int http_status;     /* client */
	char *content_type;  /* owned */
	char *encoding;      /* owned: grpc-encoding, NULL for identity */
	gint64 timeout_us;   /* server: as requested by the client */
	GError *error;       /* owned: result, NULL for OK */
	GError *recv_error;  /* owned: server: the input is unusable */
	rpc_metadata *in;    /* owned: request metadata (server), initial response metadata (client) */
	rpc_metadata *extra; /* owned: headers to send (server), trailers (client) */
	size_t header_bytes;
	size_t header_fields;
	struct frame_reader reader;
	GQueue messages; /* of GBytes */
	size_t queued;   /* bytes in messages, with prefixes */
	size_t owed;     /* stream window not returned yet */
	size_t window;   /* current stream window of the peer */
	size_t kept_up;  /* bytes that arrived while a reader waited, since the window grew */
	struct chunks out;
	GPtrArray *trailers; /* owned, of char *: name, value, name, value (server) */
	GCond recv_cond;
	bool recv_asleep; /* a reader waits for recv_cond and must be signaled; saves system calls */
	GCond send_cond;
	cancel *token;                   /* owned, created on request */
	gint64 deadline_us;              /* 0: none */
	struct tunnel *tunnel;           /* borrowed: notified when there is data to read or space to write */
	const struct rpc_method *method; /* server */
	void *method_data;
	void (*ended)(void *data); /* client: rpc_unary_begin */
	void *ended_data;
	bool greeted;     /* server: the preface of the inner connection was sent */
	trace_span *span; /* owned; NULL: not traced. Server: set before the handler runs, cleared with the answer */
	/* turns.c; not under mu */
	gint turn;        /* atomic: enum turn_phase */
	bool wants_room;  /* mu; kick it when it may send */
	void *turn_state; /* owned by the handler; used by the thread that runs the turn */
	struct loop_timer turn_timer;
	/* Not under mu: set before the call becomes visible to other threads. */
	cancel *parent; /* ref */
	guint parent_id;
};

/* Whether a connection may be closed to admit another: only those without calls. */
enum activity { ACTIVITY_OPENING, ACTIVITY_IDLE, ACTIVITY_BUSY };

struct rpc_conn {
	gint users;
	gint refs;
	rpc_loop *loop;
	rpc_server *server; /* borrowed: the server outlives its connections; NULL for clients */
	char *authority;    /* owned, client */
	char *traced;       /* owned: of a client whose calls are traced: the server's name in their spans; mu */
	const char *scheme;
	struct peer peer; /* owned; slot SLOT_NONE: not of a listener. The slot is guarded by server->mu once started */
	size_t max_message;
	GMutex mu;
	struct stream *stream;    /* owned */
	nghttp2_session *session; /* owned */
	header_filter *headers;   /* owned: filters input of a dialed connection before the session; else NULL */
	GHashTable *calls;        /* id -> struct rpc_call; borrowed, but owned while a server call is not dispatched */
	GByteArray *pending;      /* output that the stream did not accept */
	size_t pending_at;
	struct batch *batch; /* of the pump, while it runs */
	size_t buffered;     /* message bytes that handlers have not taken yet */
	guint threads;       /* server: number of its calls that hold a thread */
	size_t unsent;       /* unsent output of all calls */
	size_t withheld;     /* connection window withheld because of the buffered bytes */
	gint64 withheld_us;  /* time since when; 0: not withheld */
	struct bucket glitches;
	gint64 deadline_us; /* the earliest deadline of the calls, 0: none */
	gint64 born_us;
	gint64 ready_by_us;  /* client: time limit for the server's SETTINGS; 0: none */
	gint64 input_us;     /* time of the last input */
	gint64 ping_us;      /* time of an unanswered keepalive ping, 0: none */
	gint64 answer_us;    /* of a client: silence during a call after which the server is pinged; 0: never */
	gint64 next_ping_us; /* of a client: not before */
	gint64 block_us;     /* time at which an unfinished header block began, 0: none */
	uint8_t first[2];    /* the first received bytes */
	size_t n_first;
	const char *fault; /* static: our reason for closing; NULL: nghttp2's error text */
	bool refused;      /* the peer caused the end: call the refused hook */
	bool peer_leaves;  /* a GOAWAY came that nghttp2 refuses: its answer is no refusal of the connection */
	bool ready;        /* the peer's SETTINGS were received */
	bool draining;     /* GOAWAY sent */
	bool dead;
	bool posted;    /* on_ready is posted to continue reading */
	GError *error;  /* owned: reason for closing */
	cancel *closed; /* owned */
	struct loop_timer timer;
	gint64 wake_us;   /* time of the timer, 0: not set */
	bool greeted;     /* client in a tunnel: h2_greeting was sent */
	bool server_user; /* the server holds the public reference */
	gint activity;    /* atomic: enum activity */
	gint activity_ms; /* atomic: since when, in milliseconds that wrap around */
};

/* ---- conn.c */
/* Takes the stream, even on failure. server NULL: client. Does not start it. */
rpc_conn *conn_new(rpc_loop *loop, struct stream *stream, rpc_server *server, const char *authority);
bool conn_start(rpc_conn *c, GError **error);
rpc_conn *conn_keep(rpc_conn *c);
void conn_release(rpc_conn *c);
/* Call with mu held. Takes the error. */
void conn_fail(rpc_conn *c, GError *error);
/*
 * Call with mu held, after a read or write failed: the peer is refused if it has sent bytes but no HTTP/2 settings. One
 * that connected and left, such as a probe, is not.
 */
void conn_note_failure(rpc_conn *c);
/* Call with mu held: makes the timer check again at at_us or earlier. */
void conn_wake_at(rpc_conn *c, gint64 at_us);
/* Call with mu held: records whether there are calls. */
void conn_note_activity(rpc_conn *c);
/* Takes mu. Closes the connection with GOAWAY unless it has calls; false if it has, or is closed already. */
bool conn_close_idle(rpc_conn *c, const char *why);
/* Takes mu. Sends GOAWAY and refuses new streams. */
void conn_drain(rpc_conn *c);
/* Call with mu held: passes bytes to the HTTP/2 session. */
bool conn_input(rpc_conn *c, const uint8_t *bytes, size_t n, GError **error);

/* ---- h2.c */
nghttp2_session *h2_session_new(rpc_conn *c);
/* The first bytes of a client's connection: the preface, SETTINGS, WINDOW_UPDATE. Static. */
GBytes *h2_greeting(void);
void h2_start(rpc_conn *c);

/* ---- pump.c: output */
/* Call with mu held: writes pending output. */
void conn_pump(rpc_conn *c);
struct batch {
	struct iovec iov[192];
	int n;
	size_t bytes;
	uint8_t arena[4096]; /* frame headers and small frames */
	size_t arena_used;
	struct chunk *done; /* freed after the write */
};
bool batch_is_full(const struct batch *b);
void batch_add_copy(struct batch *b, const uint8_t *bytes, size_t n);
void batch_add_chunks(struct batch *b, struct chunks *from, size_t n);
void chunks_add(struct chunks *c, const void *data, size_t n, void *owned);
void chunks_clear(struct chunks *c);

/* ---- call.c */
rpc_call *call_new(rpc_conn *c, bool is_server, const char *path);
rpc_call *call_find(rpc_conn *c, int32_t id);
/* All of these require mu. call_end takes the error; the call sends and receives nothing afterwards. */
void call_end(rpc_call *call, GError *error);
/* Also resets the stream. */
void call_reset(rpc_call *call, GError *error);
void call_give_back(rpc_call *call);
void call_set_window(rpc_call *call, size_t bytes);
void call_set_token(rpc_call *call, enum error_code code, const char *text);
GBytes *call_take(rpc_call *call);
/* Call with mu held. Waits until there is input or the call has ended. */
void call_wait_input(rpc_call *call);
/* Marks the input as invalid. Takes the error. */
void call_input_failed(rpc_call *call, GError *error);
void call_received(rpc_call *call, const uint8_t *bytes, size_t n);

/* ---- send.c: require mu */
bool call_submit_request(rpc_call *call, const rpc_metadata *md, gint64 timeout_us, GError **error);
/* Server: answers with an HTTP status without a gRPC status. */
void call_refuse_http(rpc_call *call, const char *status);
/* Server: ends the call with a status; NULL is OK. */
void call_respond(rpc_call *call, const GError *error);
/* Appends an owned message body with its prefix, without checking for space. The caller pumps. */
void call_push_owned(rpc_call *call, uint8_t *body, size_t n);

/* ---- status.c */
/*
 * The middle of a text that is too long is left out: its end has the reason of an error, its beginning the object. Each
 * part has this many bytes.
 */
#define STATUS_OMISSION " ... "
static inline size_t status_half(size_t room)
{
	return room > strlen(STATUS_OMISSION) ? (room - strlen(STATUS_OMISSION)) / 2 : 0;
}
/* Shortens the text and drops details, so that the result is no longer than `room`. */
GBytes *status_pack_within(const GError *error, size_t room);

/* ---- call_trace.c: require mu */
/* Begins the span of a call that a handler will run. */
void call_trace_server(rpc_call *call);
/* Begins the span of a call, and replaces *md by metadata with its context, owned by *ret_owned. */
void call_trace_client(rpc_call *call, const rpc_metadata **md, rpc_metadata **ret_owned);
/* error NULL: OK. Does not require mu on a server. */
void call_trace_end(rpc_call *call, const GError *error);

/* ---- client.c: require mu */
void client_headers_end(rpc_call *call, bool end_stream);
GError *client_reset_error(uint32_t code);

/* ---- server.c: require mu, except for server_closed and server_call_done */
void server_request(rpc_call *call, bool end_stream);
void server_data(rpc_call *call);
/* Reports whether the handler runs when the first message is there, and whether it is there. */
bool server_starts_on_message(const rpc_call *call);
void server_start(rpc_call *call);
void server_closed(rpc_server *s, rpc_conn *c);
void server_call_done(rpc_server *s);

/* ---- budget.c: require mu */
void budget_more(rpc_conn *c, size_t n);
void budget_less(rpc_conn *c, size_t n);
/* n bytes of DATA were received: returns the connection's window, or withholds it. */
void budget_window(rpc_conn *c, size_t n);
/* Returns the withheld window once there is space. */
void budget_release(rpc_conn *c);
/* Reports whether a receiving call must be refused, and with which error. */
bool budget_is_exceeded(const rpc_call *call);
bool budget_error(const rpc_call *call, GError **error);
/* Checks a stalled connection; returns the time of the next check, 0: none. */
gint64 budget_timer(rpc_conn *c, gint64 now);

/* ---- turns.c */
/* Call with mu held. Starts the first turn; false with an error if no thread is available. */
bool turns_begin(rpc_server *s, rpc_call *call, GError **error);
/* The function that the pool of a server runs. */
void turns_run(void *call, void *server);
/* Call with mu held, when the call has ended or may send again. */
void turns_notify(rpc_call *call);

/* ---- stream_tunnel.c: require mu of the outer connection */
void tunnel_notify(struct tunnel *t);
