/* SPDX-License-Identifier: Apache-2.0 */
#include "format/http_url.h"

/* Expected request targets are those that Go's net/http sends. */
static void test_targets(void)
{
	static const struct {
		const char *url, *target, *authority, *host;
		int port;
	} table[] = {
		{"http://h", "/", "h", "h", 80},
		{"https://H.Example/x", "/x", "H.Example", "h.example", 443},
		{"http://h:5000?a=b", "/?a=b", "h:5000", "h", 5000},
		{"http://h/x?", "/x?", "h", "h", 80},
		{"http://h/a/../b/./c//d", "/a/../b/./c//d", "h", "h", 80},
		{"http://h/%2e%2E/%7Euser/a%2Fb", "/%2e%2E/%7Euser/a%2Fb", "h", "h", 80},
		{"http://h/~!$&'()*+,;=:@[x]", "/~!$&'()*+,;=:@[x]", "h", "h", 80},
		{"http://h/a b", "/a%20b", "h", "h", 80},
		{"http://h/a b/c%2Fd(1)", "/a%20b/c/d%281%29", "h", "h", 80},
		{"http://h/\xc3\xa4", "/%C3%A4", "h", "h", 80},
		{"http://h/x?q=\xc3\xa4&p=%zz|\"", "/x?q=\xc3\xa4&p=%zz|\"", "h", "h", 80},
		{"http://h/x?a b", "/x?a%20b", "h", "h", 80},
		{"http://h/x#y?z", "/x", "h", "h", 80},
		{"http://u:p@h:1/x", "/x", "h:1", "h", 1},
		{"http://u:p@evil@h/x", "/x", "h", "h", 80},
		{"https://[2001:db8::1]:8443/x", "/x", "[2001:db8::1]:8443", "2001:db8::1", 8443},
		{"https://[::1]/x", "/x", "[::1]", "::1", 443},
		{"HTTP://h/x", "/x", "h", "h", 80},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(http_url) u = {0};
		GError *error = NULL;
		g_assert_true(http_url_parse(table[i].url, &u, &error));
		g_assert_no_error(error);
		g_assert_cmpstr(u.target, ==, table[i].target);
		g_assert_cmpstr(u.authority, ==, table[i].authority);
		g_assert_cmpstr(u.host, ==, table[i].host);
		g_assert_cmpint(u.port, ==, table[i].port);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *url, *error;
	} table[] = {
		{"", "unsupported protocol scheme \"\" of \"\""},
		{"h/x", "unsupported protocol scheme \"\" of \"h/x\""},
		{"//h/x", "unsupported protocol scheme \"\" of \"//h/x\""},
		{"ftp://h/x", "unsupported protocol scheme \"ftp\" of \"ftp://h/x\""},
		{"file:///etc/passwd", "unsupported protocol scheme \"file\" of \"file:///etc/passwd\""},
		{"http:h", "no host in URL \"http:h\""},
		{"http:///x", "no host in URL \"http:///x\""},
		{"http://:80/x", "no host in URL \"http://:80/x\""},
		{"http://h:x/", "parse \"http://h:x/\": invalid port \":x\" after host"},
		{"http://h:65536/", "parse \"http://h:65536/\": invalid port \":65536\" after host"},
		{"http://h:-1/", "parse \"http://h:-1/\": invalid port \":-1\" after host"},
		{"http://[::1/x", "parse \"http://[::1/x\": missing ']' in host"},
		{"http://[::1]x/", "parse \"http://[::1]x/\": invalid port \"x\" after host"},
		{"http://h/%zz", "parse \"http://h/%zz\": invalid URL escape \"%zz\""},
		{"http://h/%a", "parse \"http://h/%a\": invalid URL escape \"%a\""},
		{"http://a b/", "parse \"http://a b/\": invalid character in host name"},
		{"http://h/\r\nX: y", "invalid control character in URL"},
		{"http://h/\x7f", "invalid control character in URL"},
		{"http://h\\@e/", "parse \"http://e/\": invalid userinfo"},
		{"http://h%41/", "parse \"http://h%41/\": invalid character in host name"},
		{" http://h/", "unsupported protocol scheme \"\" of \" http://h/\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(http_url) u = {0};
		g_autoptr(GError) error = NULL;
		g_assert_false(http_url_parse(table[i].url, &u, &error));
		g_assert_error(error, error_domain(), ERROR_INVALID_ARGUMENT);
		g_assert_cmpstr(error->message, ==, table[i].error);
		g_assert_null(u.target);
	}
}

static void test_resolve(void)
{
	static const struct {
		const char *base, *location, *result; /* NULL: refused */
	} table[] = {
		{"http://h/a/b?q", "/c", "http://h/c"},
		{"http://h/a/b?q", "c?x", "http://h/a/c?x"},
		{"http://h/a/b?q", "?x", "http://h/a/b?x"},
		{"http://h/a/b?q", "#f", "http://h/a/b?q"},
		{"http://h/a/b", "../c/./d", "http://h/c/d"},
		{"http://h/a/b", "../../../c", "http://h/c"},
		{"http://h/a/b/", "..", "http://h/a/"},
		{"http://h/a", "/b/.", "http://h/b/"},
		{"http://h/a", "/b/a%2F..%2Fc", "http://h/b/a%2F..%2Fc"},
		{"http://h/a", "/b c", "http://h/b%20c"},
		{"https://h/a", "//other:1/x", "https://other:1/x"},
		{"https://h/a", "http://other/x?y#z", "http://other/x?y"},
		{"http://u:p@h/a", "/b", "http://u:p@h/b"},
		{"http://u:p@h/a", "http://g/b", "http://g/b"},
		{"http://h/a", "https://u:p@g/b", "https://u:p@g/b"},
		{"http://h/a", "file:///etc/passwd", NULL},
		{"http://h/a", "gopher://h/", NULL},
		{"http://h/a", "//", NULL},
		{"http://h/a", "/%zz", NULL},
		{"http://h/a", "/\x01", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *got = http_url_resolve(table[i].base, table[i].location, &error);
		g_assert_cmpstr(got, ==, table[i].result);
		g_assert_true(!got == !!error);
	}
}

static void test_compare(void)
{
	g_assert_true(http_url_same_origin("http://h/a", "http://H:80/b?c"));
	g_assert_true(http_url_same_origin("https://h:443", "https://u:p@h/"));
	g_assert_false(http_url_same_origin("http://h", "https://h"));
	g_assert_false(http_url_same_origin("http://h:443", "https://h"));
	g_assert_false(http_url_same_origin("http://h:1", "http://h:2"));
	g_assert_false(http_url_same_origin("http://h:1@g", "http://h:1"));
	g_assert_false(http_url_same_origin("http://h.example", "http://sub.h.example"));
	g_assert_false(http_url_same_origin("", ""));
}

static void test_show(void)
{
	static const char *const table[][2] = {
		{"http://user:secret@h/x?y", "http://h/x?y"},
		{"http://token@h", "http://h"},
		{"http://h/x@y", "http://h/x@y"},
		{"garbage", "invalid URL"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autofree char *got = http_url_show(table[i][0]);
		g_assert_cmpstr(got, ==, table[i][1]);
	}
	g_autofree char *escaped = http_url_query_escape("repository:a/b c:pull,push~\xc3\xa4");
	g_assert_cmpstr(escaped, ==, "repository%3Aa%2Fb+c%3Apull%2Cpush~%C3%A4");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/http_url/targets", test_targets);
	g_test_add_func("/http_url/refused", test_refused);
	g_test_add_func("/http_url/resolve", test_resolve);
	g_test_add_func("/http_url/compare", test_compare);
	g_test_add_func("/http_url/show", test_show);
	return g_test_run();
}
