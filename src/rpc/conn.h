/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn: an HTTP/2 connection and its calls, inside the room.
 *
 * Locks: conn->mu guards the connection, its nghttp2 session, its stream and all of its calls. Whoever has something to
 * send takes mu and writes to the socket itself (conn_pump); only what the socket does not take waits for the loop.
 * Input is read on the loop's thread alone. A tunnel's inner connection may lock the outer one, never the other way
 * round; callbacks of others (cancel tokens) are posted to the loop, so that none runs under mu.
 *
 * References: `users` are the public ones, whose end closes the connection; `refs` keep the memory (users count as
 * one, each call as one, each posted function as one), which the loop's thread frees.
 */
#pragma once
#include "base/limits.h"
#include "rpc/admission.h"
#include "rpc/frame.h"
#include "rpc/header_filter.h"
#include "rpc/metadata.h"
#include "rpc/stream.h"
#include <nghttp2/nghttp2.h>

/* Stream windows over a network grow up to this where the reader always keeps up: distance is then no brake. */
#define WINDOW_MAX_BYTES ((size_t)LIMIT_CONNECTION_WINDOW_BYTES)
/* Beyond this much unsent output of a connection each call may queue only a little more. */
#define UNSENT_BYTES ((size_t)MIB(16))
#define UNSENT_LITTLE_BYTES ((size_t)KIB(16))
/* nghttp2 takes no header field above 64 KiB, and loses the connection over one. */
#define FIELD_BYTES ((size_t)KIB(63))

/* A piece of output; the bytes are owned when `owned` is, borrowed from a blocked sender otherwise. */
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

/* Frames a second with a burst: limits.h L7. */
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
	/* All below: conn->mu. */
	bool closed;         /* out of conn->calls: nothing will be sent or received any more */
	bool remote_end;     /* END_STREAM came */
	bool dispatched;     /* server: a handler has it */
	bool aborted;        /* error overrides queued messages */
	bool recv_waiting;   /* a reader waits: partial messages give their window back */
	bool headers_sent;   /* server */
	bool headers_here;   /* client: initial metadata or the end */
	bool out_end;        /* nothing follows what is queued */
	bool has_provider;   /* a data provider was submitted */
	bool is_post;        /* server */
	int http_status;     /* client */
	char *content_type;  /* owned */
	char *encoding;      /* owned: grpc-encoding, NULL for identity */
	gint64 timeout_us;   /* server: as asked for */
	GError *error;       /* owned: how it ended, NULL for OK */
	GError *recv_error;  /* owned: server: the input is unusable */
	rpc_metadata *in;    /* owned: request metadata (server), initial response metadata (client) */
	rpc_metadata *extra; /* owned: headers to send (server), trailers (client) */
	size_t header_bytes;
	size_t header_fields;
	struct frame_reader reader;
	GQueue messages; /* of GBytes */
	size_t queued;   /* bytes in messages, with prefixes */
	size_t owed;     /* stream window not given back yet */
	size_t window;   /* stream window that the peer has of us */
	size_t kept_up;  /* bytes that found their reader waiting since the window grew */
	struct chunks out;
	GPtrArray *trailers; /* owned, of char *: name, value, name, value (server) */
	GCond recv_cond;
	bool recv_asleep; /* somebody waits for recv_cond and no message woke it: a signal costs a system call each */
	GCond send_cond;
	cancel *token;                   /* owned, made when asked for */
	gint64 deadline_us;              /* 0: none */
	struct tunnel *tunnel;           /* borrowed: told when there is something to read or room to write */
	const struct rpc_method *method; /* server */
	void *method_data;
	void (*ended)(void *data); /* client: rpc_unary_begin */
	void *ended_data;
	bool greeted; /* server: the beginning of the inner connection is sent */
	/* turns.c; not under mu */
	gint turn;        /* atomic: enum turn_phase */
	bool wants_room;  /* mu */
	void *turn_state; /* the handler's; the thread's whose turn it is */
	struct loop_timer turn_timer;
	/* Not under mu: set before the call is published. */
	cancel *parent; /* ref */
	guint parent_id;
};

