/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of requests and responses, and chunked bodies. */
#include "netproxy/request.h"
#include "base/limits.h"
#include "netproxy/chunks.h"
#include "netproxy/response.h"
#include <string.h>

static int parse(const char *head, const char *tunnel, struct netproxy_request *q)
{
	g_auto(netproxy_target) t = {0};
	g_autoptr(GError) error = NULL;
	if (tunnel)
		g_assert_true(netproxy_target_parse_authority(tunnel, strlen(tunnel), &t, NULL));
	*q = (struct netproxy_request){0};
	int status = netproxy_request_parse(head, strlen(head), tunnel ? &t : NULL, q, &error);
	g_assert_cmpint(status != 0, ==, error != NULL);
	return status;
}

static void test_plain(void)
{
	struct netproxy_request q;
	g_assert_cmpint(
		parse("POST http://h:81/a?b HTTP/1.1\r\nHost: other\r\nX-A:  1 \r\nConnection: X-B, close\r\nx-b: 2\r\n"
		      "Accept-Encoding: gzip\r\nProxy-Authorization: s\r\nTE: trailers\r\nContent-Length: 12\r\n\r\n",
		      NULL, &q),
		==, 0);
	g_assert_cmpstr(q.method, ==, "POST");
	g_assert_cmpstr(q.target.host, ==, "h");
	g_assert_cmpint(q.target.port, ==, 81);
	g_assert_cmpstr(q.target.path, ==, "/a?b");
	g_assert_true(q.has_body && q.body_size == 12 && !q.keep_alive && !q.is_1_0);
	g_assert_cmpuint(q.headers->len, ==, 2); /* only what the server gets */
	g_assert_cmpstr(netproxy_request_header(&q, "x-a"), ==, "1");
	netproxy_request_clear(&q);
	g_assert_cmpint(parse("GET http://h/ HTTP/1.0\r\n\r\n", NULL, &q), ==, 0);
	g_assert_true(q.is_1_0 && !q.keep_alive && !q.has_body);
	netproxy_request_clear(&q);
	g_assert_cmpint(
		parse("PUT http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n\r\n",
		      NULL, &q),
		==, 0);
	g_assert_true(q.has_body && q.body_size == -1 && q.expects_continue && q.keep_alive);
	netproxy_request_clear(&q);
}

static void test_tunnel(void)
{
	struct netproxy_request q;
	g_assert_cmpint(parse("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", NULL, &q), ==, 0);
	g_assert_true(q.target.is_https && q.target.path == NULL);
	netproxy_request_clear(&q);
	g_assert_cmpint(parse("GET /x HTTP/1.1\r\nHost: H\r\n\r\n", "h:443", &q), ==, 0);
	g_autofree char *url = netproxy_target_url(&q.target);
	g_assert_cmpstr(url, ==, "https://h/x");
	netproxy_request_clear(&q);
}

