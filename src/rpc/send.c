/* SPDX-License-Identifier: Apache-2.0 */
/* send: output of a call: passes messages, headers and trailers to nghttp2. */
#include "rpc/conn.h"
#include "api/guard.h"
#include "base/version.h"

#define SMALL_BYTES 4096
#define WINDOW_BYTES ((size_t)LIMIT_STREAM_WINDOW_BYTES)

static nghttp2_nv nv_of(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* ---- data provider for nghttp2 */

static void submit_trailers(rpc_call *call)
{
	const GPtrArray *list = call->trailers;
	g_autofree nghttp2_nv *nv = g_new(nghttp2_nv, list->len / 2);
	for (guint i = 0; i < list->len / 2; i++)
		nv[i] = nv_of(list->pdata[2 * i], list->pdata[2 * i + 1]);
	nghttp2_submit_trailer(call->conn->session, call->id, nv, list->len / 2);
}

static ssize_t next_data(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
			 nghttp2_data_source *source, void *data)
{
	rpc_call *call = call_find(data, id);
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (call->out.bytes == 0 && !call->out_end)
		return NGHTTP2_ERR_DEFERRED;
	size_t n = MIN(length, call->out.bytes);
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (call->out_end && n == call->out.bytes) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (call->is_server) {
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
			submit_trailers(call);
		}
	}
	return (ssize_t)n;
}

static const nghttp2_data_provider provider = {.read_callback = next_data};

static void wake_provider(rpc_call *call)
{
	nghttp2_session_resume_data(call->conn->session, call->id);
}

/* ---- headers */

static bool fields_fit(const rpc_metadata *md, GError **error)
{
	for (guint i = 0; md && i < md->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
		if (pair->len > FIELD_BYTES / 4 * 3 || strlen(pair->name) > FIELD_BYTES / 4 * 3)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "metadata %.64s: value of %zu bytes",
					 pair->name, pair->len);
	}
	return true;
}

static void add_pairs(GArray *nv, GPtrArray *values, const rpc_metadata *md)
{
	for (guint i = 0; md && i < md->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index(md->pairs, struct metadata_pair, i);
		char *value = metadata_wire_value(pair);
		nghttp2_nv one = nv_of(pair->name, value);
		g_ptr_array_add(values, value);
		g_array_append_val(nv, one);
	}
}

static void add_nv(GArray *nv, const char *name, const char *value)
{
	nghttp2_nv one = nv_of(name, value);
	g_array_append_val(nv, one);
}

static void submit_response(rpc_call *call, const char *status, bool with_data)
{
	g_autoptr(GArray) nv = g_array_new(FALSE, FALSE, sizeof(nghttp2_nv));
	g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
	add_nv(nv, ":status", status);
	add_nv(nv, "content-type", "application/grpc");
	add_pairs(nv, values, call->extra);
	for (guint i = 0; !with_data && call->trailers && i + 1 < call->trailers->len; i += 2)
		add_nv(nv, call->trailers->pdata[i], call->trailers->pdata[i + 1]);
	call->headers_sent = true;
	nghttp2_submit_response(call->conn->session, call->id, (nghttp2_nv *)(void *)nv->data, nv->len,
				with_data ? &provider : NULL);
}

static void call_submit_headers(rpc_call *call)
{
	if (call->is_server && !call->headers_sent)
		submit_response(call, "200", true);
}

bool call_submit_request(rpc_call *call, const rpc_metadata *md, gint64 timeout_us, GError **error)
{
	rpc_conn *c = call->conn;
	if (strlen(call->path) > FIELD_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "method name of %zu bytes", strlen(call->path));
	if (!fields_fit(md, error))
		return false;
	g_autoptr(GArray) nv = g_array_new(FALSE, FALSE, sizeof(nghttp2_nv));
	g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
	add_nv(nv, ":method", "POST");
	add_nv(nv, ":scheme", c->scheme);
	add_nv(nv, ":path", call->path);
	add_nv(nv, ":authority", c->authority);
	add_nv(nv, "content-type", "application/grpc");
	add_nv(nv, "user-agent", "buildkit-c/" PROJECT_VERSION);
	add_nv(nv, "te", "trailers");
	g_autofree char *timeout = timeout_us ? timeout_format(timeout_us) : NULL;
	if (timeout)
		add_nv(nv, "grpc-timeout", timeout);
	add_pairs(nv, values, md);
	int32_t id = nghttp2_submit_request(c->session, NULL, (nghttp2_nv *)(void *)nv->data, nv->len, &provider, NULL);
	if (id < 0)
		return error_set(error, ERROR_UNAVAILABLE, "transport is closing: %s", nghttp2_strerror(id));
	call->id = id;
	g_hash_table_insert(c->calls, GINT_TO_POINTER(id), call);
	return true;
}

void rpc_call_add_header(rpc_call *call, const char *name, const char *value)
{
	g_mutex_lock(&call->conn->mu);
	if (strlen(value) <= FIELD_BYTES / 4 * 3)
		rpc_metadata_add(call->extra, name, value);
	g_mutex_unlock(&call->conn->mu);
}

