/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/conn.h"
#include "api/guard.h"

/* ---- status of a finished call (PROTOCOL-HTTP2.md, "Errors", and http-grpc-status-mapping.md) */

GError *client_reset_error(uint32_t code)
{
	enum error_code as = ERROR_INTERNAL;
	if (code == NGHTTP2_REFUSED_STREAM)
		as = ERROR_UNAVAILABLE;
	else if (code == NGHTTP2_CANCEL)
		as = ERROR_CANCELED;
	else if (code == NGHTTP2_ENHANCE_YOUR_CALM)
		as = ERROR_RESOURCE_EXHAUSTED;
	else if (code == NGHTTP2_INADEQUATE_SECURITY)
		as = ERROR_PERMISSION_DENIED;
	return g_error_new(error_domain(), as, "stream terminated by RST_STREAM with error code: %s",
			   nghttp2_http2_strerror(code));
}

static GError *http_error(int status)
{
	static const struct {
		int status;
		enum error_code code;
	} table[] = {
		{400, ERROR_INTERNAL},      {401, ERROR_UNAUTHENTICATED}, {403, ERROR_PERMISSION_DENIED},
		{404, ERROR_UNIMPLEMENTED}, {429, ERROR_UNAVAILABLE},     {502, ERROR_UNAVAILABLE},
		{503, ERROR_UNAVAILABLE},   {504, ERROR_UNAVAILABLE},
	};
	enum error_code code = ERROR_UNKNOWN;
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (table[i].status == status)
			code = table[i].code;
	return g_error_new(error_domain(), code, "unexpected HTTP status code received from server: %d", status);
}

static GError *status_error(const rpc_metadata *md, int code)
{
	const struct metadata_pair *details = metadata_find(md, "grpc-status-details-bin");
	GError *error = details ? rpc_status_unpack((const uint8_t *)details->value, details->len) : NULL;
	if (error && error_get_code(error) == (enum error_code)code)
		return error;
	g_clear_error(&error);
	const struct metadata_pair *message = metadata_find(md, "grpc-message");
	g_autofree char *text = message ? percent_decode(message->value, message->len) : g_strdup("");
	return g_error_new_literal(error_domain(), code, text);
}

/* NULL: OK. */
static GError *status_of(const rpc_call *call)
{
	const rpc_metadata *md = metadata_find(call->extra, "grpc-status") ? call->extra : call->in;
	const char *text = rpc_metadata_get(md, "grpc-status");
	if (!text && call->http_status != 200)
		return http_error(call->http_status);
	if (!text)
		return g_error_new_literal(error_domain(), ERROR_INTERNAL,
					   "server closed the stream without sending trailers");
	guint64 code = 0;
	if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &code, NULL))
		code = ERROR_UNKNOWN;
	if (code)
		return status_error(md, (int)code);
	if (frame_partial(&call->reader) > 0)
		return g_error_new_literal(error_domain(), ERROR_INTERNAL, "unexpected EOF");
	return NULL;
}

static GError *refuse_response(const rpc_call *call)
{
	if (call->http_status != 200)
		return http_error(call->http_status);
	if (!call->content_type || !g_str_has_prefix(call->content_type, "application/grpc"))
		return g_error_new(error_domain(), ERROR_UNKNOWN, "unexpected content-type \"%s\"",
				   call->content_type ? call->content_type : "");
	if (call->encoding && strcmp(call->encoding, "identity") != 0)
		return g_error_new(error_domain(), ERROR_INTERNAL,
				   "grpc: Decompressor is not installed for grpc-encoding \"%s\"", call->encoding);
	return NULL;
}

static void end_of_stream(rpc_call *call)
{
	rpc_conn *c = call->conn;
	if (!nghttp2_session_get_stream_local_close(c->session, call->id))
		nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_NO_ERROR);
	call_end(call, status_of(call));
}

void client_headers_end(rpc_call *call, bool end_stream)
{
	bool informational = call->http_status >= 100 && call->http_status < 200;
	if (informational && !end_stream)
		return;
	bool first = !call->headers_here;
	call->headers_here = true;
	g_cond_broadcast(&call->recv_cond);
	if (end_stream) {
		end_of_stream(call);
		return;
	}
	GError *error = first ? refuse_response(call) : NULL;
	if (error)
		call_reset(call, error);
}

/* ---- calls */

static void on_parent_cancel(void *data)
{
	rpc_call *call = data;
	GError *error = NULL;
	cancel_check(call->parent, &error);
	g_mutex_lock(&call->conn->mu);
	call_reset(call, error);
	conn_pump(call->conn);
	g_mutex_unlock(&call->conn->mu);
}

static bool start_on_wire(rpc_call *call, const rpc_metadata *md, int timeout_ms, GError **error)
{
	rpc_conn *c = call->conn;
	if (c->dead)
		return error_propagate(error, g_error_copy(c->error));
	g_autoptr(rpc_metadata) owned = NULL;
	call_trace_client(call, &md, &owned);
	if (!call_submit_request(call, md, (gint64)timeout_ms * 1000, error))
		return false;
	if (timeout_ms > 0) {
		call->deadline_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
		c->deadline_us = c->deadline_us ? MIN(c->deadline_us, call->deadline_us) : call->deadline_us;
		conn_wake_at(c, call->deadline_us);
	}
	return true;
}