static void test_refused(void)
{
	static const struct {
		const char *head, *tunnel;
		int status;
	} cases[] = {
		{"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\nHost: h\n\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost : h\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\n: h\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nX: \x01\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NULL,
		 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", NULL,
		 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", NULL, 501},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0b"
		 "chunked\r\n\r\n",
		 NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
		 NULL, 400},
		{"GET http://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", NULL, 417},
		{"GET http://h/ HTTP/2.0\r\nHost: h\r\n\r\n", NULL, 505},
		{"GET http://h/ HTTP/1.1 \r\nHost: h\r\n\r\n", NULL, 400},
		{"GET  http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"GET http://h/ http/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"G(T http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"\r\nGET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"PRI * HTTP/2.0\r\n\r\n", NULL, 505},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"CONNECT http://h:443 HTTP/1.1\r\nHost: h\r\n\r\n", NULL, 400},
		{"CONNECT h:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", NULL, 400},
		{"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "h:443", 405},
		{"GET https://other/ HTTP/1.1\r\nHost: h\r\n\r\n", "h:443", 400},
		{"GET /x HTTP/1.1\r\nHost: other\r\n\r\n", "h:443", 421},
		{"GET /x HTTP/1.1\r\nHost: h:8443\r\n\r\n", "h:443", 421},
		{"GET * HTTP/1.1\r\nHost: h\r\n\r\n", "h:443", 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\nX", NULL, 400},
		{"GET http://h/ HTTP/1.1\r\nHost: h", NULL, 400},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct netproxy_request q;
		g_test_message("%s", cases[i].head);
		g_assert_cmpint(parse(cases[i].head, cases[i].tunnel, &q), ==, cases[i].status);
	}
}

static void test_many_headers(void)
{
	GString *head = g_string_new("GET http://h/ HTTP/1.1\r\nHost: h\r\n");
	struct netproxy_request q;
	for (int i = 1; i < LIMIT_PROXY_HEADERS; i++)
		g_string_append(head, "X: y\r\n");
	g_string_append(head, "\r\n");
	g_assert_cmpint(parse(head->str, NULL, &q), ==, 0);
	g_assert_cmpuint(q.headers->len, ==, 2 * (LIMIT_PROXY_HEADERS - 1));
	netproxy_request_clear(&q);
	g_string_insert(head, (gssize)head->len - 2, "X: y\r\n");
	g_assert_cmpint(parse(head->str, NULL, &q), ==, 431);
	g_string_free(head, TRUE);
}

static void test_head_size(void)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\nbody";
	for (size_t n = 0; n < 18; n++)
		g_assert_cmpuint(netproxy_head_size(text, n, n > 0 ? n - 1 : 0), ==, 0);
	g_assert_cmpuint(netproxy_head_size(text, 18, 17), ==, 18);
	g_assert_cmpuint(netproxy_head_size(text, 22, 0), ==, 18);
}

/* ---- chunks */

/* Decodes in steps of this many bytes. Returns the data, NULL: invalid. */
static char *decode(const char *text, size_t step, enum netproxy_chunks_state *ret_state, size_t *ret_used)
{
	struct netproxy_chunks d = {0};
	g_autoptr(GString) out = g_string_new(NULL);
	size_t n = strlen(text), at = 0;
	while (at < n && d.state != NETPROXY_CHUNKS_END) {
		const char *data = NULL;
		size_t n_data = 0;
		ssize_t used = netproxy_chunks_take(&d, text + at, MIN(step, n - at), &data, &n_data, NULL);
		if (used < 0)
			return NULL;
		g_string_append_len(out, data ? data : "", (gssize)n_data);
		at += (size_t)used;
	}
	*ret_state = d.state;
	*ret_used = at;
	return g_strdup(out->str);
}

static void test_chunks(void)
{
	static const struct {
		const char *text, *data;
		size_t rest; /* bytes of the next request */
	} cases[] = {
		{"3\r\nabc\r\n0\r\n\r\n", "abc", 0},
		{"1\r\na\r\n0B;x=\"y\"\r\n01234567890\r\n00\r\nTrailer: x\r\n\r\nGET", "a01234567890", 3},
		{"0\r\n\r\n", "", 0},
		{"3 \r\nabc\r\n0\r\n\r\n", "abc", 0},
		{"3\nabc\r\n0\r\n\r\n", NULL, 0},
		{"3\r\nabcd\r\n0\r\n\r\n", NULL, 0},
		{"\r\n", NULL, 0},
		{";\r\n", NULL, 0},
		{"-1\r\n", NULL, 0},
		{"0x3\r\nabc\r\n", NULL, 0},
		{"1111111111111111\r\n", NULL, 0},
		{"3\r\nabc\n0\r\n\r\n", NULL, 0},
		{"0\r\nA: \x01\r\n\r\n", NULL, 0},
		{"0\r\n\rX", NULL, 0},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t step = 1; step < 20; step++) {
			enum netproxy_chunks_state state = NETPROXY_CHUNKS_SIZE;
			size_t used = 0;
			g_autofree char *data = decode(cases[i].text, step, &state, &used);
			g_test_message("%s", cases[i].text);
			g_assert_cmpstr(data, ==, cases[i].data);
			if (!data)
				continue;
			g_assert_cmpint(state, ==, NETPROXY_CHUNKS_END);
			g_assert_cmpuint(strlen(cases[i].text) - used, ==, cases[i].rest);
		}
}

static void test_long_extension(void)
{
	enum netproxy_chunks_state state;
	size_t used;
	g_autofree char *many = g_strnfill(LIMIT_PROXY_EXTRA_BYTES, 'x');
	g_autofree char *text = g_strconcat("1;", many, NULL);
	g_assert_null(decode(text, 1000, &state, &used));
}

/* ---- responses */

static bool respond(const char *const *lines, bool is_head, struct netproxy_response *r)
{
	*r = (struct netproxy_response){0};
	for (; *lines; lines++)
		if (!netproxy_response_line(r, *lines, strlen(*lines), NULL))
			return false;
	return netproxy_response_finish(r, is_head, NULL);
}

static void test_response(void)
{
	struct netproxy_response r;
	g_assert_true(respond((const char *const[]){"HTTP/1.1 100 Continue\r\n", "X: dropped\r\n",
						    "HTTP/1.1 301 Moved\r\n", "Location: /b\r\n", "Connection: x-c\r\n",
						    "X-C: 1\r\n", "Content-Length: 3\r\n", "Keep-Alive: 5\r\n", NULL},
			      false, &r));
	g_autofree char *head = netproxy_response_head(&r, false, true);
	g_assert_cmpstr(head, ==,
			"HTTP/1.1 301 Moved\r\nLocation: /b\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
	g_assert_true(r.has_body && r.size == 3);
	g_assert_cmpstr(r.location, ==, "/b");
	netproxy_response_clear(&r);
	g_assert_true(respond((const char *const[]){"HTTP/1.1 200\r\n", "Content-Length: 3\r\n",
						    "Transfer-Encoding: chunked\r\n", NULL},
			      false, &r));
	g_autofree char *chunked = netproxy_response_head(&r, true, false);
	g_assert_cmpstr(chunked, ==, "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n");
	netproxy_response_clear(&r);
	g_assert_true(respond((const char *const[]){"HTTP/1.1 200 OK\r\n", "Content-Length: 3\r\n", NULL}, true, &r));
	g_assert_false(r.has_body);
	netproxy_response_clear(&r);
}

static void test_bad_responses(void)
{
	static const char *const cases[][4] = {
		{"ICY 200 OK\r\n"},
		{"HTTP/1.1 20 OK\r\n"},
		{"HTTP/1.1 2000 OK\r\n"},
		{"HTTP/1.1 000 X\r\n"},
		{"HTTP/1.1 101 Switching\r\n"},
		{"HTTP/1.1 200 OK\r\n", "X: a\r\n", " folded\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Bad Name: a\r\n"},
		{"HTTP/1.1 200 OK\r\n", "X: a\x01\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Content-Length: 1\r\n", "Content-Length: 2\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Content-Length: -1\r\n"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct netproxy_response r;
		g_test_message("%s", cases[i][0]);
		g_assert_false(respond(cases[i], false, &r));
		netproxy_response_clear(&r);
	}
	struct netproxy_response r = {0};
	g_autofree char *big = g_strnfill(LIMIT_HEADER_BYTES, 'x');
	g_autofree char *line = g_strconcat("X: ", big, "\r\n", NULL);
	g_assert_true(netproxy_response_line(&r, "HTTP/1.1 200 OK\r\n", 17, NULL));
	g_assert_false(netproxy_response_line(&r, line, strlen(line), NULL));
	netproxy_response_clear(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/netproxy/request/plain", test_plain);
	g_test_add_func("/netproxy/request/tunnel", test_tunnel);
	g_test_add_func("/netproxy/request/refused", test_refused);
	g_test_add_func("/netproxy/request/many-headers", test_many_headers);
	g_test_add_func("/netproxy/request/head-size", test_head_size);
	g_test_add_func("/netproxy/chunks", test_chunks);
	g_test_add_func("/netproxy/chunks/long-extension", test_long_extension);
	g_test_add_func("/netproxy/response", test_response);
	g_test_add_func("/netproxy/response/bad", test_bad_responses);
	return g_test_run();
}
