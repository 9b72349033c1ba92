/* SPDX-License-Identifier: Apache-2.0 */
#include "format/filter.h"
#include <string.h>

struct row {
	const char *name, *label;
};

static const char *lookup(const void *data, const char *const *path, size_t n_path)
{
	const struct row *r = data;
	if (n_path == 1 && strcmp(path[0], "name") == 0)
		return r->name;
	if (n_path == 1 && strcmp(path[0], "present") == 0)
		return "";
	if (n_path == 2 && strcmp(path[0], "labels") == 0 && strcmp(path[1], "very complex") == 0)
		return r->label;
	return NULL;
}

static void test_match(void)
{
	static const struct {
		const char *filter;
		bool match;
	} cases[] = {
		{"", true},
		{"name==foo", true},
		{"name==bar", false},
		{"name!=bar", true},
		{"name!=foo", false},
		{"nosuch!=foo", true},
		{"nosuch==", false},
		{"name", true},
		{"nosuch", false},
		{"present", true},
		{"name==foo,present", true},
		{"name==foo,nosuch", false},
		{"name~=^f", true},
		{"name~=/^f.o$/", true},
		{"name~=|o{2}|", true},
		{"name~=^o", false},
		{"name~=(", false},
		{"name == foo", true},
		{"name==\"foo\"", true},
		{"name==\"f\\x6fo\"", true},
		{"name==\"f\\157o\"", true},
		{"name==\"f\\u006fo\"", true},
		{"labels.\"very complex\"==a.b/c", true},
		{"\"name\"==foo", true},
	};
	struct row r = {"foo", "a.b/c"};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {cases[i].filter, NULL};
		GError *error = NULL;
		g_autoptr(filter) f = filter_new(list, &error);
		if (strcmp(cases[i].filter, "nosuch==") == 0) {
			g_assert_null(f);
			g_clear_error(&error);
			continue;
		}
		g_assert_no_error(error);
		if (filter_match(f, lookup, &r) != cases[i].match)
			g_error("%s", cases[i].filter);
	}
}

static void test_any_of_several(void)
{
	struct row r = {"foo", NULL};
	const char *one[] = {"name==bar", "name==foo", NULL}, *none[] = {"name==bar", "name==baz", NULL};
	g_autoptr(filter) a = filter_new(one, NULL);
	g_autoptr(filter) b = filter_new(none, NULL);
	g_autoptr(filter) all = filter_new(NULL, NULL);
	g_assert_true(filter_match(a, lookup, &r));
	g_assert_false(filter_match(b, lookup, &r));
	g_assert_true(filter_match(all, lookup, &r));
}

static void test_errors(void)
{
	static const struct {
		const char *filter, *text;
	} cases[] = {
		{"name=foo", "filters: parse error: [name >|=|< foo]: unsupported operator \"=\": invalid argument"},
		{"name==", "filters: parse error: [name==]: expected value or quoted: invalid argument"},
		{"==foo", "filters: parse error: [ >|=|< =foo]: expected field or quoted: invalid argument"},
		{"name==foo,", "filters: parse error: [name==foo,]: expected field or quoted: invalid argument"},
		{"name , b", "filters: parse error: [name  >|,|<  b]: expected an operator (\"==\"|\"!=\"|\"~=\"): "
			     "invalid argument"},
		{"name==\"foo",
		 "filters: parse error: [name== >|\"|< foo]: quoted literal not terminated: invalid argument"},
		{"name==|foo|",
		 "filters: parse error: [name== >|||< foo|]: invalid quote encountered: invalid argument"},
		{"name==foo bar", "filters: parse error: [name==foo >| |< bar]: unexpected input:  : invalid argument"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *list[] = {cases[i].filter, NULL};
		GError *error = NULL;
		g_assert_null(filter_new(list, &error));
		g_assert_error(error, error_domain(), ERROR_INVALID_ARGUMENT);
		g_assert_cmpstr(error->message, ==, cases[i].text);
		g_clear_error(&error);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/filter/match", test_match);
	g_test_add_func("/filter/any", test_any_of_several);
	g_test_add_func("/filter/errors", test_errors);
	return g_test_run();
}
