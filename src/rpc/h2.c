/* SPDX-License-Identifier: Apache-2.0 */
/* h2: nghttp2's callbacks, and limits that nghttp2 does not enforce. All under conn->mu; nothing here writes. */
#include "rpc/conn.h"
#include "rpc/server.h"

#define FRAME_BYTES ((size_t)64 * 1024)
/* Trailers may carry error details with complete Dockerfiles. */
#define CLIENT_HEADER_BYTES ((size_t)MIB(16)) /* the limit of gRPC clients in Go */
#define CLIENT_CONTINUATIONS 512
/* Control frames that a peer may send for each of our DATA frames: two window updates and a ping. */
#define GLITCHES_PER_DATA 3
#define QUEUE_FRAMES 10000

/* ---- floods */

static bool bucket_take(struct bucket *b)
{
	if (b->tokens == 0) {
		gint64 now = g_get_monotonic_time();
		gint64 more = (now - b->at_us) * LIMIT_GLITCH_PER_SECOND / G_USEC_PER_SEC;
		if (more == 0)
			return false;
		b->tokens = MIN(more, LIMIT_GLITCH_BURST);
		b->at_us = now;
	}
	b->tokens--;
	return true;
}

static bool is_glitch(const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_RST_STREAM: /* nghttp2 limits these */
	case NGHTTP2_CONTINUATION:
	case NGHTTP2_GOAWAY:
		return false;
	case NGHTTP2_DATA:
		return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM);
	default:
		return true;
	}
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *data)
{
	rpc_conn *c = data;
	bool flood = is_glitch(hd) && !bucket_take(&c->glitches);
	if (flood || nghttp2_session_get_outbound_queue_size(session) > QUEUE_FRAMES) {
		c->fault = flood ? "too many control frames" : "too many answers wait to be sent";
		nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (hd->type == NGHTTP2_HEADERS && !c->block_us) {
		c->block_us = g_get_monotonic_time();
		conn_wake_at(c, c->block_us + LIMIT_PREFACE_MS * 1000);
	}
	return 0;
}

/* ---- received headers */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	rpc_conn *c = data;
	if (c->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		rpc_call *call = call_new(c, true, NULL);
		call->id = frame->hd.stream_id;
		g_hash_table_insert(c->calls, GINT_TO_POINTER(call->id), call);
		conn_note_activity(c);
	}
	return 0;
}

/* Handles fields reserved by the protocol; true if the field was one. */
static bool take_reserved(rpc_call *call, const char *name, const char *value, size_t n)
{
	if (strcmp(name, ":path") == 0)
		call->path = g_strndup(value, n);
	else if (strcmp(name, ":method") == 0)
		call->is_post = n == 4 && memcmp(value, "POST", 4) == 0;
	else if (strcmp(name, ":status") == 0)
		call->http_status = (int)g_ascii_strtoull(value, NULL, 10);
	else if (strcmp(name, "content-type") == 0 && !call->content_type)
		call->content_type = g_strndup(value, n);
	else if (strcmp(name, "grpc-encoding") == 0 && !call->encoding)
		call->encoding = g_strndup(value, n);
	else if (strcmp(name, "grpc-timeout") == 0)
		call->timeout_us = timeout_parse_us(value);
	else
		return strcmp(name, ":scheme") == 0 || strcmp(name, "te") == 0;
	return true;
}

static bool has_strict_headers(const rpc_conn *c)
{
	return c->server && !c->server->large_headers;
}

