/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

/* Maximum consecutive reads before other connections are served. */
#define READ_ROUNDS 16
#define HEADER_BLOCK_US (LIMIT_PREFACE_MS * 1000)
/* Of a client, for a server that stopped answering. */
#define PROBE_US (20 * G_USEC_PER_SEC)
#define PING_INTERVAL_US (300 * G_USEC_PER_SEC)

static void conn_destroy(void *data)
{
	rpc_conn *c = data;
	loop_timer_clear(c->loop, &c->timer);
	nghttp2_session_del(c->session);
	header_filter_free(c->headers);
	c->stream->class->free(c->stream);
	g_hash_table_unref(c->calls);
	g_byte_array_unref(c->pending);
	g_clear_error(&c->error);
	cancel_unref(c->closed);
	g_free(c->authority);
	g_free(c->traced);
	peer_clear(&c->peer);
	g_mutex_clear(&c->mu);
	g_free(c);
}

rpc_conn *conn_keep(rpc_conn *c)
{
	g_atomic_int_inc(&c->refs);
	return c;
}

void conn_release(rpc_conn *c)
{
	if (g_atomic_int_dec_and_test(&c->refs))
		loop_post(c->loop, conn_destroy, c);
}

rpc_conn *rpc_conn_ref(rpc_conn *c)
{
	g_atomic_int_inc(&c->users);
	return c;
}

void rpc_conn_unref(rpc_conn *c)
{
	if (!c || !g_atomic_int_dec_and_test(&c->users))
		return;
	rpc_conn_close(c);
	conn_release(c);
}

cancel *rpc_conn_closed(rpc_conn *c)
{
	return c->closed;
}

/* ---- closing */

/* On the loop's thread, where external callbacks may run. */
static void announce_end(void *data)
{
	rpc_conn *c = data;
	g_mutex_lock(&c->mu);
	g_autofree char *text = g_strdup(c->error->message);
	bool refused = c->refused;
	g_mutex_unlock(&c->mu);
	if (refused && c->server && c->peer.label && c->server->refused_hook)
		c->server->refused_hook(c->peer.label, text, c->server->refused_data);
	loop_timer_clear(c->loop, &c->timer);
	cancel_set(c->closed, ERROR_UNAVAILABLE, text);
	if (c->server)
		server_closed(c->server, c);
	conn_release(c);
}

void conn_fail(rpc_conn *c, GError *error)
{
	if (c->dead) {
		g_clear_error(&error);
		return;
	}
	c->dead = true;
	c->error = error;
	g_autoptr(GList) calls = g_hash_table_get_values(c->calls);
	for (GList *l = calls; l; l = l->next)
		call_end(l->data, g_error_copy(error));
	c->stream->class->close(c->stream);
	conn_keep(c);
	loop_post(c->loop, announce_end, c);
}

static void conn_lost(rpc_conn *c, enum error_code code, const char *text)
{
	conn_fail(c, g_error_new_literal(error_domain(), (int)code, text));
}

void conn_note_failure(rpc_conn *c)
{
	c->refused |= !c->ready && c->stream->heard;
}

static void conn_refuse(rpc_conn *c, enum error_code code, const char *text)
{
	c->refused = true;
	conn_lost(c, code, text);
}

static gint now_ms(void)
{
	return (gint)(guint)(g_get_monotonic_time() / 1000);
}

void conn_note_activity(rpc_conn *c)
{
	if (c->peer.slot == SLOT_NONE)
		return;
	enum activity is = g_hash_table_size(c->calls) > 0 ? ACTIVITY_BUSY
			   : c->ready                      ? ACTIVITY_IDLE
							   : ACTIVITY_OPENING;
	if ((gint)is == g_atomic_int_get(&c->activity))
		return;
	g_atomic_int_set(&c->activity_ms, now_ms());
	g_atomic_int_set(&c->activity, (gint)is);
	if (is == ACTIVITY_IDLE)
		conn_wake_at(c, g_get_monotonic_time() + LIMIT_IDLE_MS * 1000);
}

