/* SPDX-License-Identifier: Apache-2.0 */
#include "format/csv.h"

static void test_parse(void)
{
	static const struct {
		const char *text, *fields; /* joined by | */
	} table[] = {{"a,b", "a|b"},
		     {"type=image,\"name=a,b\"", "type=image|name=a,b"},
		     {"\"a\"\"b\"", "a\"b"},
		     {"a,", "a|"},
		     {",", "|"},
		     {"\"\"", ""},
		     {"a\r\n", "a"},
		     {"\"x\",", "x|"},
		     {"\"\"\"\"", "\""}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_auto(GStrv) fields = csv_parse(table[i].text, NULL);
		g_autofree char *joined = g_strjoinv("|", fields);
		g_assert_cmpstr(joined, ==, table[i].fields);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *text, *error;
	} table[] = {{"a\"b", "parse error on line 1, column 2: bare \" in non-quoted-field"},
		     {"\"a", "parse error on line 1, column 2: extraneous or missing \" in quoted-field"},
		     {"\"a\"b", "parse error on line 1, column 3: extraneous or missing \" in quoted-field"},
		     {"", "EOF"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(csv_parse(table[i].text, &error));
		g_assert_cmpstr(error->message, ==, table[i].error);
	}
}

static void test_split(void)
{
	g_autofree char *key = NULL, *value = NULL;
	g_assert_true(csv_split("a=b=c", &key, &value));
	g_assert_cmpstr(key, ==, "a");
	g_assert_cmpstr(value, ==, "b=c");
	g_assert_false(csv_split("plain", &key, &value));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/csv/parse", test_parse);
	g_test_add_func("/csv/errors", test_errors);
	g_test_add_func("/csv/split", test_split);
	return g_test_run();
}