/* ---- status */

static void add_trailer(GPtrArray *list, const char *name, char *value)
{
	g_ptr_array_add(list, g_strdup(name));
	g_ptr_array_add(list, value);
}

/* Base64 makes four bytes of three. */
static char *details_value(const GError *error, size_t max)
{
	if (!error_get_details(error))
		return NULL;
	g_autoptr(GBytes) packed = status_pack_within(error, max / 4 * 3);
	gsize n;
	const guchar *bytes = g_bytes_get_data(packed, &n);
	char *text = g_base64_encode(bytes, n);
	text[strcspn(text, "=")] = 0;
	return text;
}

/* Returns the position from which on at most n bytes at the end of an encoded text are complete. */
static const char *encoded_tail(const char *text, size_t n)
{
	const char *tail = text + strlen(text) - n;
	if (tail[-1] == '%')
		return tail + 2;
	return tail[-2] == '%' ? tail + 1 : tail;
}

static char *message_value(const GError *error, size_t max)
{
	g_autofree char *text = percent_encode(error->message);
	if (strlen(text) <= max)
		return g_steal_pointer(&text);
	size_t half = status_half(max);
	const char *tail = encoded_tail(text, half);
	text[half] = '\0';
	char *escape = strrchr(text, '%');
	if (escape && strlen(escape) < 3)
		*escape = '\0';
	return g_strconcat(text, STATUS_OMISSION, tail, NULL);
}

/* A client refuses a header list larger than its announced size. */
static GPtrArray *make_trailers(rpc_call *call, const GError *error)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	add_trailer(list, "grpc-status", g_strdup_printf("%d", error ? (int)error_get_code(error) : 0));
	if (!error)
		return list;
	size_t max = nghttp2_session_get_remote_settings(call->conn->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
	max = MIN(MAX(max, 2048) - 1024, 2 * FIELD_BYTES) / 2;
	add_trailer(list, "grpc-message", message_value(error, max));
	char *details = details_value(error, max);
	if (details)
		add_trailer(list, "grpc-status-details-bin", details);
	return list;
}

void call_respond(rpc_call *call, const GError *error)
{
	if (call->closed || call->out_end || call->conn->dead)
		return;
	call->trailers = make_trailers(call, error);
	call->out_end = true;
	if (!call->headers_sent) {
		submit_response(call, "200", false);
		return;
	}
	wake_provider(call);
}

void call_refuse_http(rpc_call *call, const char *status)
{
	call->out_end = true;
	submit_response(call, status, false);
}

/* ---- messages */

static bool send_error(rpc_call *call, GError **error)
{
	if (call->error)
		g_propagate_error(error, g_error_copy(call->error));
	else if (call->recv_error)
		g_propagate_error(error, g_error_copy(call->recv_error));
	else
		error_set(error, ERROR_UNAVAILABLE, "EOF");
	return false;
}

static bool send_is_over(const rpc_call *call)
{
	return call->closed || call->aborted || call->out_end || call->conn->dead;
}

static bool is_full(const rpc_call *call)
{
	return call->out.bytes > WINDOW_BYTES ||
	       (call->out.bytes > UNSENT_LITTLE_BYTES && call->conn->unsent > UNSENT_BYTES);
}

static bool wait_for_room(rpc_call *call)
{
	while (!send_is_over(call) && is_full(call))
		g_cond_wait(&call->send_cond, &call->conn->mu);
	return !send_is_over(call);
}

static void push(rpc_call *call, const void *data, size_t n, void *owned)
{
	chunks_add(&call->out, data, n, owned);
	call->conn->unsent += n;
}

static void push_prefixed(rpc_call *call, const void *head, size_t n_head, size_t n_more)
{
	uint8_t *own = g_malloc(FRAME_PREFIX + n_head);
	frame_write_prefix(own, n_head + n_more);
	if (n_head)
		memcpy(own + FRAME_PREFIX, head, n_head);
	push(call, own, FRAME_PREFIX + n_head, own);
}

void call_push_owned(rpc_call *call, uint8_t *body, size_t n)
{
	push_prefixed(call, NULL, 0, n);
	if (n)
		push(call, body, n, body);
	else
		g_free(body);
	call_submit_headers(call);
	wake_provider(call);
}

/* The caller's memory becomes invalid: copies the part that is still queued, at most a window. */
static void own_borrowed(struct chunks *out)
{
	for (struct chunk *chunk = out->head; chunk; chunk = chunk->next)
		if (!chunk->owned)
			chunk->data = chunk->owned = g_memdup2(chunk->data, chunk->len);
}