/* Call with mu held. */
static void close_with_goaway(rpc_conn *c, const char *why)
{
	nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
	conn_pump(c);
	conn_lost(c, ERROR_UNAVAILABLE, why);
}

bool conn_close_idle(rpc_conn *c, const char *why)
{
	g_mutex_lock(&c->mu);
	bool idle = !c->dead && g_hash_table_size(c->calls) == 0;
	if (idle)
		close_with_goaway(c, why);
	g_mutex_unlock(&c->mu);
	return idle;
}

/* Time at which a connection without calls is closed; 0: never. */
static gint64 idle_deadline_us(const rpc_conn *c, gint64 now)
{
	if (c->peer.slot == SLOT_NONE || g_atomic_int_get(&((rpc_conn *)c)->activity) != ACTIVITY_IDLE)
		return 0;
	gint idle_ms = (gint)((guint)now_ms() - (guint)g_atomic_int_get(&((rpc_conn *)c)->activity_ms));
	return now + (LIMIT_IDLE_MS - idle_ms) * 1000;
}

void rpc_conn_close(rpc_conn *c)
{
	g_mutex_lock(&c->mu);
	if (!c->dead) {
		nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
		conn_pump(c);
		conn_lost(c, ERROR_CANCELED, "the client connection is closing");
	}
	g_mutex_unlock(&c->mu);
}

void conn_drain(rpc_conn *c)
{
	g_mutex_lock(&c->mu);
	if (!c->dead && !c->draining) {
		c->draining = true;
		nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
				      nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL, 0);
		conn_pump(c);
	}
	g_mutex_unlock(&c->mu);
}

/* ---- input */

/* Names the protocol of a client that does not start with HTTP/2's preface. */
static const char *other_protocol(const rpc_conn *c)
{
	if (c->n_first == 2 && c->first[0] == 0x16 && c->first[1] == 0x03)
		return "the client uses TLS, but this address does not";
	if (c->n_first > 0 && g_ascii_isupper(c->first[0]) && c->first[0] != 'P')
		return "the client uses HTTP/1, not HTTP/2";
	return "the client does not begin with the HTTP/2 preface";
}

static bool to_session(void *conn, const uint8_t *bytes, size_t n, GError **error)
{
	rpc_conn *c = conn;
	ssize_t used = nghttp2_session_mem_recv(c->session, bytes, n);
	if (used >= 0)
		return true;
	const char *why = c->fault ? c->fault : nghttp2_strerror((int)used);
	if (used == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		why = other_protocol(c);
	c->refused = true;
	return error_set(error, ERROR_UNAVAILABLE, "error reading from %s: %s", c->server ? "client" : "server", why);
}

bool conn_input(rpc_conn *c, const uint8_t *bytes, size_t n, GError **error)
{
	for (size_t i = 0; i < n && c->n_first < sizeof(c->first); i++)
		c->first[c->n_first++] = bytes[i];
	return c->headers ? header_filter_pass(c->headers, bytes, n, to_session, c, error)
			  : to_session(c, bytes, n, error);
}

static bool read_once(rpc_conn *c)
{
	g_autoptr(GError) error = NULL;
	struct slice bytes = {0};
	switch (c->stream->class->read(c->stream, &bytes, &error)) {
	case STREAM_AGAIN:
		return false;
	case STREAM_END:
		c->refused = !c->ready && c->n_first > 0;
		conn_lost(c, ERROR_UNAVAILABLE,
			  c->server ? "error reading from client: EOF" : "error reading from server: EOF");
		return false;
	case STREAM_FAILED:
		conn_note_failure(c);
		conn_fail(c, g_error_new(error_domain(), ERROR_UNAVAILABLE, "error reading from %s: %s",
					 c->server ? "client" : "server", error->message));
		return false;
	case STREAM_OK:
		break;
	}
	c->input_us = g_get_monotonic_time();
	c->ping_us = 0;
	if (!conn_input(c, bytes.ptr, bytes.len, &error)) {
		conn_pump(c); /* sends the GOAWAY with the reason */
		if (!c->dead)
			conn_fail(c, g_steal_pointer(&error));
		return false;
	}
	return !c->dead && !c->stream->drained;
}

static void on_ready(void *data);

static void read_on(void *data)
{
	rpc_conn *c = data;
	g_mutex_lock(&c->mu);
	c->posted = false;
	g_mutex_unlock(&c->mu);
	on_ready(c);
	conn_release(c);
}

static void on_ready(void *data)
{
	rpc_conn *c = data;
	bool more = true;
	for (int round = 0; more && round < READ_ROUNDS; round++) {
		/* Unlock in between: senders and readers of the calls wait for mu. */
		g_mutex_lock(&c->mu);
		more = !c->dead && read_once(c);
		if (!c->dead)
			conn_pump(c);
		if (!c->dead && !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))
			conn_lost(c, ERROR_UNAVAILABLE, c->fault ? c->fault : "connection closed");
		if (!c->dead && more && round == READ_ROUNDS - 1 && !c->posted) {
			c->posted = true;
			loop_post(c->loop, read_on, conn_keep(c));
		}
		g_mutex_unlock(&c->mu);
	}
}

