/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/names.h"

static void check(const char *host, const struct names_overrides *o, bool host_network, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = names_resolv_text(host, o, host_network, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(text, ==, expected);
}

#define PUBLIC                                                                                                         \
	"nameserver 8.8.8.8\nnameserver 8.8.4.4\nnameserver 2001:4860:4860::8888\nnameserver 2001:4860:4860::8844\n"

static void test_resolv(void)
{
	const struct names_overrides none = {0};
	check("", &none, false, PUBLIC);
	check("", &none, true, PUBLIC);
	check("# c\n; d\n\nnameserver 10.0.0.1\nnameserver 127.0.0.1\nnameserver ::1\nnameserver bad\nsearch a "
	      "b\nsearch c\n"
	      "options ndots:2\noptions  edns0\nsortlist 1\n",
	      &none, false, "nameserver 10.0.0.1\nsearch c\noptions ndots:2 edns0\nsortlist 1\n");
	check("nameserver 127.0.0.53\n", &none, true, "nameserver 127.0.0.53\n");
	check("nameserver 127.0.0.53\n", &none, false, PUBLIC);
	check("nameserver\tfe80::1%eth0\ndomain x\nnameserver\n", &none, false, "nameserver fe80::1%eth0\nsearch x\n");
	const char *const servers[] = {"127.0.0.1", "FE80::0:1", NULL}, *const search[] = {".", "d", NULL},
			  *const options[] = {"rotate", NULL};
	const struct names_overrides all = {servers, options, search};
	check("nameserver 1.1.1.1\nsearch x\noptions y\n", &all, false,
	      "nameserver 127.0.0.1\nnameserver fe80::1\nsearch d\noptions rotate\n");
	const char *const wrong[] = {"nope", NULL};
	const struct names_overrides bad = {.nameservers = wrong};
	g_autoptr(GError) error = NULL;
	g_assert_null(names_resolv_text("", &bad, false, &error));
	g_assert_true(g_str_has_prefix(error->message, "bad nameserver address: "));
}

static void test_stub(void)
{
	g_assert_true(names_is_resolved_stub("nameserver 127.0.0.53\noptions edns0\n"));
	g_assert_false(names_is_resolved_stub("nameserver 127.0.0.53\nnameserver 1.1.1.1\n"));
	g_assert_false(names_is_resolved_stub(""));
}

static void test_hosts(void)
{
	const struct step_host hosts[] = {{"db", "10.0.0.1"}};
	g_autofree char *text = names_hosts_text("", hosts, 1);
	g_assert_cmpstr(
		text, ==,
		"127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\tdb\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/names/resolv", test_resolv);
	g_test_add_func("/names/stub", test_stub);
	g_test_add_func("/names/hosts", test_hosts);
	return g_test_run();
}