static void queue_message(rpc_call *call, const void *head, size_t n_head, const void *body, size_t n_body)
{
	if (n_body <= SMALL_BYTES && n_body > 0) {
		uint8_t *own = g_malloc(FRAME_PREFIX + n_head + n_body);
		frame_write_prefix(own, n_head + n_body);
		if (n_head)
			memcpy(own + FRAME_PREFIX, head, n_head);
		memcpy(own + FRAME_PREFIX + n_head, body, n_body);
		push(call, own, FRAME_PREFIX + n_head + n_body, own);
		return;
	}
	push_prefixed(call, head, n_head, n_body);
	if (n_body)
		push(call, body, n_body, NULL);
}

bool rpc_call_send_parts(rpc_call *call, const void *head, size_t n_head, const void *body, size_t n_body,
			 GError **error)
{
	rpc_conn *c = call->conn;
	if (n_head + n_body > (size_t)LIMIT_MESSAGE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "trying to send message larger than max (%zu vs. %lld)", n_head + n_body,
				 LIMIT_MESSAGE_BYTES);
	g_mutex_lock(&c->mu);
	bool ok = wait_for_room(call);
	if (ok) {
		queue_message(call, head, n_head, body, n_body);
		call_submit_headers(call);
		wake_provider(call);
		conn_pump(c);
		/* Finished once at most a window is left; a call that ended meanwhile has dropped its output. */
		wait_for_room(call);
		own_borrowed(&call->out);
		ok = !call->closed && !call->aborted;
	}
	if (!ok)
		send_error(call, error);
	g_mutex_unlock(&c->mu);
	return ok;
}

/* Returns the messages with their prefixes, owned. */
static uint8_t *join_messages(const uint8_t *bytes, const uint32_t *sizes, size_t n, size_t *ret_n)
{
	size_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += FRAME_PREFIX + sizes[i];
	uint8_t *own = g_malloc(total), *to = own;
	for (size_t i = 0; i < n; i++) {
		frame_write_prefix(to, sizes[i]);
		if (sizes[i] > 0) /* bytes is NULL if all messages are empty */
			memcpy(to + FRAME_PREFIX, bytes, sizes[i]);
		to += FRAME_PREFIX + sizes[i];
		if (sizes[i] > 0)
			bytes += sizes[i];
	}
	*ret_n = total;
	return own;
}

bool rpc_call_send_many(rpc_call *call, const void *bytes, const uint32_t *sizes, size_t n, GError **error)
{
	rpc_conn *c = call->conn;
	for (size_t i = 0; i < n; i++)
		if (sizes[i] > (size_t)LIMIT_MESSAGE_BYTES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED,
					 "trying to send message larger than max (%u vs. %lld)", sizes[i],
					 LIMIT_MESSAGE_BYTES);
	size_t total;
	uint8_t *own = n > 0 ? join_messages(bytes, sizes, n, &total) : NULL;
	if (!own)
		return true;
	g_mutex_lock(&c->mu);
	bool ok = wait_for_room(call);
	if (ok) {
		push(call, own, total, own);
		call_submit_headers(call);
		wake_provider(call);
		conn_pump(c);
	} else {
		g_free(own);
		send_error(call, error);
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

bool rpc_call_send(rpc_call *call, const void *bytes, size_t n, GError **error)
{
	return rpc_call_send_parts(call, NULL, 0, bytes, n, error);
}

bool rpc_call_send_message(rpc_call *call, const void *message, GError **error)
{
	g_autoptr(GBytes) bytes = message_pack(message);
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	return rpc_call_send(call, data, n, error);
}

bool rpc_call_has_room(rpc_call *call)
{
	g_mutex_lock(&call->conn->mu);
	bool room = send_is_over(call) || !is_full(call);
	call->wants_room = !room;
	g_mutex_unlock(&call->conn->mu);
	return room;
}

bool rpc_call_offer(rpc_call *call, const void *bytes, size_t n, GError **error)
{
	if (n > (size_t)LIMIT_MESSAGE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "trying to send message larger than max (%zu vs. %lld)", n, LIMIT_MESSAGE_BYTES);
	uint8_t *own = g_memdup2(bytes, n);
	g_mutex_lock(&call->conn->mu);
	bool ok = !send_is_over(call) || send_error(call, error);
	if (ok) {
		call_push_owned(call, own, n);
		conn_pump(call->conn);
	} else {
		g_free(own);
	}
	g_mutex_unlock(&call->conn->mu);
	return ok;
}

bool rpc_call_send_headers(rpc_call *call, GError **error)
{
	g_mutex_lock(&call->conn->mu);
	bool ok = !send_is_over(call) || send_error(call, error);
	if (ok) {
		call_submit_headers(call);
		conn_pump(call->conn);
	}
	g_mutex_unlock(&call->conn->mu);
	return ok;
}

bool rpc_call_close_send(rpc_call *call, GError **error)
{
	g_mutex_lock(&call->conn->mu);
	bool over = call->closed || call->conn->dead;
	if (!over && !call->out_end) {
		call->out_end = true;
		wake_provider(call);
		conn_pump(call->conn);
	}
	/* A peer that has answered already needs no END_STREAM. */
	bool ok = !over || !call->error || send_error(call, error);
	g_mutex_unlock(&call->conn->mu);
	return ok;
}