static size_t header_bytes_max(const rpc_conn *c)
{
	return has_strict_headers(c) ? (size_t)LIMIT_HEADER_BYTES : CLIENT_HEADER_BYTES;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n_value, uint8_t flags, void *data)
{
	rpc_conn *c = data;
	rpc_call *call = call_find(c, frame->hd.stream_id);
	if (!call)
		return 0;
	call->header_bytes += n_name + n_value + 32; /* RFC 9113 section 6.5.2 */
	call->header_fields++;
	bool many = call->header_fields > (size_t)LIMIT_HEADER_FIELDS && !(c->server && c->server->large_headers);
	if (call->header_bytes > header_bytes_max(c) || many) {
		call_end(call, g_error_new_literal(error_domain(), ERROR_RESOURCE_EXHAUSTED, "header list too large"));
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	/* nghttp2 NUL-terminates both. */
	bool trailers = frame->headers.cat == NGHTTP2_HCAT_HEADERS && call->headers_here;
	if (!trailers && take_reserved(call, (const char *)name, (const char *)value, n_value))
		return 0;
	rpc_metadata *md = trailers && !call->is_server ? call->extra : call->in;
	if (!trailers || !call->is_server)
		metadata_add_wire(md, (const char *)name, (const char *)value, n_value);
	return 0;
}

/* ---- received frames and data */

static void on_headers_end(rpc_conn *c, rpc_call *call, const nghttp2_frame *frame)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	c->block_us = 0;
	if (!call)
		return;
	if (end)
		call->remote_end = true;
	if (!call->is_server)
		client_headers_end(call, end);
	else if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		server_request(call, end);
	else if (end)
		server_data(call);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	rpc_conn *c = data;
	rpc_call *call = frame->hd.stream_id ? call_find(c, frame->hd.stream_id) : NULL;
	if (frame->hd.type == NGHTTP2_SETTINGS && !c->ready) {
		c->ready = true;
		conn_note_activity(c);
	} else if (frame->hd.type == NGHTTP2_HEADERS) {
		on_headers_end(c, call, frame);
	} else if (frame->hd.type == NGHTTP2_DATA && call && frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		call->remote_end = true;
		if (call->is_server)
			server_data(call);
		else
			client_headers_end(call, true);
	}
	return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int why, void *data)
{
	rpc_conn *c = data;
	if (frame->hd.type == NGHTTP2_HEADERS)
		c->block_us = 0;
	/* A closing client of grpc-go names a client stream as the last one, which nghttp2 does not accept. */
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->hd.stream_id == 0)
		c->peer_leaves = true;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *data)
{
	rpc_conn *c = data;
	rpc_call *call = call_find(c, id);
	/* The connection's window does not depend on the reader: a slow call must not stop the others. */
	budget_window(c, n);
	if (call)
		call_received(call, bytes, n);
	else
		nghttp2_session_consume_stream(session, id, n);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
	rpc_call *call = call_find(data, id);
	if (call)
		call_end(call, code || !call->remote_end ? client_reset_error(code) : NULL);
	return 0;
}

/* ---- sent frames and data */

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	rpc_conn *c = data;
	if (frame->hd.type == NGHTTP2_DATA && c->glitches.tokens < LIMIT_GLITCH_BURST)
		c->glitches.tokens += GLITCHES_PER_DATA;
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !c->peer_leaves) {
		c->refused = true;
		c->fault = c->fault ? c->fault : nghttp2_http2_strerror(frame->goaway.error_code);
	}
	if (!c->server || frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	/* The status was sent: a client that is still sending may stop. */
	rpc_call *call = call_find(c, frame->hd.stream_id);
	if (!call || !call->remote_end)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

/* A request that was never sent, e.g. because of a GOAWAY. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int why, void *data)
{
	rpc_conn *c = data;
	rpc_call *call = frame->hd.type == NGHTTP2_HEADERS ? call_find(c, frame->hd.stream_id) : NULL;
	if (call)
		call_end(call, g_error_new(error_domain(), ERROR_UNAVAILABLE, "transport is closing: %s",
					   nghttp2_strerror(why)));
	return 0;
}

static ssize_t send_bytes(nghttp2_session *session, const uint8_t *bytes, size_t n, int flags, void *data)
{
	rpc_conn *c = data;
	if (batch_is_full(c->batch))
		return NGHTTP2_ERR_WOULDBLOCK;
	batch_add_copy(c->batch, bytes, n);
	return (ssize_t)n;
}

static void sent(rpc_call *call, size_t before)
{
	size_t low = (size_t)LIMIT_STREAM_WINDOW_BYTES / 2;
	size_t now = call->out.bytes;
	call->conn->unsent -= before - now;
	if ((before > low && now <= low) || (before > UNSENT_LITTLE_BYTES && now <= UNSENT_LITTLE_BYTES))
		g_cond_signal(&call->send_cond);
	if (call->tunnel)
		tunnel_notify(call->tunnel);
	if (call->wants_room && now <= low) {
		call->wants_room = false;
		turns_notify(call);
	}
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t n,
		     nghttp2_data_source *source, void *data)
{
	rpc_conn *c = data;
	rpc_call *call = call_find(c, frame->hd.stream_id);
	if (!call || call->out.bytes < n)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (batch_is_full(c->batch))
		return NGHTTP2_ERR_WOULDBLOCK;
	size_t before = call->out.bytes;
	batch_add_copy(c->batch, head, 9);
	batch_add_chunks(c->batch, &call->out, n);
	sent(call, before);
	return 0;
}

static ssize_t frame_room(nghttp2_session *session, uint8_t type, int32_t id, int32_t window, int32_t stream_window,
			  uint32_t max_frame, void *data)
{
	size_t n = MIN(MIN((uint32_t)window, (uint32_t)stream_window), max_frame);
	return (ssize_t)MIN(n, FRAME_BYTES);
}

/* ---- the session */

/* Unknown frames must be ignored but are still counted: nghttp2 reports only frame types that were requested. */
static int drop_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *data)
{
	return NGHTTP2_ERR_CANCEL;
}

