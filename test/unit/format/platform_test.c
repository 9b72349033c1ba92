/* SPDX-License-Identifier: Apache-2.0 */
#include "format/platform.h"
#include "lib/outcome.h"

static void test_parse(void)
{
	static const struct {
		const char *text, *formatted;
	} rows[] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"Linux/AMD64/v1", "linux/amd64"},
		{"linux/amd64/v2", "linux/amd64/v2"},
		{"linux/arm64", "linux/arm64"},
		{"linux/aarch64/v8", "linux/arm64"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/armhf", "linux/arm/v7"},
		{"linux/armel", "linux/arm/v6"},
		{"linux/arm/6", "linux/arm/v6"},
		{"linux/i386", "linux/386"},
		{"arm64", "linux/arm64"},
		{"macos/arm64", "darwin/arm64"},
		{"windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"},
		{"linux(+a%2Fb)/amd64", "linux/amd64"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct platform p;
		GError *error = NULL;
		g_assert_true(platform_parse(rows[i].text, &p, &error));
		g_assert_no_error(error);
		g_autofree char *text = platform_format_all(&p);
		g_assert_cmpstr(text, ==, rows[i].formatted);
	}
	struct platform host, linux_only;
	platform_host(&host);
	assert_succeeds(platform_parse("linux", &linux_only, &failure));
	g_assert_true(platform_equal(&host, &linux_only));
}

static void test_bad(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"*", "\"*\": wildcards not yet supported: invalid argument"},
		{"foo", "\"foo\": unknown operating system or architecture: invalid argument"},
		{"linux/amd64/v1/x", "\"linux/amd64/v1/x\": cannot parse platform specifier: invalid argument"},
		{"linux/a b",
		 "\"a b\" is an invalid component of \"linux/a b\": platform specifier component must match "
		 "\"^[A-Za-z0-9_.-]+$\": invalid argument"},
		{"", "\"\" is an invalid OS component of \"\": OSAndVersion specifier component must match "
		     "\"^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.%-]*)((?:\\\\+[A-Za-z0-9_.%-]+)*)\\\\))?$\": invalid "
		     "argument"},
		{"linux/", "\"\" is an invalid component of \"linux/\": platform specifier component must match "
			   "\"^[A-Za-z0-9_.-]+$\": invalid argument"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct platform p;
		g_autoptr(GError) error = NULL;
		g_assert_false(platform_parse(rows[i].text, &p, &error));
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
}

static int rank(const char *want, const char *have)
{
	struct platform w, h;
	assert_succeeds(platform_parse(want, &w, &failure));
	assert_succeeds(platform_parse(have, &h, &failure));
	return platform_match(&w, &h);
}

static void test_match(void)
{
	static const struct {
		const char *want, *better, *worse;
	} rows[] = {
		{"linux/amd64", "linux/amd64", "linux/386"},
		{"linux/amd64/v3", "linux/amd64/v2", "linux/amd64"},
		{"linux/arm/v7", "linux/arm/v7", "linux/arm/v6"},
		{"linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
		{"linux/arm64", "linux/arm64", "linux/arm/v8"},
		{"linux/arm64", "linux/arm/v8", "linux/arm/v7"},
		{"linux/arm64/v9", "linux/arm64/v9", "linux/arm64"},
		{"linux/arm64/v8.2", "linux/arm64/v8.2", "linux/arm64/v8.1"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_assert_cmpint(rank(rows[i].want, rows[i].better), >, rank(rows[i].want, rows[i].worse));
		g_assert_cmpint(rank(rows[i].want, rows[i].worse), >, 0);
	}
	g_assert_cmpint(rank("linux/amd64", "linux/amd64/v2"), ==, 0);
	g_assert_cmpint(rank("linux/arm/v6", "linux/arm/v7"), ==, 0);
	g_assert_cmpint(rank("linux/amd64", "linux/arm64"), ==, 0);
	g_assert_cmpint(rank("linux/amd64", "windows/amd64"), ==, 0);
	g_assert_cmpint(rank("linux/arm/v5", "linux/arm64"), ==, 0);
	g_assert_cmpint(rank("linux/s390x", "linux/s390x"), ==, 100);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/platform/parse", test_parse);
	g_test_add_func("/platform/bad", test_bad);
	g_test_add_func("/platform/match", test_match);
	return g_test_run();
}
