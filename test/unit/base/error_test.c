/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include <errno.h>

static void test_details_survive_copy(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(error_set(&error, ERROR_NOT_FOUND, "no %s", "x"));
	error_add_detail(error, "errdefs.Vertex", "{}");
	g_prefix_error(&error, "outer: ");
	g_autoptr(GError) copy = g_error_copy(error);
	g_assert_cmpstr(copy->message, ==, "outer: no x");
	g_assert_true(error_is(copy, ERROR_NOT_FOUND));
	g_assert_true(error_has_detail(copy, "errdefs.Vertex"));
	g_assert_cmpuint(error_get_details(copy)->len, ==, 1);
}

static void test_errno(void)
{
	g_autoptr(GError) error = NULL;
	error_set_errno(&error, ENOSPC, "write %s", "a");
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_cmpstr(error->message, ==, "write a: no space left on device");
	g_clear_error(&error);
	error_set_errno(&error, ENOENT, "open");
	g_assert_cmpstr(error->message, ==, "open: no such file or directory");
}

static void test_convert(void)
{
	g_autoptr(GError) error = NULL;
	g_file_get_contents("/nonexistent/file", &(char *){NULL}, NULL, &error);
	error_convert(&error);
	error_add_detail(error, "errdefs.Vertex", "{}");
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
}

static void test_hide_code(void)
{
	g_autoptr(GError) error = NULL;
	error_set(&error, ERROR_NOT_FOUND, "x");
	error_add_detail(error, "errdefs.Vertex", "{}");
	error_hide_code(&error);
	g_assert_true(error_is(error, ERROR_UNKNOWN));
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
	g_clear_error(&error);
	error_set(&error, ERROR_CANCELED, "x");
	error_hide_code(&error);
	g_assert_true(error_is(error, ERROR_CANCELED));
}

static void test_keep_code(void)
{
	g_autoptr(GError) error = NULL;
	error_set(&error, ERROR_NOT_FOUND, "x");
	error_keep_code(error);
	g_autoptr(GError) copy = g_error_copy(error);
	g_prefix_error(&copy, "tried: ");
	error_hide_code(&copy);
	g_assert_true(error_is(copy, ERROR_NOT_FOUND));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/error/details-survive-copy", test_details_survive_copy);
	g_test_add_func("/error/errno", test_errno);
	g_test_add_func("/error/convert", test_convert);
	g_test_add_func("/error/hide-code", test_hide_code);
	g_test_add_func("/error/keep-code", test_keep_code);
	return g_test_run();
}
