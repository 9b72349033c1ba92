/* SPDX-License-Identifier: Apache-2.0 */
#include "format/reference.h"
#include <string.h>

#define SHA "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_good(void)
{
	static const struct {
		const char *text, *full, *familiar;
	} rows[] = {
		{"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"busybox:1.0", "docker.io/library/busybox:1.0", "busybox:1.0"},
		{"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
		{"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
		{"me/app", "docker.io/me/app:latest", "me/app:latest"},
		{"localhost/app", "localhost/app:latest", "localhost/app:latest"},
		{"localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"},
		{"example.com/a/b-c__d.e", "example.com/a/b-c__d.e:latest", "example.com/a/b-c__d.e:latest"},
		{"[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"},
		{"Upper/app", "Upper/app:latest", "Upper/app:latest"},
		{"busybox@" SHA, "docker.io/library/busybox@" SHA, "busybox@" SHA},
		{"busybox:1@" SHA, "docker.io/library/busybox:1@" SHA, "busybox:1@" SHA},
		{"a----b/c", "docker.io/a----b/c:latest", "a----b/c:latest"},
		{"busybox:_x.y-Z", "docker.io/library/busybox:_x.y-Z", "busybox:_x.y-Z"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		GError *error = NULL;
		g_autoptr(reference) r = reference_parse_normalized(rows[i].text, &error);
		g_assert_no_error(error);
		reference_tag_default(r);
		g_autofree char *full = reference_text(r), *familiar = reference_familiar(r);
		g_assert_cmpstr(full, ==, rows[i].full);
		g_assert_cmpstr(familiar, ==, rows[i].familiar);
		/* The printed text parses to the same reference. */
		g_autoptr(reference) again = reference_parse_normalized(full, &error);
		g_assert_no_error(error);
		g_autofree char *twice = reference_text(again);
		g_assert_cmpstr(twice, ==, full);
	}
}

static void test_bad(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"", "invalid reference format"},
		{"BAD//x", "invalid reference format"},
		{"a//b", "invalid reference format"},
		{"-a/b", "invalid reference format"},
		{"a b", "invalid reference format"},
		{"a___b", "invalid reference format"},
		{"a..b", "invalid reference format"},
		{"a-", "invalid reference format"},
		{"a:", "invalid reference format"},
		{"a:-x", "invalid reference format"},
		{"a@sha256:0123", "invalid reference format"},
		{"-x.com/a", "invalid reference format"},
		{"x.com:port/a", "invalid reference format"},
		{"Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"},
		{"x.com/Foo:v1", "invalid reference format: repository name (Foo) must be lowercase"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "invalid repository name (0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef), cannot "
		 "specify "
		 "64-byte hexadecimal strings"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(reference_parse_normalized(rows[i].text, &error));
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
	g_autofree char *path = g_strnfill(256, 'a');
	g_autofree char *text = g_strconcat("x.com/", path, NULL);
	g_autoptr(GError) error = NULL;
	g_assert_null(reference_parse_normalized(text, &error));
	g_assert_cmpstr(error->message, ==, "repository name must not be more than 255 characters");
	g_autofree char *tag = g_strnfill(129, 'a');
	g_autofree char *tagged = g_strconcat("x.com/a:", tag, NULL);
	g_assert_null(reference_parse_normalized(tagged, NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reference/good", test_good);
	g_test_add_func("/reference/bad", test_bad);
	return g_test_run();
}
