/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/target.h"
#include <string.h>

static void test_forms(void)
{
	static const struct {
		const char *text, *url, *policy;
	} cases[] = {
		{"http://example.com", "http://example.com/", NULL},
		{"HTTP://Example.COM.:80/a", "http://example.com/a", NULL},
		{"https://example.com:443/a?b=c%2f", "https://example.com/a?b=c%2f", "https://example.com/a?b=c%2F"},
		{"https://example.com:8443?q", "https://example.com:8443/?q", NULL},
		{"http://u:p@example.com/a", "http://example.com/a", NULL},
		{"http://a@b@example.com/", NULL, NULL},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8080/", NULL},
		{"http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x", NULL},
		{"http://[::1]:8080/x", "http://[::1]:8080/x", NULL},
		{"http://h/a/./b/../c", "http://h/a/c", NULL},
		{"http://h/a/%2e%2E/b/.", "http://h/b/", NULL},
		{"http://h/../../x/..", "http://h/", NULL},
		{"http://h/...//a", "http://h/...//a", NULL},
		{"http://h/%61%2f%7e%zz", "http://h/%61%2f%7e%zz", "http://h/a%2F~%zz"},
		{"http://h_1.example/", "http://h_1.example/", NULL},
		{"http://3com.example/", "http://3com.example/", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(netproxy_target) t = {0};
		bool ok = netproxy_target_parse(cases[i].text, strlen(cases[i].text), &t, NULL);
		g_test_message("%s", cases[i].text);
		g_assert_cmpint(ok, ==, cases[i].url != NULL);
		if (!ok)
			continue;
		g_autofree char *url = netproxy_target_url(&t), *policy = netproxy_target_policy_url(&t);
		g_assert_cmpstr(url, ==, cases[i].url);
		g_assert_cmpstr(policy, ==, cases[i].policy ? cases[i].policy : cases[i].url);
	}
}

/* A server must not be reachable under a text that no policy expects. */
static void test_refused(void)
{
	static const char *const cases[] = {
		"",
		"/path",
		"ftp://h/",
		"http:/h/",
		"http://",
		"http:///x",
		"http://h:0/",
		"http://h:65536/",
		"http://h:80x/",
		"http://h:/",
		"http://h:-1/",
		"http://a..b/",
		"http://.a/",
		"http://a b/",
		"http://h/a b",
		"http://h/#f",
		"http://h/\x7f",
		"http://h/\xc3\xa4",
		"http://h%41/",
		"http://127.1/",
		"http://2130706433/",
		"http://0x7f000001/",
		"http://0x7f.0.0.1/",
		"http://0177.0.0.1/",
		"http://169.254.169.254.5/",
		"http://1.2.3.4.:80.1/",
		"http://[::ffff:127.0.0.1]/",
		"http://[::127.0.0.1]/",
		"http://[fe80::1%25eth0]/",
		"http://[::1/",
		"http://[::1]x/",
		"http://h/\\..\\",
		"http://u\"@h/",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(netproxy_target) t = {0};
		g_autoptr(GError) error = NULL;
		g_test_message("%s", cases[i]);
		g_assert_false(netproxy_target_parse(cases[i], strlen(cases[i]), &t, &error));
		g_assert_error(error, error_domain(), ERROR_INVALID_ARGUMENT);
	}
	g_auto(netproxy_target) nul = {0};
	g_assert_false(netproxy_target_parse("http://h\0.x/", 12, &nul, NULL));
	g_assert_false(netproxy_target_parse("http://h/a\0b", 12, &nul, NULL));
	g_assert_false(netproxy_target_parse("http://u\0@h/", 12, &nul, NULL));
}

static void test_authorities(void)
{
	g_auto(netproxy_target) t = {0};
	g_assert_true(netproxy_target_parse_authority("Example.com:443", 15, &t, NULL));
	g_assert_true(t.is_https);
	g_autofree char *text = netproxy_target_authority(&t);
	g_assert_cmpstr(text, ==, "example.com");
	g_assert_true(netproxy_target_is_host(&t, "example.com"));
	g_assert_true(netproxy_target_is_host(&t, "EXAMPLE.com.:443"));
	g_assert_false(netproxy_target_is_host(&t, "example.com:80"));
	g_assert_false(netproxy_target_is_host(&t, "other.com"));
	g_assert_false(netproxy_target_is_host(&t, ""));
	netproxy_target_clear(&t);
	g_assert_true(netproxy_target_parse_authority("[::1]:25", 8, &t, NULL));
	g_autofree char *six = netproxy_target_authority(&t);
	g_assert_cmpstr(six, ==, "[::1]:25");
	static const char *const refused[] = {"example.com", "example.com:", ":443",   "",
					      "[::1]",       "u@h:443",      "h:443/", "h:0"};
	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_auto(netproxy_target) none = {0};
		g_assert_false(netproxy_target_parse_authority(refused[i], strlen(refused[i]), &none, NULL));
	}
}

static void test_credentials(void)
{
	static const struct {
		const char *url, *header;
	} cases[] = {
		{"http://user:pass@h/", "Basic dXNlcjpwYXNz"},
		{"http://us%65r:p%3Ass@h/", "Basic dXNlcjpwOnNz"},
		{"http://token@h/", "Basic dG9rZW46"},
		{"http://h/", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(netproxy_target) t = {0};
		g_assert_true(netproxy_target_parse(cases[i].url, strlen(cases[i].url), &t, NULL));
		g_autofree char *header = netproxy_target_authorization(&t);
		g_assert_cmpstr(header, ==, cases[i].header);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/netproxy/target/forms", test_forms);
	g_test_add_func("/netproxy/target/refused", test_refused);
	g_test_add_func("/netproxy/target/authorities", test_authorities);
	g_test_add_func("/netproxy/target/credentials", test_credentials);
	return g_test_run();
}
