/* SPDX-License-Identifier: Apache-2.0 */
/* A large Dockerfile is converted quickly; hostile ones end with an error in bounded time. */
#include "frontend/dockerfile/dockerfile.h"
#include "lib/mock_bridge.h"
#include <time.h>

/* Processor time, because the machine may be busy. */
static double solve_ms(const char *text, GError **error)
{
	struct mock_bridge *m = mock_bridge_new();
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	build_result *result = NULL;
	mock_bridge_file(m, "Dockerfile", text);
	m->forget = true;
	clock_t start = clock();
	if (dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, error))
		build_result_unref(result);
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	mock_bridge_free(m);
	return ms;
}

/* 5,000 lines: the target is 20 ms; this limit also holds under sanitizers. */
static void test_large(void)
{
	g_autoptr(GString) s = g_string_new("FROM alpine\nARG A=1\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 1250; i++)
		g_string_append_printf(
			s, "ENV V%d=\"x $A\"\nLABEL l%d=${V%d}\nRUN echo $A ${V%d:-x} %d\nCOPY f%d /d/f%d\n", i % 40, i,
			i % 40, i % 40, i, i, i);
	double ms = solve_ms(s->str, &error);
	g_assert_no_error(error);
	g_test_message("5,002 lines in %.1f ms", ms);
	g_assert_cmpfloat(ms, <, 2000);
}

static void test_many_stages(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch AS s0\nENV A=1\n");
	g_autoptr(GError) error = NULL;
	for (int i = 1; i < 5000; i++)
		g_string_append_printf(s, "FROM s%d AS s%d\nCOPY --from=s%d a /b\n", i - 1, i, i / 2);
	double ms = solve_ms(s->str, &error);
	g_assert_no_error(error);
	g_test_message("5,000 stages in %.1f ms", ms);
	g_assert_cmpfloat(ms, <, 10000);
}

static void test_expansion_bomb(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch\nENV a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 40; i++)
		g_string_append(s, "ENV a=$a$a$a$a\n");
	double ms = solve_ms(s->str, &error);
	g_assert_nonnull(error);
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
	g_assert_cmpfloat(ms, <, 10000);
}

static void test_nested_onbuild(void)
{
	g_autoptr(GString) s = g_string_new("FROM scratch\n");
	g_autoptr(GError) error = NULL;
	for (int i = 0; i < 8000; i++)
		g_string_append(s, "ONBUILD ");
	g_string_append(s, "RUN x\n");
	solve_ms(s->str, &error);
	g_assert_nonnull(error);
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