/* ---- time */

static gint64 earlier(gint64 a, gint64 b)
{
	return !a ? b : !b ? a : MIN(a, b);
}

void conn_wake_at(rpc_conn *c, gint64 at_us)
{
	if (c->dead || (c->wake_us && c->wake_us <= at_us))
		return;
	c->wake_us = at_us;
	loop_timer_set(c->loop, &c->timer, at_us);
}

static void expire_calls(rpc_conn *c, gint64 now)
{
	g_autoptr(GList) calls = g_hash_table_get_values(c->calls);
	c->deadline_us = 0;
	for (GList *l = calls; l; l = l->next) {
		rpc_call *call = l->data;
		if (!call->deadline_us)
			continue;
		if (call->deadline_us > now) {
			c->deadline_us = earlier(c->deadline_us, call->deadline_us);
			continue;
		}
		call->deadline_us = 0;
		GError *error =
			g_error_new_literal(error_domain(), ERROR_DEADLINE_EXCEEDED, "context deadline exceeded");
		if (!call->is_server) {
			call_reset(call, error);
			continue;
		}
		/* The handler sends the status; here only its waiting ends. */
		call->aborted = true;
		if (!call->recv_error)
			call->recv_error = error;
		else
			g_error_free(error);
		call_set_token(call, ERROR_DEADLINE_EXCEEDED, "context deadline exceeded");
		g_cond_broadcast(&call->recv_cond);
		g_cond_broadcast(&call->send_cond);
		if (call->method && call->method->turn)
			turns_notify(call);
		if (!call->dispatched)
			call_respond(call, call->recv_error);
	}
}

/*
 * A server that is frozen keeps its connections: it is pinged once it has been silent for answer_us during a call, and
 * given up if nothing comes in PROBE_US, the time that grpc-go gives. grpc-go closes connections of clients that ping more
 * often than every five minutes.
 */
static gint64 probe_server(rpc_conn *c, gint64 now)
{
	if (!c->answer_us || !c->ready)
		return 0;
	if (c->ping_us && now - c->ping_us >= PROBE_US) {
		conn_lost(c, ERROR_UNAVAILABLE, "the server stopped answering");
		return 0;
	}
	if (c->ping_us)
		return c->ping_us + PROBE_US;
	if (g_hash_table_size(c->calls) == 0)
		return now + c->answer_us;
	gint64 due = MAX(c->input_us + c->answer_us, c->next_ping_us);
	if (now < due)
		return due;
	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
	c->ping_us = now;
	c->next_ping_us = now + PING_INTERVAL_US;
	return now + PROBE_US;
}

/*
 * A peer on tcp can vanish: servers send a ping after silence, and close the connection if no data arrives for the same
 * time again.
 */
