/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ident.h"
#include <string.h>
#include <glib.h>

static void test_form(void)
{
	char a[IDENT_SIZE], b[IDENT_SIZE];
	ident_new(a);
	ident_new(b);
	g_assert_cmpuint(strlen(a), ==, 25);
	g_assert_cmpuint(strspn(a, "0123456789abcdefghijklmnopqrstuvwxyz"), ==, 25);
	g_assert_cmpstr(a, !=, b);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/ident/form", test_form);
	return g_test_run();
}
