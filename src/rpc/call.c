/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/conn.h"
#include "api/message.h"

rpc_call *call_new(rpc_conn *c, bool is_server, const char *path)
{
	rpc_call *call = g_new0(rpc_call, 1);
	call->refs = 1;
	call->conn = conn_keep(c);
	call->is_server = is_server;
	call->path = g_strdup(path);
	call->in = rpc_metadata_new();
	call->extra = rpc_metadata_new();
	call->reader.max = c->max_message;
	call->window = (size_t)LIMIT_STREAM_WINDOW_BYTES;
	g_queue_init(&call->messages);
	g_cond_init(&call->recv_cond);
	g_cond_init(&call->send_cond);
	return call;
}

static void call_free(rpc_call *call)
{
	rpc_conn *c = call->conn;
	frame_done(&call->reader);
	g_queue_clear_full(&call->messages, (GDestroyNotify)g_bytes_unref);
	chunks_clear(&call->out);
	g_clear_pointer(&call->trailers, g_ptr_array_unref);
	g_clear_error(&call->error);
	g_clear_error(&call->recv_error);
	rpc_metadata_free(call->in);
	rpc_metadata_free(call->extra);
	cancel_unref(call->token);
	cancel_unref(call->parent);
	trace_span_unref(call->span);
	g_cond_clear(&call->recv_cond);
	g_cond_clear(&call->send_cond);
	g_free(call->path);
	g_free(call->content_type);
	g_free(call->encoding);
	g_free(call);
	conn_release(c);
}

rpc_call *call_find(rpc_conn *c, int32_t id)
{
	return g_hash_table_lookup(c->calls, GINT_TO_POINTER(id));
}

rpc_call *rpc_call_ref(rpc_call *call)
{
	g_atomic_int_inc(&call->refs);
	return call;
}

void rpc_call_unref(rpc_call *call)
{
	if (!call || !g_atomic_int_dec_and_test(&call->refs))
		return;
	if (call->parent_id)
		cancel_remove(call->parent, call->parent_id);
	rpc_conn *c = call->conn;
	g_mutex_lock(&c->mu);
	if (!call->closed && call->is_server && call->out_end) {
		/* Finished, but part of its output is unsent: the connection keeps it until then. */
		g_atomic_int_set(&call->refs, 1);
		call->dispatched = false;
		g_mutex_unlock(&c->mu);
		return;
	}
	if (!call->closed) {
		call_reset(call, g_error_new_literal(error_domain(), ERROR_CANCELED, "context canceled"));
		conn_pump(c);
	}
	g_mutex_unlock(&c->mu);
	call_free(call);
}

const char *rpc_call_path(const rpc_call *call)
{
	return call->path;
}

/* ---- the end */

struct token_post {
	cancel *token; /* ref */
	enum error_code code;
	char *text; /* owned */
};

static void set_token_now(void *data)
{
	struct token_post *post = data;
	cancel_set(post->token, post->code, post->text);
	cancel_unref(post->token);
	g_free(post->text);
	g_free(post);
}

void call_set_token(rpc_call *call, enum error_code code, const char *text)
{
	if (!call->token || cancel_is_set(call->token))
		return;
	struct token_post *post = g_new0(struct token_post, 1);
	post->token = cancel_ref(call->token);
	post->code = code;
	post->text = g_strdup(text);
	loop_post(call->conn->loop, set_token_now, post);
}

cancel *rpc_call_cancel(rpc_call *call)
{
	g_mutex_lock(&call->conn->mu);
	const GError *why = call->error ? call->error : call->aborted ? call->recv_error : NULL;
	g_autoptr(GError) late = !call->token && why ? g_error_copy(why) : NULL;
	if (!call->token)
		call->token = cancel_new(NULL);
	g_mutex_unlock(&call->conn->mu);
	if (late)
		cancel_set(call->token, error_get_code(late), late->message);
	return call->token;
}

static void buffered_less(rpc_conn *c, size_t n)
{
	budget_less(c, n);
	budget_release(c);
}

