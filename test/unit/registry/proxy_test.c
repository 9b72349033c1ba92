/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/proxy.h"
#include "lib/outcome.h"

static char *find(const proxy_config *p, const char *url)
{
	g_auto(http_url) u = {0};
	char *proxy = NULL;
	assert_succeeds(http_url_parse(url, &u, &failure));
	assert_succeeds(proxy_find(p, &u, &proxy, &failure));
	return proxy;
}

static void assert_direct(const char *no_proxy, const char *url, bool direct)
{
	g_autoptr(proxy_config) p = proxy_config_new("http://proxy:1", "http://proxy:2", no_proxy, false);
	g_autofree char *got = find(p, url);
	if (!got != direct)
		g_error("no_proxy \"%s\", %s: %s", no_proxy, url, got ? got : "direct");
}

/* Expected results are those of golang.org/x/net/http/httpproxy. */
static void test_no_proxy(void)
{
	static const struct {
		const char *no_proxy, *url;
		bool direct;
	} table[] = {
		{"", "http://example.com/", false},
		{"", "http://localhost/", true},
		{"", "http://localhost:5000/", true},
		{"", "http://LOCALHOST/", true},
		{"", "http://127.0.0.1:8080/", true},
		{"", "http://127.9.9.9/", true},
		{"", "https://[::1]:1/", true},
		{"", "http://[::ffff:127.0.0.1]/", true},
		{"", "http://localhost.example/", false},
		{"*", "http://example.com/", true},
		{"a,*,b", "https://1.2.3.4/", true},
		{"example.com", "http://example.com/", true},
		{"example.com", "http://EXAMPLE.com:8080/", true},
		{"example.com", "http://sub.example.com/", true},
		{"example.com", "http://notexample.com/", false},
		{".example.com", "http://example.com/", false},
		{".example.com", "http://sub.example.com/", true},
		{"*.example.com", "http://example.com/", false},
		{"*.example.com", "http://a.b.example.com/", true},
		{" Example.COM , other", "http://example.com/", true},
		{"example.com:443", "https://example.com/", true},
		{"example.com:443", "http://example.com/", false},
		{"example.com:8080", "http://sub.example.com:8080/", true},
		{"example.com:", "http://example.com:9/", true},
		{":80", "http://example.com/", false},
		{"example", "http://example.com/", false},
		{"10.0.0.0/8", "http://10.1.2.3/", true},
		{"10.0.0.0/8", "http://11.1.2.3/", false},
		{"10.0.0.0/8", "http://name/", false},
		{"10.1.0.0/15", "http://10.0.255.255/", true},
		{"10.0.0.0/33", "http://10.0.0.0/", false},
		{"0.0.0.0/0", "http://1.2.3.4/", true},
		{"0.0.0.0/0", "http://[2001:db8::1]/", false},
		{"2001:db8::/32", "http://[2001:db8:1::1]/", true},
		{"2001:db8::/32", "http://[2001:db9::1]/", false},
		{"1.2.3.4", "http://1.2.3.4:99/", true},
		{"1.2.3.4:80", "http://1.2.3.4/", true},
		{"1.2.3.4:80", "https://1.2.3.4/", false},
		{"[2001:db8::1]:443", "https://[2001:db8::1]/", true},
		{"[2001:db8::1]:443", "http://[2001:db8::1]/", false},
		{"2001:db8::1", "http://[2001:DB8:0::1]/", true},
		{"2.3.4", "http://1.2.3.4/", false},
		{"b\xc3\xbc"
		 "cher.example",
		 "http://xn--bcher-kva.example/", true},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		assert_direct(table[i].no_proxy, table[i].url, table[i].direct);
}

static void assert_proxy(const proxy_config *p, const char *url, const char *expected)
{
	g_autofree char *got = find(p, url);
	g_assert_cmpstr(got, ==, expected);
}

static void test_choice(void)
{
	g_autoptr(proxy_config) both = proxy_config_new("p:3128", "https://user:pw@q", NULL, false);
	assert_proxy(both, "http://example.com/", "http://p:3128");
	assert_proxy(both, "https://example.com/", "https://user:pw@q");
	g_autoptr(proxy_config) one = proxy_config_new("", "socks5://s:1080", NULL, false);
	assert_proxy(one, "http://example.com/", NULL);
	assert_proxy(one, "https://example.com/", "socks5h://s:1080");
	/* In a CGI program HTTP_PROXY comes from a header of its client. */
	g_autoptr(proxy_config) cgi = proxy_config_new("p", "q", NULL, true);
	g_auto(http_url) u = {0};
	char *proxy = NULL;
	g_autoptr(GError) error = NULL;
	assert_succeeds(http_url_parse("http://example.com/", &u, &failure));
	g_assert_false(proxy_find(cgi, &u, &proxy, &error));
	g_assert_error(error, error_domain(), ERROR_FAILED_PRECONDITION);
	assert_proxy(cgi, "https://example.com/", "http://q");
}

/* Upper-case names take precedence, empty ones count as unset, all_proxy is ignored. main sets them. */
static void test_environment(void)
{
	assert_proxy(proxy_from_environment(), "http://example.com/", "http://upper:1");
	assert_proxy(proxy_from_environment(), "https://example.com/", "http://lower:2");
	assert_proxy(proxy_from_environment(), "https://direct.example/", NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_setenv("HTTP_PROXY", "upper:1", TRUE);
	g_setenv("http_proxy", "lower:1", TRUE);
	g_setenv("HTTPS_PROXY", "", TRUE);
	g_setenv("https_proxy", "lower:2", TRUE);
	g_setenv("ALL_PROXY", "all:3", TRUE);
	g_setenv("all_proxy", "all:3", TRUE);
	g_unsetenv("REQUEST_METHOD");
	g_unsetenv("NO_PROXY");
	g_setenv("no_proxy", "direct.example", TRUE);
	g_test_add_func("/proxy/no-proxy", test_no_proxy);
	g_test_add_func("/proxy/choice", test_choice);
	g_test_add_func("/proxy/environment", test_environment);
	return g_test_run();
}
