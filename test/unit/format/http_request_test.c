/* SPDX-License-Identifier: Apache-2.0 */
#include "format/http_request.h"
#include "lib/outcome.h"
#include <string.h>

static bool parse(const char *text, struct http_request *ret, GError **error)
{
	size_t head = http_request_head(text, strlen(text));
	g_assert_cmpuint(head, >, 0);
	return http_request_parse(text, head, ret, error);
}

static void test_parse(void)
{
	g_auto(http_request) r = {0};
	assert_succeeds(parse("POST /a%2Fb?x=1?y HTTP/1.1\r\nhost:  h:1 \r\nCookie: a=b\r\nCookie: c=d\r\n"
			      "AUTHORIZATION: Bearer t\r\nContent-Length: 5\r\nX-Other: \r\n\r\nbody",
			      &r, &failure));
	g_assert_cmpstr(r.method, ==, "POST");
	g_assert_cmpstr(r.path, ==, "/a%2Fb");
	g_assert_cmpstr(r.query, ==, "x=1?y");
	g_assert_cmpstr(r.host, ==, "h:1");
	g_assert_cmpstr(r.cookie, ==, "a=b");
	g_assert_cmpstr(r.authorization, ==, "Bearer t");
	g_assert_cmpuint(r.body_bytes, ==, 5);
}

static void test_minimal(void)
{
	g_auto(http_request) r = {0};
	assert_succeeds(parse("GET / HTTP/1.0\r\n\r\n", &r, &failure));
	g_assert_null(r.host);
	g_assert_cmpstr(r.query, ==, "");
	g_assert_cmpuint(http_request_head("GET / HTTP/1.0\r\n\r", 17), ==, 0);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"GET /\r\n\r\n", "malformed request line"},
		{"GET x HTTP/1.1\r\n\r\n", "malformed request line"},
		{"GET / HTTP/2.0\r\n\r\n", "malformed request line"},
		{"GET /\x01 HTTP/1.1\r\n\r\n", "malformed request line"},
		{" / HTTP/1.1\r\n\r\n", "malformed request line"},
		{"GET / HTTP/1.1\r\nHost\r\n\r\n", "malformed header field"},
		{"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "malformed header field"},
		{"GET / HTTP/1.1\r\nHost: a\nb\r\n\r\n", "control character in header field"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "several Host fields"},
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding is not supported"},
		{"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "malformed Content-Length"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct http_request r = {0};
		assert_fails(parse(rows[i].text, &r, &failure), rows[i].error);
		g_assert_null(r.method);
	}
}

static void test_form(void)
{
	static const struct {
		const char *text, *value;
	} rows[] = {{"a=1&ref=x+y%2Fz&ref=2", "x y/z"},
		    {"ref=", ""},
		    {"ref", NULL},
		    {"reference=1", NULL},
		    {"ref=%zz", NULL},
		    {"", NULL}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *value = http_form_get(rows[i].text, "ref");
		g_assert_cmpstr(value, ==, rows[i].value);
	}
}

static void test_cookie(void)
{
	g_autofree char *found = http_cookie_get("ab=1; a=2;a=3", "a"), *missing = http_cookie_get("ab=1", "a"),
			*none = http_cookie_get(NULL, "a");
	g_assert_cmpstr(found, ==, "2");
	g_assert_null(missing);
	g_assert_null(none);
}

static void test_host(void)
{
	static const char *const good[] = {"localhost",      "LOCALHOST:6060", "127.0.0.1", "127.0.0.1:6060",
					   "192.168.1.5:80", "[::1]",          "[::1]:6060"};
	static const char *const bad[] = {"",
					  "attacker.example",
					  "attacker.example:6060",
					  "localhost.attacker.example",
					  "[::1",
					  "127.0.0.1.example.com",
					  "127.0.0.1:80@evil",
					  "[::1]x",
					  "[]",
					  "localhost:80:90",
					  "::1"};
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		g_assert_true(http_host_is_literal(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		g_assert_false(http_host_is_literal(bad[i]));
	g_assert_false(http_host_is_literal(NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/http_request/parse", test_parse);
	g_test_add_func("/http_request/minimal", test_minimal);
	g_test_add_func("/http_request/refused", test_refused);
	g_test_add_func("/http_request/form", test_form);
	g_test_add_func("/http_request/cookie", test_cookie);
	g_test_add_func("/http_request/host", test_host);
	return g_test_run();
}
