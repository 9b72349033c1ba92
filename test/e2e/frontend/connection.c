/* SPDX-License-Identifier: Apache-2.0 */
/* A client of HTTP/2 and gRPC over stdin and stdout. */
#include "frontend.h"

nghttp2_session *session;

/* A process that is recognised by its command line, "sleep NAP"; it ends only when it is killed. */
__attribute__((noreturn)) void nap(void)
{
	execl("/proc/self/exe", "sleep", option("nap") ? option("nap") : "0", NULL);
	die("exec: %s", strerror(errno));
}

void write_all(const void *data, size_t n)
{
	const char *p = data;
	while (n > 0) {
		ssize_t written = write(1, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && !session) /* a raw mode, whose connection the daemon has closed */
			nap();
		if (written < 0)
			die("write: %s", strerror(errno));
		p += written;
		n -= (size_t)written;
	}
}

static ssize_t on_send(nghttp2_session *s, const uint8_t *data, size_t n, int flags, void *user)
{
	write_all(data, n);
	return (ssize_t)n;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n_value, uint8_t flags, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
	if (c && n_name == 11 && memcmp(name, "grpc-status", 11) == 0)
		c->status = atoi((const char *)value);
	if (c && n_name == 12 && memcmp(name, "grpc-message", 12) == 0) {
		free(c->message);
		c->message = strndup((const char *)value, n_value);
	}
	return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t n, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, id);
	if (c)
		put(&c->received, data, n);
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error, void *user)
{
	struct call *c = nghttp2_session_get_stream_user_data(s, id);
	if (c)
		c->closed = true;
	return 0;
}

static ssize_t read_request(nghttp2_session *s, int32_t id, uint8_t *buffer, size_t n, uint32_t *flags,
			    nghttp2_data_source *source, void *user)
{
	struct call *c = source->ptr;
	size_t rest = c->sent.n - c->offset;
	if (n > rest)
		n = rest;
	memcpy(buffer, c->sent.data + c->offset, n);
	c->offset += n;
	if (c->offset == c->sent.n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

void flush(void)
{
	if (nghttp2_session_send(session) != 0)
		die("HTTP/2: cannot send");
}

void connect_daemon(void)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_client_new(&session, callbacks, NULL);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
	flush();
}

#define HEADER(name, value)                                                                                            \
	{                                                                                                              \
		(uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE               \
	}

/* Starts a call with a request that has its prefix already. */
struct call *call_start_raw(const char *path, struct bytes sent)
{
	struct call *c = calloc(1, sizeof *c);
	c->status = -1;
	c->sent = sent;
	const nghttp2_nv headers[] = {HEADER(":method", "POST"),
				      HEADER(":scheme", "http"),
				      HEADER(":path", path),
				      HEADER(":authority", "localhost"),
				      HEADER("content-type", "application/grpc"),
				      HEADER("te", "trailers")};
	nghttp2_data_provider provider = {.source.ptr = c, .read_callback = read_request};
	c->id = nghttp2_submit_request(session, NULL, headers, LEN(headers), &provider, c);
	flush();
	return c;
}

struct call *call_start(const char *method, struct bytes request)
{
	char path[200];
	struct bytes sent = {0};
	uint8_t prefix[5] = {0, (uint8_t)(request.n >> 24), (uint8_t)(request.n >> 16), (uint8_t)(request.n >> 8),
			     (uint8_t)request.n};
	snprintf(path, sizeof path, "%s%s", *method == '/' ? "" : SERVICE, method);
	put(&sent, prefix, sizeof prefix);
	put(&sent, request.data, request.n);
	free(request.data);
	return call_start_raw(path, sent);
}

/* Waits for the end of the call; false if the connection ended before. */
bool call_wait(struct call *c)
{
	static uint8_t buffer[65536];
	while (!c->closed) {
		ssize_t n = read(0, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || nghttp2_session_mem_recv(session, buffer, (size_t)n) < 0)
			return false;
		flush();
	}
	return true;
}

struct bytes reply_of(const struct call *c)
{
	return c->received.n > 5 ? (struct bytes){.data = c->received.data + 5, .n = c->received.n - 5}
				 : (struct bytes){0};
}

/* Runs a call and returns it whatever its status is. */
struct call *call_any(const char *method, struct bytes request)
{
	struct call *c = call_start(method, request);
	if (!call_wait(c))
		die("%s: the connection ended", method);
	return c;
}
