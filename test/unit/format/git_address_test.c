/* SPDX-License-Identifier: Apache-2.0 */
#include "format/git_address.h"

static void test_parse(void)
{
	static const struct {
		const char *text, *want; /* scheme|user|host|path|query|fragment|remote|safe; NULL: none of git's */
	} cases[] = {
		{"https://h/a.git", "https|-|h|/a.git|-|-|https://h/a.git|safe"},
		{"HTTPS://u:p@h:8/a%20b?x=y#v1:dir", "https|u:p|h:8|/a b|x=y|v1:dir|https://u:p@h:8/a%20b|safe"},
		{"git@github.com:a/b.git#v1:x", "ssh|git|github.com|a/b.git|-|v1:x|git@github.com:a/b.git|safe"},
		{"git@h:?x", NULL},
		{"ssh://-oProxyCommand=x/y", "ssh|-|-oProxyCommand=x|/y|-|-|ssh://-oProxyCommand=x/y|unsafe"},
		{"ssh://-l@h/y", "ssh|-l|h|/y|-|-|ssh://-l@h/y|unsafe"},
		{"git@-h:y", "ssh|git|-h|y|-|-|git@-h:y|unsafe"},
		{"git@h:-y", "ssh|git|h|-y|-|-|git@h:-y|unsafe"},
		{"git@h:a b", "ssh|git|h|a b|-|-|git@h:a b|unsafe"},
		{"https://h/a%0Ab", "https|-|h|/a\nb|-|-|https://h/a%0Ab|unsafe"},
		{"https:///a", "https|-||/a|-|-|https:///a|unsafe"},
		{"https://[::1]:8/a", "https|-|[::1]:8|/a|-|-|https://[::1]:8/a|safe"},
		{"https://[::1/a", "https|-|[::1|/a|-|-|https://[::1/a|unsafe"},
		{"https://ext::sh", "https|-|ext::sh||-|-|https://ext::sh|unsafe"},
		{"https://h:x/a", "https|-|h:x|/a|-|-|https://h:x/a|unsafe"},
		{"http://h", "http|-|h||-|-|http://h|safe"},
		{"ext::sh -c x", NULL},
		{"file:///etc", NULL},
		{"/etc", NULL},
		{"", NULL},
		{"://h/a", NULL},
		{"a b@h:x", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(git_address) a = {0};
		bool ok = git_address_parse(cases[i].text, &a);
		g_assert_cmpint(ok, ==, cases[i].want != NULL);
		if (!ok)
			continue;
		g_autofree char *got =
			g_strdup_printf("%s|%s|%s|%s|%s|%s|%s|%s", a.scheme, a.user_info ? a.user_info : "-", a.host,
					a.path, a.query ? a.query : "-", a.fragment ? a.fragment : "-", a.remote,
					git_address_is_safe(&a) ? "safe" : "unsafe");
		g_assert_cmpstr(got, ==, cases[i].want);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/git_address/parse", test_parse);
	return g_test_run();
}
