/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <string.h>

/* Every allocation is aligned, zeroed, and apart from the others, whatever the sizes. */
static void test_alloc(void)
{
	enum { N = 3000 };
	static char *all[N];
	g_autoptr(arena) a = arena_new();
	for (size_t i = 0; i < N; i++) {
		size_t n = i % 500 == 499 ? 200000 : i % 97;
		char *p = all[i] = arena_alloc(a, n);
		g_assert_cmpuint((gsize)p % 16, ==, 0);
		for (size_t k = 0; k < n; k++)
			g_assert_cmpint(p[k], ==, 0);
		memset(p, (int)(i % 127) + 1, n);
	}
	for (size_t i = 0; i < N; i++) {
		size_t n = i % 500 == 499 ? 200000 : i % 97;
		for (size_t k = 0; k < n; k++)
			g_assert_cmpint(all[i][k], ==, (int)(i % 127) + 1);
	}
}

static void test_texts(void)
{
	g_autoptr(arena) a = arena_new();
	g_autofree char *large = g_strnfill(1000, 'x');
	g_assert_null(arena_strdup(a, NULL));
	g_assert_cmpstr(arena_strdup(a, "abc"), ==, "abc");
	g_assert_cmpstr(arena_strndup(a, "abc", 2), ==, "ab");
	g_assert_cmpstr(arena_strndup(a, NULL, 0), ==, "");
	g_assert_cmpstr(arena_printf(a, "%d-%s", 7, "x"), ==, "7-x");
	const char *printed = arena_printf(a, "<%s>", large);
	g_assert_cmpuint(strlen(printed), ==, 1002);
	g_assert_cmpint(printed[1001], ==, '>');
	g_assert_cmpstr(arena_concat(a, "a", "", "bc"), ==, "abc");
	g_assert_cmpstr(arena_take(a, g_strdup("heap")), ==, "heap");
}

static void test_vec(void)
{
	g_autoptr(arena) a = arena_new();
	struct vec v = {0};
	g_autofree char *none = vec_join(&v, ",");
	g_assert_cmpstr(none, ==, "");
	for (int i = 0; i < 100; i++)
		arena_push(a, &v, arena_printf(a, "%d", i));
	g_assert_cmpuint(v.n, ==, 100);
	g_assert_true(vec_has(&v, "0") && vec_has(&v, "99"));
	g_assert_false(vec_has(&v, "100"));
	const char **strv = arena_strv(a, &v);
	g_assert_cmpstr(strv[57], ==, "57");
	g_assert_null(strv[100]);
	v.n = 3;
	g_autofree char *joined = vec_join(&v, ", ");
	g_assert_cmpstr(joined, ==, "0, 1, 2");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/arena/alloc", test_alloc);
	g_test_add_func("/arena/texts", test_texts);
	g_test_add_func("/arena/vec", test_vec);
	return g_test_run();
}
