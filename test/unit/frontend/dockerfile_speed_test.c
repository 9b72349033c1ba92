/* SPDX-License-Identifier: Apache-2.0 */
/* Large Dockerfiles are converted, and hostile ones end with an error, before the time limit of a test. */
#include "frontend/dockerfile/dockerfile.h"
#include "lib/mock_bridge.h"
#include <time.h>

/* Returns the number of ops of the definition; 0: an error. Prints the processor time. */
static size_t solve(const char *text, GError **error)
{
	struct mock_bridge *m = mock_bridge_new();
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	build_result *result = NULL;
	mock_bridge_file(m, "Dockerfile", text);
	clock_t start = clock();
	bool ok = dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, error);
	g_test_message("%.1f ms", (double)(clock() - start) * 1000 / CLOCKS_PER_SEC);
	size_t n = ok ? ((const Pb__Definition *)m->definitions->pdata[m->definitions->len - 1])->n_def : 0;
	build_result_unref(result);
	mock_bridge_free(m);
	return n;
}

/* 5,000 lines; the target is 20 ms. */
static void test_large(void)
{
	g_autoptr(GString) s = g_string_new("FROM alpine\nARG A=1\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 1250; i++)
		g_string_append_printf(
			s, "ENV V%d=\"x $A\"\nLABEL l%d=${V%d}\nRUN echo $A ${V%d:-x} %d\nCOPY f%d /d/f%d\n", i % 40, i,
			i % 40, i % 40, i, i, i);
	size_t n = solve(s->str, &error);
	g_assert_no_error(error);
	/* The image, the context, a command and a copy of each round, and the op that names the result. */
	g_assert_cmpuint(n, ==, 2 + 2 * 1250 + 1);
}

static void test_many_stages(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch AS s0\nENV A=1\n");
	g_autoptr(GError) error = NULL;
	for (int i = 1; i < 5000; i++)
		g_string_append_printf(s, "FROM s%d AS s%d\nCOPY --from=s%d a /b\n", i - 1, i, i / 2);
	size_t n = solve(s->str, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(n, ==, 4999 + 1);
}

static void test_expansion_bomb(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch\nENV a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 40; i++)
		g_string_append(s, "ENV a=$a$a$a$a\n");
	g_assert_cmpuint(solve(s->str, &error), ==, 0);
	g_assert_nonnull(error);
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
	g_assert_cmpstr(error->message, ==, "failed to process \"$a$a$a$a\": expanded word larger than 1048576 bytes");
}

static void test_nested_onbuild(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 8000; i++)
		g_string_append(s, "ONBUILD ");
	g_string_append(s, "RUN x\n");
	g_assert_cmpuint(solve(s->str, &error), ==, 0);
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==,
			"dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dockerfile/large", test_large);
	g_test_add_func("/dockerfile/many-stages", test_many_stages);
	g_test_add_func("/dockerfile/expansion-bomb", test_expansion_bomb);
	g_test_add_func("/dockerfile/nested-onbuild", test_nested_onbuild);
	return g_test_run();
}