static void set_options(nghttp2_option *option, bool strict_headers)
{
	for (unsigned type = 0x0a; type <= 0xff; type++)
		nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_send_header_block_length(option, (size_t)MIB(16));
	nghttp2_option_set_max_outbound_ack(option, (size_t)LIMIT_UNSENT_ACKS);
	nghttp2_option_set_stream_reset_rate_limit(option, LIMIT_RESET_BURST, LIMIT_RESET_PER_SECOND);
	nghttp2_option_set_max_continuations(option,
					     strict_headers ? (size_t)LIMIT_CONTINUATION_FRAMES : CLIENT_CONTINUATIONS);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* Go's servers do not escape a trailing space of a grpc-message. */
	nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_frame_not_send);
	nghttp2_session_callbacks_set_unpack_extension_callback(cb, drop_extension);
	nghttp2_session_callbacks_set_send_callback(cb, send_bytes);
	nghttp2_session_callbacks_set_send_data_callback(cb, send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, frame_room);
}

nghttp2_session *h2_session_new(rpc_conn *c)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_session *session = NULL;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_option_new(&option);
	set_callbacks(callbacks);
	set_options(option, has_strict_headers(c));
	int failed = c->server ? nghttp2_session_server_new2(&session, callbacks, c, option)
			       : nghttp2_session_client_new2(&session, callbacks, c, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	if (failed)
		g_error("nghttp2: %s", nghttp2_strerror(failed)); /* only on memory exhaustion */
	return session;
}

static void submit_beginning(nghttp2_session *session, bool is_server, size_t header_bytes)
{
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)LIMIT_STREAM_WINDOW_BYTES},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, (uint32_t)FRAME_BYTES},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)header_bytes},
		{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, (uint32_t)LIMIT_HPACK_TABLE_BYTES},
		{is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
		 is_server ? (uint32_t)LIMIT_STREAMS : 0},
	};
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, G_N_ELEMENTS(settings));
	nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, (int32_t)LIMIT_CONNECTION_WINDOW_BYTES);
}

void h2_start(rpc_conn *c)
{
	submit_beginning(c->session, c->server, header_bytes_max(c));
}

static GBytes *make_greeting(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session = NULL;
	g_autoptr(GByteArray) all = g_byte_array_new();
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_session_callbacks_del(callbacks);
	submit_beginning(session, false, CLIENT_HEADER_BYTES);
	const uint8_t *bytes;
	for (ssize_t n; (n = nghttp2_session_mem_send(session, &bytes)) > 0;)
		g_byte_array_append(all, bytes, (guint)n);
	nghttp2_session_del(session);
	return g_byte_array_free_to_bytes(g_steal_pointer(&all));
}

GBytes *h2_greeting(void)
{
	static GBytes *greeting;
	if (g_once_init_enter(&greeting))
		g_once_init_leave(&greeting, make_greeting());
	return greeting;
}
