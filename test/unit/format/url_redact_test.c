/* SPDX-License-Identifier: Apache-2.0 */
#include "format/url_redact.h"

static void test_url(void)
{
	static const char *const rows[][2] = {
		{"https://user:pw@host/x?y", "https://xxxxx:xxxxx@host/x?y"},
		{"https://host/x", "https://host/x"},
		{"ssh://git@host/x", "ssh://xxxxx@host/x"},
		{"https://:pw@host", "https://:xxxxx@host"},
		{"https://u:p@w@host/a@b", "https://xxxxx:xxxxx@host/a@b"}, /* up to the last @ of the authority */
		{"https://host/?q=a@b", "https://host/?q=a@b"},
		{"git@host:x/y", "git@host:x/y"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got = url_redact(rows[i][0]);
		g_assert_cmpstr(got, ==, rows[i][1]);
	}
}

static void test_text(void)
{
	static const char *const rows[][2] = {
		{"ADD https://u:pw@h/x https://v:w@h/y /", "ADD https://xxxxx:xxxxx@h/x https://xxxxx:xxxxx@h/y /"},
		{"RUN curl \"ftp://u:pw@h\"", "RUN curl \"ftp://xxxxx:xxxxx@h\""},
		{"ARG X=http://u:pw@h/", "ARG X=http://xxxxx:xxxxx@h/"},
		{"http://:pw@h", "http://:xxxxx@h"},
		{"https://u:p@w@h/a@b", "https://xxxxx:xxxxx@h/a@b"},
		{"ADD https://token@github.com/a/b.git /", "ADD https://xxxxx@github.com/a/b.git /"},
		{"http://token:@h", "http://xxxxx@h"},
		{"{\"a\":\"http://u:p\\u0026w@h\"}", "{\"a\":\"http://xxxxx:xxxxx@h\"}"},
		/* shown unchanged */
		{"ADD ssh://git@h/x /", NULL},
		{"ADD git@h:a/b.git /", NULL},
		{"RUN sed -i s@http://deb.debian.org@http://mirror@ /etc/apt/sources.list", NULL},
		{"ADD https://h/x?q=a:b@c /", NULL},
		{"see http://h:80 or a:b@c", NULL},
		{"ftp://u:@h http://@h ://u:p@h", NULL},
		{"", NULL},
		{"http://", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *got = url_redact_text(rows[i][0], -1);
		g_assert_cmpstr(got, ==, rows[i][1]);
	}
	g_autofree char *cut = url_redact_text("http://u:p@h", 10);
	g_assert_null(cut);
	g_assert_null(url_redact_text(NULL, 0)); /* the data of empty GBytes */
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/url-redact/url", test_url);
	g_test_add_func("/url-redact/text", test_text);
	return g_test_run();
}
