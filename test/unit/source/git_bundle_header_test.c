/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_bundle_header.h"
#include <string.h>

#define V2 "# v2 git bundle\n"
#define V3 "# v3 git bundle\n"
#define ID "1111111111111111111111111111111111111111"
#define LONG_ID ID "222222222222222222222222"

static void test_read(void)
{
	static const struct {
		const char *text, *want; /* "refs" and "long", or "!error" */
	} cases[] = {
		{V2 ID " refs/heads/main\n\n", "1"},
		{V2 ID " refs/heads/main\n" ID " HEAD\n\n", "2"},
		{V3 "@object-format=sha256\n" LONG_ID " HEAD\n\n", "1 long"},
		{V3 "@filter=blob:none\n" ID " HEAD\n\n", "1"},
		{V2 ID " a\n", "1"}, /* git reports the missing end */
		{V2 ID "\n\n", "1"},
		{"", "!not a git bundle of version 2 or 3"},
		{"text\n", "!not a git bundle of version 2 or 3"},
		{"# v9 git bundle\n" ID " HEAD\n\n", "!not a git bundle of version 2 or 3"},
		{V2 "\n", "!no refs found"},
		{V2 "@object-format=sha256\n\n", "!invalid object ID @object-format=sha256"},
		{V2 "1111 HEAD\n\n", "!invalid object ID 1111"},
		{V2 "-" ID " first\n-" ID "\n" ID " HEAD\n\n", "!the bundle needs 2 commits that it does not contain"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct git_bundle_header h;
		g_autoptr(GError) error = NULL;
		bool ok = git_bundle_header_read(cases[i].text, strlen(cases[i].text), &h, &error);
		g_autofree char *got = ok ? g_strdup_printf("%zu%s", h.refs, h.long_ids ? " long" : "")
					  : g_strconcat("!", error->message, NULL);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
	struct git_bundle_header h;
	g_autoptr(GError) error = NULL;
	static const char zero[] = V2 ID " a\0b\n\n";
	g_assert_false(git_bundle_header_read(zero, sizeof zero - 1, &h, &error));
	g_assert_cmpstr(error->message, ==, "not a git bundle");
}

static void test_length(void)
{
	g_assert_cmpuint(git_bundle_header_length("a\nb\n\nPACK\n\n", 11), ==, 5);
	g_assert_cmpuint(git_bundle_header_length("a\nb\n\nPACK", 4), ==, 0);
	g_assert_cmpuint(git_bundle_header_length("", 0), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/git-bundle-header/read", test_read);
	g_test_add_func("/git-bundle-header/length", test_length);
	return g_test_run();
}
