/* SPDX-License-Identifier: Apache-2.0 */
#include "client/colors.h"

static void test_defaults(void)
{
	struct colors c;
	colors_read(&c, NULL, NULL);
	g_assert_cmpstr(c.codes[COLOR_RUN], ==, "\x1b[34m");
	g_assert_cmpstr(c.codes[COLOR_ERROR], ==, "\x1b[31m");
	g_assert_cmpstr(c.codes[COLOR_NONE], ==, "");
	colors_read(&c, "", "");
	g_assert_cmpstr(c.codes[COLOR_WARNING], ==, "\x1b[33m");
}

static void test_wanted(void)
{
	struct colors c;
	colors_read(&c, "Run=light-cyan:error=255,80,0:cancel=Default", NULL);
	g_assert_cmpstr(c.codes[COLOR_RUN], ==, "\x1b[96m");
	g_assert_cmpstr(c.codes[COLOR_ERROR], ==, "\x1b[38;5;202m");
	g_assert_cmpstr(c.codes[COLOR_CANCEL], ==, "\x1b[39m");
	g_assert_cmpstr(c.codes[COLOR_WARNING], ==, "\x1b[33m");
}

static void test_none_but_wanted(void)
{
	struct colors c;
	colors_read(&c, "error=red", "1");
	g_assert_cmpstr(c.codes[COLOR_ERROR], ==, "\x1b[31m");
	g_assert_cmpstr(c.codes[COLOR_RUN], ==, "");
	g_assert_cmpstr(c.codes[COLOR_FAINT], ==, "");
}

static void test_nonsense(void)
{
	static const char *const texts[] = {"run",        "run=",     "run=pink", "run=1,2",  "run=1,2,256",
					    "run=-1,2,3", "walk=red", "=red",     "run=a,b,c"};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		struct colors c;
		colors_read(&c, texts[i], NULL);
		g_assert_cmpstr(c.codes[COLOR_RUN], ==, "\x1b[34m");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/colors/defaults", test_defaults);
	g_test_add_func("/colors/wanted", test_wanted);
	g_test_add_func("/colors/none-but-wanted", test_none_but_wanted);
	g_test_add_func("/colors/nonsense", test_nonsense);
	return g_test_run();
}
