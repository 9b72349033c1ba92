/* SPDX-License-Identifier: Apache-2.0 */
#include "format/toml.h"
#include <string.h>

static const struct toml_value *at(const struct toml_value *v, const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	for (char **p = parts; v && *p; p++) {
		if (v->type == TOML_ARRAY)
			v = v->items->pdata[strlen(*p) - 1]; /* "x" is the first, "xx" the second */
		else
			v = toml_find(v, *p);
	}
	return v;
}

static void test_values(void)
{
	static const char text[] =
		"a = 1 # note\n\"q k\" = 'lit\\n'\nb.c = -17\nb.d = \"x\\u00e9\\t\"\nm = \"\"\"\nl1\nl2\\\n   z\"\"\"\n"
		"h = 0xff\no = 0o17\nu = 1_000\nf = 1.5e3\nyes = true\nd = 1979-05-27T07:32:00Z\n"
		"arr = [ 1, [2, 3], {k = \"v\", n.o = 2}, ]\nempty = {}\n"
		"[t.u]\nx = 1\n[[t.list]]\nid = 1\n[[t.list]]\nid = 2\n[t.list.sub]\ny = 2\n";
	g_autoptr(GError) error = NULL;
	g_autoptr(toml) t = toml_parse(text, strlen(text), &error);
	g_assert_no_error(error);
	const struct toml_value *r = toml_root(t);
	g_assert_cmpint(at(r, "a")->integer, ==, 1);
	g_assert_cmpstr(at(r, "q k")->text, ==, "lit\\n");
	g_assert_cmpint(at(r, "b/c")->integer, ==, -17);
	g_assert_cmpstr(at(r, "b/d")->text, ==, "x\xc3\xa9\t");
	g_assert_cmpstr(at(r, "m")->text, ==, "l1\nl2z");
	g_assert_cmpint(at(r, "h")->integer, ==, 255);
	g_assert_cmpint(at(r, "o")->integer, ==, 15);
	g_assert_cmpint(at(r, "u")->integer, ==, 1000);
	g_assert_cmpfloat(at(r, "f")->number, ==, 1500);
	g_assert_true(at(r, "yes")->boolean);
	g_assert_cmpint(at(r, "d")->type, ==, TOML_DATETIME);
	g_assert_cmpint(at(r, "arr/xx/xx")->integer, ==, 3);
	g_assert_cmpint(at(r, "arr/xxx/n/o")->integer, ==, 2);
	g_assert_cmpint(at(r, "t/u/x")->integer, ==, 1);
	g_assert_cmpint(at(r, "t/list/xx/id")->integer, ==, 2);
	g_assert_cmpint(at(r, "t/list/xx/sub/y")->integer, ==, 2);
	g_assert_cmpint(at(r, "t/list/xx/sub/y")->line, ==, 24);
}

static void test_errors(void)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"a = 1\nb = \n", "line 2, column 5: expected a value"},
		{"a = 1\na = 2\n", "line 2, column 6: key \"a\" is defined twice"},
		{"a = 1 b", "line 1, column 7: unexpected text after the value"},
		{"[a]\n[a]\n", "line 2, column 3: table \"a\" is already defined"},
		{"a = \"x", "line 1, column 7: the string does not end"},
		{"a = [1", "line 1, column 7: expected \",\" or \"]\""},
		{"a = 01", "line 1, column 5: invalid value \"01\""},
		{"a = 1__0", "line 1, column 5: misplaced underscore in \"1__0\""},
		{"a = {b = 1}\na.c = 2\n", "line 2, column 8: key \"a\" is already defined as a table"},
		{"= 1", "line 1, column 1: expected a key"},
		{"a = 99999999999999999999", "line 1, column 5: \"99999999999999999999\" is not a 64-bit integer"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(toml_parse(cases[i].text, strlen(cases[i].text), &error));
		g_assert_cmpstr(error->message, ==, cases[i].message);
	}
}

static void test_depth_is_bounded(void)
{
	g_autofree char *open = g_strnfill(100000, '[');
	g_autofree char *text = g_strconcat("a = ", open, NULL);
	g_autoptr(GError) error = NULL;
	g_assert_null(toml_parse(text, strlen(text), &error));
	g_assert_nonnull(strstr(error->message, "nested too deeply"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/toml/values", test_values);
	g_test_add_func("/toml/errors", test_errors);
	g_test_add_func("/toml/depth-is-bounded", test_depth_is_bounded);
	return g_test_run();
}