static gint64 keep_alive(rpc_conn *c, gint64 now)
{
	if (!c->server)
		return probe_server(c, now);
	gint64 idle_us = LIMIT_KEEPALIVE_MS * 1000;
	if (!c->stream->tcp)
		return 0;
	if (c->ping_us && now - c->ping_us >= idle_us) {
		conn_lost(c, ERROR_UNAVAILABLE, "keepalive ping not acknowledged");
		return 0;
	}
	if (!c->ping_us && now - c->input_us >= idle_us) {
		nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
		c->ping_us = now;
	}
	return (c->ping_us ? c->ping_us : c->input_us) + idle_us;
}

static void on_timer(void *data)
{
	rpc_conn *c = data;
	gint64 now = g_get_monotonic_time();
	g_mutex_lock(&c->mu);
	c->wake_us = 0;
	if (!c->dead && c->server && !c->ready && now - c->born_us >= LIMIT_PREFACE_MS * 1000)
		conn_refuse(c, ERROR_UNAVAILABLE, "no HTTP/2 preface in time");
	if (!c->dead && !c->ready && c->ready_by_us && now >= c->ready_by_us)
		conn_lost(c, ERROR_UNAVAILABLE, "the server accepted the connection and did not answer in time");
	if (!c->dead && c->block_us && now - c->block_us >= HEADER_BLOCK_US)
		conn_refuse(c, ERROR_UNAVAILABLE, "header block not finished in time");
	gint64 idle_until = c->dead ? 0 : idle_deadline_us(c, now);
	if (idle_until && idle_until <= now)
		close_with_goaway(c, "the connection was idle for too long");
	gint64 next = c->dead ? 0 : keep_alive(c, now);
	if (!c->dead) {
		expire_calls(c, now);
		next = earlier(next, c->deadline_us);
		if (c->server && !c->ready)
			next = earlier(next, c->born_us + LIMIT_PREFACE_MS * 1000);
		if (!c->ready)
			next = earlier(next, c->ready_by_us);
		if (c->block_us)
			next = earlier(next, c->block_us + HEADER_BLOCK_US);
		next = earlier(next, idle_until);
		next = earlier(next, budget_timer(c, now));
		conn_pump(c);
	}
	if (next)
		conn_wake_at(c, next);
	g_mutex_unlock(&c->mu);
}

/* ---- start */

rpc_conn *conn_new(rpc_loop *loop, struct stream *stream, rpc_server *server, const char *authority)
{
	rpc_conn *c = g_new0(rpc_conn, 1);
	c->users = c->refs = 1;
	c->loop = loop;
	c->server = server;
	c->stream = stream;
	c->authority = g_strdup(authority);
	c->scheme = "http";
	c->max_message = (size_t)LIMIT_MESSAGE_BYTES;
	g_mutex_init(&c->mu);
	c->calls = g_hash_table_new(NULL, NULL);
	c->pending = g_byte_array_new();
	c->closed = cancel_new(NULL);
	c->born_us = c->input_us = g_get_monotonic_time();
	c->glitches = (struct bucket){LIMIT_GLITCH_BURST, c->born_us};
	c->timer = (struct loop_timer){.fire = on_timer, .data = c};
	g_atomic_int_set(&c->activity_ms, now_ms());
	c->session = h2_session_new(c);
	return c;
}

bool conn_start(rpc_conn *c, GError **error)
{
	g_autoptr(GError) local = NULL;
	g_mutex_lock(&c->mu);
	h2_start(c);
	if (c->greeted) { /* it was sent already */
		const uint8_t *ignored;
		while (nghttp2_session_mem_send(c->session, &ignored) > 0)
			;
	}
	bool ok = stream_start(c->stream, on_ready, c, &local);
	if (ok) {
		conn_pump(c);
		if (c->server)
			conn_wake_at(c, c->born_us + LIMIT_PREFACE_MS * 1000);
		else if (c->ready_by_us)
			conn_wake_at(c, c->ready_by_us);
	} else {
		conn_fail(c, g_error_copy(local));
	}
	g_mutex_unlock(&c->mu);
	if (!ok)
		g_propagate_error(error, g_steal_pointer(&local));
	return ok;
}