/* Which connections may be closed to make room for others: those without calls. */
enum activity { ACTIVITY_OPENING, ACTIVITY_IDLE, ACTIVITY_BUSY };

struct rpc_conn {
	gint users;
	gint refs;
	rpc_loop *loop;
	rpc_server *server; /* borrowed: the server outlives its connections; NULL for clients */
	char *authority;    /* owned, client */
	const char *scheme;
	struct peer peer; /* owned; slot SLOT_NONE: not a listener's. The slot: server->mu once it is started */
	size_t max_message;
	GMutex mu;
	struct stream *stream;    /* owned */
	nghttp2_session *session; /* owned */
	header_filter *headers;   /* owned: between the stream and the session of a dialed connection; else NULL */
	GHashTable *calls;        /* id -> struct rpc_call; borrowed, but owned while a server call is not dispatched */
	GByteArray *pending;      /* what the stream did not take */
	size_t pending_at;
	struct batch *batch; /* the pump's, while it runs */
	size_t buffered;     /* message bytes that nobody took yet */
	guint threads;       /* server: calls of it that hold a thread */
	size_t unsent;       /* output of all calls that has not left */
	size_t withheld;     /* connection window not given back because of them */
	gint64 withheld_us;  /* since when; 0: nothing is */
	struct bucket glitches;
	gint64 deadline_us; /* the earliest of the calls, 0: none */
	gint64 born_us;
	gint64 ready_by_us; /* client: when the SETTINGS of the server must be here; 0: any time */
	gint64 input_us;    /* last time something came */
	gint64 ping_us;     /* a keepalive ping is out since, 0: none */
	gint64 block_us;    /* a header block is open since, 0: none */
	uint8_t first[2];   /* the first bytes that came */
	size_t n_first;
	const char *fault; /* static: why nghttp2 was told to give up; NULL: its own words */
	bool refused;      /* it ends because of what the peer did: for the refused hook */
	bool ready;        /* the peer's SETTINGS came */
	bool draining;     /* GOAWAY sent */
	bool dead;
	bool posted;    /* on_ready is posted to read on */
	GError *error;  /* owned: why dead */
	cancel *closed; /* owned */
	struct loop_timer timer;
	gint64 wake_us;   /* what the timer is set to, 0: not set */
	bool greeted;     /* client in a tunnel: h2_greeting is sent */
	bool server_user; /* the server holds the public reference */
	gint activity;    /* atomic: enum activity */
	gint activity_ms; /* atomic: since when, in wrapping milliseconds */
};

/* ---- conn.c */
/* Takes the stream, also on failure. server NULL: client. Not started yet. */
rpc_conn *conn_new(rpc_loop *loop, struct stream *stream, rpc_server *server, const char *authority);
bool conn_start(rpc_conn *c, GError **error);
rpc_conn *conn_keep(rpc_conn *c);
void conn_release(rpc_conn *c);
/* mu held. Takes the error. */
void conn_fail(rpc_conn *c, GError *error);
/* mu held: writes what there is to write. */
void conn_pump(rpc_conn *c);
/* mu held: the timer looks again no later than at_us. */
void conn_wake_at(rpc_conn *c, gint64 at_us);
/* mu held: notes whether there are calls. */
void conn_note_activity(rpc_conn *c);
/* Takes mu. Ends the connection, with GOAWAY, unless it has calls; false when it has, or is dead. */
bool conn_close_idle(rpc_conn *c, const char *why);
/* Takes mu. Says GOAWAY and refuses new streams. */
void conn_drain(rpc_conn *c);
/* mu held: feeds bytes to the HTTP/2 session. */
bool conn_input(rpc_conn *c, const uint8_t *bytes, size_t n, GError **error);

