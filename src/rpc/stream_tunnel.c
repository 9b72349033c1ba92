/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_tunnel: transports the bytes of an HTTP/2 connection as BytesMessage{1 data} messages of another call.
 *
 * The outer call reports messages and free space by posting tunnel_run, so that the inner connection is entered only
 * from the loop or from its own users, with its lock taken before the outer one. Outer messages are always taken;
 * output is accepted while the outer call holds less than OUT_BYTES.
 */
#include "rpc/conn.h"
#include "api/guard.h"
#include "api/wire.h"
#include "filesync.pb-c.h"

#define OUT_BYTES ((size_t)512 * 1024)

struct tunnel {
	struct stream base;
	gint refs;
	gint scheduled;                   /* atomic */
	gint closed;                      /* atomic */
	rpc_call *call;                   /* ref */
	GBytes *message;                  /* owned: of the last read */
	Filesync__BytesMessage *unpacked; /* owned: set if the message has an unusual encoding */
	bool wants_room;                  /* outer mu */
};

static void tunnel_unref(struct tunnel *t)
{
	if (!g_atomic_int_dec_and_test(&t->refs))
		return;
	g_clear_pointer(&t->message, g_bytes_unref);
	guard_free(t->unpacked);
	rpc_call_unref(t->call);
	g_free(t);
}

static void tunnel_run(void *data)
{
	struct tunnel *t = data;
	g_atomic_int_set(&t->scheduled, 0);
	if (!g_atomic_int_get(&t->closed))
		t->base.ready(t->base.data);
	tunnel_unref(t);
}

void tunnel_notify(struct tunnel *t)
{
	const rpc_call *call = t->call;
	bool room = t->wants_room && call->out.bytes < OUT_BYTES / 2;
	bool input = call->messages.length > 0 || call->closed || call->remote_end || call->recv_error;
	if ((room || input) && g_atomic_int_compare_and_exchange(&t->scheduled, 0, 1)) {
		g_atomic_int_inc(&t->refs);
		loop_post(t->base.loop, tunnel_run, t);
	}
}

/* Returns the payload of the message, which nearly always has the usual encoding. */
static bool unwrap(struct tunnel *t, struct slice *ret, GError **error)
{
	gsize n;
	const uint8_t *p = g_bytes_get_data(t->message, &n);
	if (wire_read_bytes_message(p, n, &ret->ptr, &ret->len))
		return true;
	t->unpacked = guard_unpack(&filesync__bytes_message__descriptor, p, n, error);
	if (t->unpacked)
		*ret = (struct slice){t->unpacked->data.data, t->unpacked->data.len};
	return t->unpacked;
}

static enum stream_state tunnel_read(struct stream *base, struct slice *ret, GError **error)
{
	struct tunnel *t = (struct tunnel *)base;
	rpc_conn *outer = t->call->conn;
	g_clear_pointer(&t->message, g_bytes_unref);
	guard_free(g_steal_pointer(&t->unpacked));
	g_mutex_lock(&outer->mu);
	t->message = call_take(t->call);
	bool end = t->call->closed || t->call->remote_end || t->call->recv_error;
	if (t->message && !outer->dead && nghttp2_session_want_write(outer->session))
		conn_pump(outer);
	g_mutex_unlock(&outer->mu);
	if (!t->message)
		return end ? STREAM_END : STREAM_AGAIN;
	return unwrap(t, ret, error) ? STREAM_OK : STREAM_FAILED;
}

static uint8_t *wrap(const struct iovec *iov, int n, size_t total, size_t *ret_len)
{
	uint8_t *message = g_malloc(total + WIRE_HEAD_BYTES);
	size_t at = wire_put_head(message, 1, total);
	for (int i = 0; i < n; i++) {
		memcpy(message + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	*ret_len = at;
	return message;
}

static ssize_t push(struct tunnel *t, const struct iovec *iov, int n, size_t total, GError **error)
{
	rpc_call *call = t->call;
	if (call->closed || call->out_end) {
		error_set(error, ERROR_UNAVAILABLE, "the session is closed");
		return -1;
	}
	t->wants_room = t->base.blocked = call->out.bytes >= OUT_BYTES;
	if (t->wants_room || total == 0)
		return 0;
	size_t len;
	uint8_t *message = wrap(iov, n, total, &len);
	call_push_owned(call, message, len);
	conn_pump(call->conn);
	return (ssize_t)total;
}

static ssize_t tunnel_write(struct stream *base, const struct iovec *iov, int n, GError **error)
{
	struct tunnel *t = (struct tunnel *)base;
	size_t total = 0;
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	g_mutex_lock(&t->call->conn->mu);
	ssize_t taken = push(t, iov, n, total, error);
	g_mutex_unlock(&t->call->conn->mu);
	return taken;
}

static bool tunnel_start(struct stream *base, GError **error)
{
	struct tunnel *t = (struct tunnel *)base;
	rpc_call *call = t->call;
	g_mutex_lock(&call->conn->mu);
	call->tunnel = t;
	call->recv_waiting = true;
	call_give_back(call);
	/* Messages are never kept in the outer call. */
	call_set_window(call, call->conn->stream->far ? WINDOW_MAX_BYTES : WINDOW_NEAR_BYTES);
	tunnel_notify(t);
	conn_pump(call->conn);
	g_mutex_unlock(&call->conn->mu);
	return true;
}

static void tunnel_close(struct stream *base)
{
	struct tunnel *t = (struct tunnel *)base;
	rpc_call *call = t->call;
	g_atomic_int_set(&t->closed, 1);
	g_mutex_lock(&call->conn->mu);
	if (call->tunnel == t) {
		call->tunnel = NULL;
		call->recv_waiting = false;
	}
	g_mutex_unlock(&call->conn->mu);
}

static void tunnel_free(struct stream *base)
{
	tunnel_close(base);
	tunnel_unref((struct tunnel *)base);
}

static const struct stream_class tunnel_class = {tunnel_read, tunnel_write, tunnel_start, tunnel_close, tunnel_free};

struct stream *stream_tunnel_new(rpc_loop *loop, rpc_call *call)
{
	struct tunnel *t = g_new0(struct tunnel, 1);
	t->base = (struct stream){.class = &tunnel_class, .loop = loop, .far = call->conn->stream->far};
	t->refs = 1;
	t->call = rpc_call_ref(call);
	return &t->base;
}

bool rpc_tunnel_greet(rpc_call *call, GError **error)
{
	gsize n;
	const void *bytes = g_bytes_get_data(h2_greeting(), &n);
	struct iovec iov = {(void *)bytes, n};
	size_t len;
	uint8_t *message = wrap(&iov, 1, n, &len);
	g_mutex_lock(&call->conn->mu);
	bool open = !call->closed && !call->out_end;
	if (open) {
		call->greeted = true;
		call_push_owned(call, message, len);
		conn_pump(call->conn);
	} else {
		g_free(message);
	}
	g_mutex_unlock(&call->conn->mu);
	return open || error_set(error, ERROR_UNAVAILABLE, "the session is closed");
}