/* Does not run the pump, so that unary calls send headers and message in one write. */
static rpc_call *prepare(rpc_conn *c, const char *path, const rpc_metadata *md, cancel *parent, int timeout_ms,
			 GError **error)
{
	if (!cancel_check(parent, error) || !metadata_check(md, error))
		return NULL;
	rpc_call *call = call_new(c, false, path);
	g_mutex_lock(&c->mu);
	bool ok = start_on_wire(call, md, timeout_ms, error);
	if (!ok)
		call->closed = true;
	g_mutex_unlock(&c->mu);
	if (!ok) {
		rpc_call_unref(call);
		return NULL;
	}
	if (parent) {
		call->parent = cancel_ref(parent);
		call->parent_id = cancel_add(parent, on_parent_cancel, call);
	}
	return call;
}

rpc_call *rpc_call_start(rpc_conn *c, const char *path, const rpc_metadata *md, cancel *parent, int timeout_ms,
			 GError **error)
{
	rpc_call *call = prepare(c, path, md, parent, timeout_ms, error);
	if (!call)
		return NULL;
	g_mutex_lock(&c->mu);
	conn_pump(c);
	g_mutex_unlock(&c->mu);
	return call;
}

bool rpc_call_finish(rpc_call *call, GError **error)
{
	rpc_conn *c = call->conn;
	rpc_call_close_send(call, NULL);
	g_mutex_lock(&c->mu);
	call->recv_waiting = true;
	while (!call->closed) {
		for (GBytes *unread = call_take(call); unread; unread = call_take(call))
			g_bytes_unref(unread);
		call_give_back(call);
		conn_pump(c);
		if (!call->closed)
			call_wait_input(call);
	}
	call->recv_waiting = false;
	g_autoptr(GError) end = call->error ? g_error_copy(call->error) : NULL;
	g_mutex_unlock(&c->mu);
	if (end)
		g_propagate_error(error, g_steal_pointer(&end));
	return !call->error;
}

static bool send_request(rpc_call *call, const void *request, GError **error)
{
	size_t n = protobuf_c_message_get_packed_size(request);
	if (n > (size_t)LIMIT_MESSAGE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "trying to send message larger than max (%zu vs. %lld)", n, LIMIT_MESSAGE_BYTES);
	uint8_t *packed = g_malloc(n ? n : 1);
	protobuf_c_message_pack(request, packed);
	g_mutex_lock(&call->conn->mu);
	if (!call->closed) {
		call->out_end = true;
		call_push_owned(call, packed, n);
		conn_pump(call->conn);
	} else {
		g_free(packed);
	}
	g_mutex_unlock(&call->conn->mu);
	return true;
}

void *rpc_unary(rpc_conn *c, const char *path, const rpc_metadata *md, const void *request,
		const ProtobufCMessageDescriptor *reply, cancel *parent, int timeout_ms, GError **error)
{
	g_autoptr(rpc_call) call = prepare(c, path, md, parent, timeout_ms, error);
	if (!call || !send_request(call, request, error))
		return NULL;
	g_autoptr(GError) local = NULL;
	g_autoptr(GBytes) bytes = rpc_call_recv(call, &local);
	if (!bytes) {
		if (!local)
			error_set(&local, ERROR_INTERNAL, "no message in the reply of %s", path);
		return error_propagate_null(error, g_steal_pointer(&local));
	}
	g_autoptr(GBytes) second = rpc_call_recv(call, NULL);
	if (second)
		return error_null(
			error, ERROR_INTERNAL,
			"cardinality violation: expected <EOF> for non server-streaming RPCs, but received another "
			"message");
	if (!rpc_call_finish(call, error))
		return NULL;
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	void *message = guard_unpack(reply, data, n, error);
	if (n > 0)
		explicit_bzero((void *)(gsize)data, n); /* it may contain a secret or a token, and we own the bytes */
	return message;
}

rpc_call *rpc_unary_begin(rpc_conn *c, const char *path, const void *request, int timeout_ms, void (*ended)(void *data),
			  void *data, GError **error)
{
	rpc_call *call = prepare(c, path, NULL, NULL, timeout_ms, error);
	if (!call)
		return NULL;
	g_mutex_lock(&c->mu);
	call->ended = ended;
	call->ended_data = data;
	g_mutex_unlock(&c->mu);
	if (send_request(call, request, error))
		return call;
	rpc_unary_end(call, NULL);
	rpc_call_unref(call);
	return NULL;
}

bool rpc_unary_has_ended(rpc_call *call)
{
	g_mutex_lock(&call->conn->mu);
	bool ended = call->closed;
	g_mutex_unlock(&call->conn->mu);
	return ended;
}

bool rpc_unary_end(rpc_call *call, GError **error)
{
	g_mutex_lock(&call->conn->mu);
	call->ended = NULL;
	bool ok = call->closed && !call->error;
	GError *why = call->error ? g_error_copy(call->error) : NULL;
	g_mutex_unlock(&call->conn->mu);
	if (why)
		g_propagate_error(error, why);
	else if (!ok)
		error_set(error, ERROR_CANCELED, "context canceled");
	return ok;
}

rpc_conn *rpc_connect_fds(rpc_loop *loop, int fd_in, int fd_out, const char *authority, GError **error)
{
	rpc_conn *c = conn_new(loop, stream_fd_new(loop, fd_in, fd_out), NULL, authority ? authority : "localhost");
	c->headers = header_filter_new();
	if (conn_start(c, error))
		return c;
	rpc_conn_unref(c);
	return NULL;
}

rpc_conn *rpc_connect_tunnel(rpc_call *call, GError **error)
{
	rpc_loop *loop = call->conn->loop;
	rpc_conn *c = conn_new(loop, stream_tunnel_new(loop, call), NULL, "localhost");
	c->greeted = call->greeted;
	if (conn_start(c, error))
		return c;
	rpc_conn_unref(c);
	return NULL;
}