/* ---- h2.c */
nghttp2_session *h2_session_new(rpc_conn *c);
/* What a client's connection begins with: the preface, SETTINGS, WINDOW_UPDATE. Borrowed for ever. */
GBytes *h2_greeting(void);
void h2_start(rpc_conn *c);

/* ---- pump.c: one run of output */
struct batch {
	struct iovec iov[192];
	int n;
	size_t bytes;
	uint8_t arena[4096]; /* frame headers and small frames */
	size_t arena_used;
	struct chunk *done; /* freed behind the write */
};
bool batch_is_full(const struct batch *b);
void batch_add_copy(struct batch *b, const uint8_t *bytes, size_t n);
void batch_add_chunks(struct batch *b, struct chunks *from, size_t n);
void chunks_add(struct chunks *c, const void *data, size_t n, void *owned);
void chunks_clear(struct chunks *c);

/* ---- call.c */
rpc_call *call_new(rpc_conn *c, bool is_server, const char *path);
rpc_call *call_find(rpc_conn *c, int32_t id);
/* mu held, all of these. call_end: takes the error; nothing more happens on the wire. */
void call_end(rpc_call *call, GError *error);
/* Resets the stream, too. */
void call_reset(rpc_call *call, GError *error);
void call_give_back(rpc_call *call);
void call_set_window(rpc_call *call, size_t bytes);
void call_set_token(rpc_call *call, enum error_code code, const char *text);
void call_free_undispatched(rpc_call *call);
GBytes *call_take(rpc_call *call);
/* mu held. Sleeps until there is input or an end. */
void call_wait_input(rpc_call *call);
/* The input cannot be used. Takes the error. */
void call_input_failed(rpc_call *call, GError *error);
void call_received(rpc_call *call, const uint8_t *bytes, size_t n);
void call_submit_headers(rpc_call *call);
bool call_submit_request(rpc_call *call, const rpc_metadata *md, gint64 timeout_us, GError **error);
/* Server: an HTTP status without gRPC's. */
void call_refuse_http(rpc_call *call, const char *status);
/* Server: ends the call with a status, NULL for OK. */
void call_respond(rpc_call *call, const GError *error);
/* Appends an owned message body with its prefix; needs no room. The caller pumps. */
void call_push_owned(rpc_call *call, uint8_t *body, size_t n);

/* ---- status.c */
/* The text cut and details left out so that the whole is no longer than `room`. */
GBytes *status_pack_within(const GError *error, size_t room);

/* ---- client.c: mu held */
void client_headers_end(rpc_call *call, bool end_stream);
GError *client_reset_error(uint32_t code);

/* ---- server.c: mu held, but for server_closed and server_call_done */
void server_request(rpc_call *call, bool end_stream);
void server_data(rpc_call *call);
/* Whether the handler runs as soon as the first message is there, and that. */
bool server_starts_on_message(const rpc_call *call);
void server_start(rpc_call *call);
void server_closed(rpc_server *s, rpc_conn *c);
void server_call_done(rpc_server *s);

/* ---- budget.c: mu held */
void budget_more(rpc_conn *c, size_t n);
void budget_less(rpc_conn *c, size_t n);
/* n bytes of DATA came: gives the connection's window back, or withholds it. */
void budget_window(rpc_conn *c, size_t n);
/* Gives back what was withheld, once there is room. */
void budget_release(rpc_conn *c);
/* Whether a call that receives must be refused, and with what. */
bool budget_is_exceeded(const rpc_call *call);
bool budget_error(const rpc_call *call, GError **error);
/* Looks at a stalled connection; when to look again, 0: not. */
gint64 budget_timer(rpc_conn *c, gint64 now);

/* ---- turns.c */
/* mu held. The first turn; false and an error when no thread can be had. */
bool turns_begin(rpc_server *s, rpc_call *call, GError **error);
/* What the pool of a server runs. */
void turns_run(void *call, void *server);
/* mu held, when the call has ended or has room again. */
void turns_notify(rpc_call *call);

/* ---- stream_tunnel.c: mu of the outer connection held */
void tunnel_notify(struct tunnel *t);
