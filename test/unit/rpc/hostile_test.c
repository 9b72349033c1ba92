/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that violate the protocol: their own connection is closed, others are not affected. */
#include "lib/rpc_rig.h"
#include <nghttp2/nghttp2.h>
#include <sys/time.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define PREFACE_BYTES 33

/* ---- a peer that writes raw bytes */

static int raw_peer(struct rig *r, rpc_conn **ret_conn)
{
	int sv[2];
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), ==, 0);
	struct timeval limit = {.tv_sec = 20};
	setsockopt(sv[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(sv[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	*ret_conn = rpc_server_attach(r->server, sv[0], sv[0]);
	g_assert_nonnull(*ret_conn);
	return sv[1];
}

/* Writes the same bytes until the server closes the connection; false if it accepted all of them. */
static bool flood(int fd, const void *bytes, size_t n, size_t times)
{
	for (size_t i = 0; i < times; i++)
		if (send(fd, bytes, n, MSG_NOSIGNAL) < 0)
			return true;
	return false;
}

static bool closed_by_server(int fd)
{
	char buffer[4096];
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		if (n < 0)
			return false;
	}
}

static bool receive_exactly(int fd, void *bytes, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = recv(fd, (char *)bytes + done, n - done, 0);
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* Takes frames until the answer to a ping, or the end of the connection. */
static void wait_for_ping(int fd)
{
	uint8_t head[9], payload[1 << 16];
	while (receive_exactly(fd, head, sizeof head)) {
		size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		g_assert_cmpuint(n, <=, sizeof payload);
		if (!receive_exactly(fd, payload, n) || (head[3] == NGHTTP2_PING && head[4] == NGHTTP2_FLAG_ACK))
			return;
	}
}

static void others_are_fine(struct rig *r)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(bytes_message) reply = rig_unary(r->conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
}

static void test_not_http2(void)
{
	static const char *const hellos[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a hello of TLS",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxx",
	};
	scoped_rig r = {0};
	rig_up(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(hellos); i++) {
		g_autoptr(rpc_conn) c = NULL;
		int fd = raw_peer(&r, &c);
		g_assert_cmpint(send(fd, hellos[i], strlen(hellos[i]), 0), >, 0);
		g_assert_true(closed_by_server(fd));
		close(fd);
	}
	others_are_fine(&r);
}

static void test_floods(void)
{
	static const struct {
		const char *name;
		size_t n;
		const char *frame;
	} floods[] = {
		{"ping", 17, "\0\0\x08\6\0\0\0\0\0abcdefgh"},
		{"ping ack", 17, "\0\0\x08\6\1\0\0\0\0abcdefgh"},
		{"settings", 9, "\0\0\0\4\0\0\0\0\0"},
		{"window update", 13, "\0\0\4\x08\0\0\0\0\0\0\0\0\1"},
		{"priority", 14, "\0\0\5\2\0\0\0\0\3\0\0\0\0\x10"},
		{"unknown", 9, "\0\0\0\xfa\0\0\0\0\0"},
	};
	scoped_rig r = {0};
	rig_up(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(floods); i++) {
		g_autoptr(rpc_conn) c = NULL;
		int fd = raw_peer(&r, &c);
		g_assert_cmpint(send(fd, PREFACE, PREFACE_BYTES, 0), ==, PREFACE_BYTES);
		if (!flood(fd, floods[i].frame, floods[i].n, 20000) && !closed_by_server(fd))
			g_error("%s", floods[i].name);
		close(fd);
	}
	others_are_fine(&r);
}

/* HEADERS of a call to /test.Rig/Hang with literal fields, then RST_STREAM. */
static size_t headers_of(uint8_t *frame, uint32_t id, uint8_t flags)
{
	static const char *const fields[] = {
		":method", "POST",         ":scheme",          "http", ":path",    "/test.Rig/Hang", ":authority",
		"x",       "content-type", "application/grpc", "te",   "trailers",
	};
	uint8_t *p = frame + 9;
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i += 2) {
		*p++ = 0;
		for (size_t k = i; k < i + 2; k++) {
			size_t n = strlen(fields[k]);
			*p++ = (uint8_t)n;
			memcpy(p, fields[k], n);
			p += n;
		}
	}
	size_t n = (size_t)(p - frame) - 9;
	uint8_t head[] = {0,          (uint8_t)(n >> 8),   (uint8_t)n,          1,
			  flags,      (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
			  (uint8_t)id};
	memcpy(frame, head, 9);
	return n + 9;
}

static void test_rapid_reset(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(rpc_conn) c = NULL;
	int fd = raw_peer(&r, &c);
	send(fd, PREFACE, PREFACE_BYTES, 0);
	bool closed = false;
	for (uint32_t id = 1; id < 20000 && !closed; id += 2) {
		uint8_t frames[512];
		size_t n = headers_of(frames, id, NGHTTP2_FLAG_END_HEADERS);
		uint8_t reset[] = {0, 0, 4, 3, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 0, 0, 0, 8};
		memcpy(frames + n, reset, sizeof(reset));
		closed = send(fd, frames, n + sizeof(reset), MSG_NOSIGNAL) < 0;
	}
	g_assert_true(closed || closed_by_server(fd));
	close(fd);
	others_are_fine(&r);
}

static void test_too_many_streams(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(rpc_conn) c = NULL;
	int fd = raw_peer(&r, &c);
	send(fd, PREFACE "\0\0\0\4\1\0\0\0\0", PREFACE_BYTES + 9, 0);
	bool closed = false;
	for (uint32_t id = 1; id < 4 * (uint32_t)LIMIT_STREAMS && !closed; id += 2) {
		uint8_t frames[512];
		closed = send(fd, frames, headers_of(frames, id, NGHTTP2_FLAG_END_HEADERS), MSG_NOSIGNAL) < 0;
	}
	/* The answer to a ping comes after what was sent before it was handled; otherwise the server has closed. */
	send(fd, "\0\0\10\6\0\0\0\0\0pingpong", 17, MSG_NOSIGNAL);
	wait_for_ping(fd);
	g_assert_cmpuint(rpc_server_open_calls(r.server), <=, LIMIT_STREAMS);
	others_are_fine(&r);
	close(fd);
}

static void test_continuations(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(rpc_conn) c = NULL;
	int fd = raw_peer(&r, &c);
	uint8_t frames[512];
	send(fd, PREFACE, PREFACE_BYTES, 0);
	send(fd, frames, headers_of(frames, 1, 0), 0);
	g_assert_true(flood(fd, "\0\0\0\x09\0\0\0\0\1", 9, 20000) || closed_by_server(fd));
	close(fd);
	others_are_fine(&r);
}

/* ---- a peer with valid HTTP/2 and invalid gRPC */

struct reply {
	char *http;
	char *status;
	char *message;
	bool closed;
	uint32_t code;
};

struct body {
	const uint8_t *bytes;
	size_t n;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n, uint8_t flags, void *data)
{
	struct reply *reply = data;
	char **to = strcmp((const char *)name, ":status") == 0        ? &reply->http
		    : strcmp((const char *)name, "grpc-status") == 0  ? &reply->status
		    : strcmp((const char *)name, "grpc-message") == 0 ? &reply->message
								      : NULL;
	if (to) {
		g_free(*to);
		*to = g_strndup((const char *)value, n);
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
	struct reply *reply = data;
	reply->closed = true;
	reply->code = code;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
			 nghttp2_data_source *source, void *data)
{
	struct body *body = source->ptr;
	size_t n = MIN(room, body->n);
	if (n)
		memcpy(to, body->bytes, n);
	body->bytes += n;
	body->n -= n;
	if (body->n == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static void exchange(int fd, nghttp2_session *session, struct reply *reply)
{
	bool ended = false;
	while (!reply->closed && !ended) {
		const uint8_t *out;
		for (ssize_t n = nghttp2_session_mem_send(session, &out); n > 0;
		     n = nghttp2_session_mem_send(session, &out))
			ended |= send(fd, out, (size_t)n, MSG_NOSIGNAL) != n;
		uint8_t in[16384];
		ssize_t n = recv(fd, in, sizeof(in), 0);
		if (n > 0)
			nghttp2_session_mem_recv(session, in, (size_t)n);
		else
			ended = true;
	}
}

static struct reply request(struct rig *r, const char *path, const char *type, const char *extra, const char *value,
			    const void *bytes, size_t n)
{
	g_autoptr(rpc_conn) c = NULL;
	struct reply reply = {0};
	struct body body = {bytes, n};
	int fd = raw_peer(r, &c);
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_client_new(&session, callbacks, &reply);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(session, 0, NULL, 0);
#define NV(name, value) {(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0}
	nghttp2_nv nv[] = {NV(":method", "POST"), NV(":scheme", "http"),    NV(":path", path),
			   NV(":authority", "x"), NV("content-type", type), NV(extra, value)};
	nghttp2_data_provider provider = {.source.ptr = &body, .read_callback = read_body};
	nghttp2_submit_request(session, NULL, nv, G_N_ELEMENTS(nv), &provider, NULL);
	exchange(fd, session, &reply);
	nghttp2_session_del(session);
	close(fd);
	return reply;
}

static void reply_done(struct reply *reply)
{
	g_free(reply->http);
	g_free(reply->status);
	g_free(reply->message);
}

static void test_bad_grpc(void)
{
	static const struct {
		const char *path, *type, *extra, *value;
		const char *bytes;
		size_t n;
		const char *http, *status, *message;
	} cases[] = {
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\0\0\0\0", 5, "200", "0", NULL},
		{"/test.Rig/Echo", "application/grpc+proto", "te", "trailers", "\0\0\0\0\0", 5, "200", "0", NULL},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\1\0\0\0\0", 5, "200", "13",
		 "grpc: compressed flag set with identity or empty encoding"},
		{"/test.Rig/Echo", "application/grpc", "grpc-encoding", "gzip", "\1\0\0\0\0", 5, "200", "12",
		 "grpc: Decompressor is not installed for grpc-encoding \"gzip\""},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\xff\xff\xff\xff", 5, "200", "8",
		 "grpc: received message larger than max (4294967295 vs. 16777216)"},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\1\0\0\1", 5, "200", "8",
		 "grpc: received message larger than max (16777217 vs. 16777216)"},
		{"/test.Rig/EchoStream", "application/grpc", "te", "trailers", "\0\1\0\0\1", 5, "200", "8", NULL},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\0\0\0\5ab", 7, "200", "13", NULL},
		{"/test.Rig/EchoStream", "application/grpc", "te", "trailers", "\0\0\0\0\5ab", 7, "200", "13", NULL},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\0\0\0\0\0\0\0\0\0", 10, "200", "13", NULL},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "", 0, "200", "13", NULL},
		{"/test.Rig/Echo", "application/grpc", "te", "trailers", "\0\0\0\0\2\x0a\x05", 7, "200", "3", NULL},
		{"/test.Rig/Echo", "text/plain", "te", "trailers", "\0\0\0\0\0", 5, "415", NULL, NULL},
		{"/test.Rig/echo", "application/grpc", "te", "trailers", "\0\0\0\0\0", 5, "200", "12", NULL},
		{"/test.Rig/Echo/", "application/grpc", "te", "trailers", "\0\0\0\0\0", 5, "200", "12", NULL},
		{"/test.Rig/Hang", "application/grpc", "grpc-timeout", "20m", "\0\0\0\0\0", 5, "200", "4",
		 "context deadline exceeded"},
	};
	scoped_rig r = {0};
	rig_up(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct reply reply = request(&r, cases[i].path, cases[i].type, cases[i].extra, cases[i].value,
					     cases[i].bytes, cases[i].n);
		g_test_message("case %zu", i);
		g_assert_cmpstr(reply.http, ==, cases[i].http);
		g_assert_cmpstr(reply.status, ==, cases[i].status);
		if (cases[i].message)
			g_assert_cmpstr(reply.message, ==, cases[i].message);
		reply_done(&reply);
	}
	others_are_fine(&r);
}

static void test_large_headers(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autofree char *fits = g_strnfill(50000, 'x');
	struct reply reply = request(&r, "/test.Rig/Echo", "application/grpc", "x", fits, "\0\0\0\0\0", 5);
	g_assert_cmpstr(reply.status, ==, "0");
	reply_done(&reply);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	for (int i = 0; i < 6; i++)
		rpc_metadata_add(md, "x-much", fits);
	bytes_message request_message = FILESYNC__BYTES_MESSAGE__INIT;
	g_autoptr(rpc_conn) other = rpc_connect(r.loop, r.address, NULL, NULL, &error);
	g_assert_null(rpc_unary(other, "/test.Rig/Echo", md, &request_message, &filesync__bytes_message__descriptor,
				NULL, 0, &error));
	g_assert_nonnull(error);
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_cmpstr(error->message, ==, "metadata x-much: value of 50000 bytes");
	others_are_fine(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hostile/not-http2", test_not_http2);
	g_test_add_func("/hostile/floods", test_floods);
	g_test_add_func("/hostile/rapid-reset", test_rapid_reset);
	g_test_add_func("/hostile/too-many-streams", test_too_many_streams);
	g_test_add_func("/hostile/continuations", test_continuations);
	g_test_add_func("/hostile/bad-grpc", test_bad_grpc);
	g_test_add_func("/hostile/large-headers", test_large_headers);
	return g_test_run();
}
