/* SPDX-License-Identifier: Apache-2.0 */
#include "os/library.h"
#include <string.h>

struct calls {
	double (*cosine)(double);
	double (*missing)(double);
};

static void test_loads_once(void)
{
	static const struct library_symbol symbols[] = {{"cos", G_STRUCT_OFFSET(struct calls, cosine)}};
	static struct library library = {"libm.so.6", symbols, G_N_ELEMENTS(symbols), 0};
	static struct calls calls;
	g_autoptr(GError) error = NULL;
	g_assert_true(library_load(&library, &calls, &error));
	g_assert_no_error(error);
	g_assert_true(calls.cosine(0) == 1);
	calls.cosine = NULL; /* a second load would set it again */
	g_assert_true(library_load(&library, &calls, &error));
	g_assert_null(calls.cosine);
}

static void test_names_what_is_missing(void)
{
	static const struct library_symbol symbols[] = {{"no_such_call", G_STRUCT_OFFSET(struct calls, missing)}};
	static struct library no_library = {"libno-such-thing.so.1", symbols, G_N_ELEMENTS(symbols), 0};
	static struct library no_symbol = {"libm.so.6", symbols, G_N_ELEMENTS(symbols), 0};
	struct calls calls = {0};
	g_autoptr(GError) error = NULL;
	g_assert_false(library_load(&no_library, &calls, &error));
	g_assert_true(error_is(error, ERROR_FAILED_PRECONDITION));
	g_assert_nonnull(strstr(error->message, "libno-such-thing.so.1"));
	g_clear_error(&error);
	g_assert_false(library_load(&no_symbol, &calls, &error));
	g_assert_cmpstr(error->message, ==, "libm.so.6 has no no_such_call");
	g_assert_null(calls.missing);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/os/library/loads-once", test_loads_once);
	g_test_add_func("/os/library/names-what-is-missing", test_names_what_is_missing);
	return g_test_run();
}