void call_end(rpc_call *call, GError *error)
{
	rpc_conn *c = call->conn;
	if (call->closed) {
		g_clear_error(&error);
		return;
	}
	call->closed = call->headers_here = true;
	g_hash_table_remove(c->calls, GINT_TO_POINTER(call->id));
	conn_note_activity(c);
	buffered_less(c, call->queued + frame_partial(&call->reader));
	call->queued = call->owed = 0;
	call->deadline_us = 0;
	c->unsent -= call->out.bytes;
	chunks_clear(&call->out);
	if (call->is_server && !call->dispatched) {
		g_clear_error(&error);
		call_free(call);
		return;
	}
	if (!call->error)
		call->error = error;
	else
		g_clear_error(&error);
	if (!call->is_server)
		call_trace_end(call, call->error);
	if (call->error)
		call_set_token(call, error_get_code(call->error), call->error->message);
	g_cond_broadcast(&call->recv_cond);
	g_cond_broadcast(&call->send_cond);
	if (call->tunnel)
		tunnel_notify(call->tunnel);
	if (call->method && call->method->turn)
		turns_notify(call);
	if (call->ended)
		call->ended(call->ended_data);
}

void call_reset(rpc_call *call, GError *error)
{
	if (!call->closed && !call->conn->dead)
		nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_CANCEL);
	if (!call->closed)
		call->aborted = true;
	call_end(call, error);
}

void rpc_call_abort(rpc_call *call)
{
	g_mutex_lock(&call->conn->mu);
	call_reset(call, g_error_new_literal(error_domain(), ERROR_CANCELED, "context canceled"));
	conn_pump(call->conn);
	g_mutex_unlock(&call->conn->mu);
}

/* ---- receiving */

static void give_stream_back(rpc_call *call, size_t n)
{
	call->owed -= n;
	if (n && !call->closed && !call->conn->dead)
		nghttp2_session_consume_stream(call->conn->session, call->id, n);
}

void call_set_window(rpc_call *call, size_t bytes)
{
	rpc_conn *c = call->conn;
	call->kept_up = 0;
	if (call->closed || c->dead || bytes <= call->window)
		return;
	call->window = bytes;
	nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, call->id, (int32_t)bytes);
}

/* A reader that waits accepts the beginning of a message of any size; the rest waits until it is taken. */
void call_give_back(rpc_call *call)
{
	bool waiting = g_queue_is_empty(&call->messages) && call->recv_waiting;
	size_t keep = waiting ? 0 : call->queued + frame_partial(&call->reader);
	if (call->owed <= keep)
		return;
	if (waiting)
		call->kept_up += call->owed - keep;
	give_stream_back(call, call->owed - keep);
	size_t max = call->conn->stream->far ? WINDOW_MAX_BYTES : WINDOW_NEAR_BYTES;
	if (call->kept_up >= 4 * call->window && call->window < max)
		call_set_window(call, MIN(2 * call->window, max));
}

void call_input_failed(rpc_call *call, GError *error)
{
	frame_done(&call->reader);
	call->reader.prefix_len = call->reader.have = 0;
	if (!call->is_server) {
		call_reset(call, error);
		return;
	}
	call->aborted = true;
	if (!call->recv_error)
		call->recv_error = error;
	else
		g_error_free(error);
	if (!call->dispatched)
		call_respond(call, call->recv_error);
	g_cond_broadcast(&call->recv_cond);
}

static size_t queued_bytes(const rpc_call *call)
{
	size_t n = 0;
	for (const GList *l = call->messages.head; l; l = l->next)
		n += g_bytes_get_size(l->data) + FRAME_PREFIX;
	return n;
}

