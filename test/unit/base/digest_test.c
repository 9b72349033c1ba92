/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

static void test_known_answers(void)
{
	struct digest d;
	digest_of("", 0, &d);
	g_assert_cmpstr(d.text, ==, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	g_autoptr(hasher) h = hasher_new("sha512");
	hasher_update(h, "abc", 3);
	hasher_finish(h, &d);
	g_assert_true(g_str_has_prefix(d.text, "sha512:ddaf35a193617abacc417349ae204131"));
	g_assert_true(digest_is_valid(d.text));
	digest_of("", 0, &d);
	g_autofree char *path = digest_blob_path(&d);
	g_assert_cmpstr(path, ==, "blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_grammar(void)
{
	static const char *const bad[] = {
		"",
		"sha256:",
		"sha256:zz",
		"md5:d41d8cd98f00b204e9800998ecf8427e",
		"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550",
		"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"../../etc/passwd",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct digest d;
		g_autoptr(GError) error = NULL;
		g_assert_false(digest_parse(bad[i], &d, &error));
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/digest/known-answers", test_known_answers);
	g_test_add_func("/digest/grammar", test_grammar);
	return g_test_run();
}