void call_received(rpc_call *call, const uint8_t *bytes, size_t n)
{
	rpc_conn *c = call->conn;
	GError *error = NULL;
	call->owed += n;
	if (call->recv_error || (call->is_server && call->out_end)) {
		give_stream_back(call, n);
		return;
	}
	size_t before = call->queued + frame_partial(&call->reader);
	guint messages = call->messages.length;
	bool ok = frame_feed(&call->reader, bytes, n, &call->messages, &error);
	budget_more(c, n);
	call->queued = before + n - frame_partial(&call->reader);
	if (ok && budget_is_exceeded(call))
		ok = budget_error(call, &error);
	if (!ok) {
		size_t whole = queued_bytes(call);
		buffered_less(c, before + n - whole); /* an invalid message no longer counts */
		call->queued = whole;
		call_input_failed(call, error);
		return;
	}
	call_give_back(call);
	if (call->messages.length == messages)
		return;
	if (call->is_server && call->method && !call->dispatched && server_starts_on_message(call)) {
		server_start(call);
	} else if (call->tunnel) {
		tunnel_notify(call->tunnel);
	} else if (call->recv_asleep) {
		call->recv_asleep = false;
		g_cond_broadcast(&call->recv_cond);
	}
}

/* Call with mu held. */
void call_wait_input(rpc_call *call)
{
	call->recv_asleep = true;
	g_cond_wait(&call->recv_cond, &call->conn->mu);
}

/* Checks the call when no message is queued: true if there is nothing to wait for. */
static bool recv_ended(rpc_call *call, GError **error)
{
	if (call->closed && call->error) {
		g_propagate_error(error, g_error_copy(call->error));
		return true;
	}
	if (call->recv_error) {
		g_propagate_error(error, g_error_copy(call->recv_error));
		return true;
	}
	if (call->is_server && call->remote_end && frame_partial(&call->reader) > 0) {
		error_set(error, ERROR_INTERNAL, "unexpected EOF");
		return true;
	}
	return call->closed || (call->is_server && call->remote_end);
}

/* Call with mu held. Returns the next message or NULL. */
GBytes *call_take(rpc_call *call)
{
	GBytes *message = g_queue_pop_head(&call->messages);
	if (message && !call->closed) {
		size_t n = g_bytes_get_size(message) + FRAME_PREFIX;
		call->queued -= n;
		buffered_less(call->conn, n);
		call_give_back(call);
	}
	return message;
}

/* Call with mu held. Waits for a message; false at the end of the stream or with an error. */
static bool recv_wait(rpc_call *call, GError **error)
{
	while (call->aborted || g_queue_is_empty(&call->messages)) {
		if (recv_ended(call, error))
			return false;
		call->recv_waiting = true;
		call_give_back(call);
		conn_pump(call->conn);
		if (g_queue_is_empty(&call->messages) && !call->closed && !call->recv_error)
			call_wait_input(call);
		call->recv_waiting = false;
	}
	return true;
}

/* Call with mu held, after messages were taken: sends the window that they have returned. */
static void recv_done(rpc_conn *c)
{
	if (!c->dead && nghttp2_session_want_write(c->session))
		conn_pump(c);
}

GBytes *rpc_call_recv(rpc_call *call, GError **error)
{
	rpc_conn *c = call->conn;
	GBytes *message = NULL;
	g_mutex_lock(&c->mu);
	if (recv_wait(call, error)) {
		message = call_take(call);
		recv_done(c);
	}
	g_mutex_unlock(&c->mu);
	return message;
}

bool rpc_call_recv_all(rpc_call *call, GQueue *ret, GError **error)
{
	rpc_conn *c = call->conn;
	g_mutex_lock(&c->mu);
	bool ok = recv_wait(call, error);
	if (ok) {
		*ret = call->messages;
		g_queue_init(&call->messages);
	}
	if (ok && !call->closed) {
		buffered_less(c, call->queued);
		call->queued = 0;
		call_give_back(call);
		recv_done(c);
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

void *rpc_call_recv_message(rpc_call *call, const ProtobufCMessageDescriptor *descriptor, GError **error)
{
	g_autoptr(GBytes) bytes = rpc_call_recv(call, error);
	return message_unpack(descriptor, bytes, error);
}

const rpc_metadata *rpc_call_metadata(rpc_call *call)
{
	if (call->is_server)
		return call->in;
	g_mutex_lock(&call->conn->mu);
	while (!call->headers_here)
		call_wait_input(call);
	g_mutex_unlock(&call->conn->mu);
	return call->in;
}
