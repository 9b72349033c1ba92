/* SPDX-License-Identifier: Apache-2.0 */
#include "format/go_regex.h"
#include <string.h>

static void test_match(void)
{
	static const struct {
		const char *regex, *subject;
		bool match;
	} cases[] = {
		{"b", "abc", true},     {"^b", "abc", false},      {"^b\\w+", "bar", true},
		{"^\\d+", "b1", false}, {"\\d$", "b1", true},      {"c$", "c\n", false},
		{"a.c", "a\nc", false}, {"(?s)a.c", "a\nc", true}, {"(?i:ABC)", "abc", true},
		{"^.$", "ä", true},     {"[^]a]", "]", false},     {"[[:digit:]]x", "1x", true},
		{"a{2}", "aa", true},   {"a{,2}", "a{,2}", true},  {"\\Qa+b\\E", "a+b", true},
		{"x*?y", "xxy", true},  {"a}+", "a}}", true},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		bool match = !cases[i].match;
		g_autoptr(go_regex) re = go_regex_new(cases[i].regex, &error);
		g_assert_no_error(error);
		g_assert_true(go_regex_match(re, cases[i].subject, &match, &error));
		if (match != cases[i].match)
			g_error("%s on %s", cases[i].regex, cases[i].subject);
	}
}

static void test_syntax(void)
{
	static const char *const cases[] = {
		"(",     ")",      "[a",      "a**",     "a++",     "a{1001}", "(?=a)",  "(?!a)", "(?<=a)", "(?<!a)",
		"(?>a)", "(a)\\1", "\\Z",     "\\Ka",    "(?R)",    "(*FAIL)", "(?P=n)", "\\g1",  "[\\b]",  "*a",
		"(?#x)", "\\",     "(?P<n>a", "a{2}{3}", "(?|a|b)", "(?1)",    "(?C)",   "a?+",   "\\R",    "(*ACCEPT)",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(go_regex) re = go_regex_new(cases[i], &error);
		if (re)
			g_error("%s was taken", cases[i]);
		g_assert_true(g_str_has_prefix(error->message, "error parsing regexp: "));
		g_assert_null(strstr(error->message, "LIMIT"));
	}
}

/* Expected results are those of Go's regexp.ReplaceAllString. */
static void test_replace(void)
{
	static const struct {
		const char *regex, *subject, *template, *want;
	} cases[] = {
		{"golang:(.*)", "x/golang:1.19", "go:${1}", "x/go:1.19"},
		{"(.*)", "abc", "<$1>", "<abc>"},
		{"a*", "baaac", "x", "xbxcx"},
		{"", "äb", "-", "-ä-b-"},
		{"(?P<name>b)(c)?", "abd", "[$name$2${name}]", "a[bb]d"},
		{"b", "abc", "$1x", "ac"},
		{"(b)", "abc", "$1x|${1}x|$$|$|${|${1|$-", "a|bx|$|$|${|${1|$-c"},
		{"(b)", "abc", "$01", "ac"},
		{"x", "abc", "y", "abc"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(go_regex) re = go_regex_new(cases[i].regex, &error);
		g_assert_no_error(error);
		g_autofree char *got = go_regex_replace_all(re, cases[i].subject, cases[i].template, 100, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
}

static void test_bounds(void)
{
	g_autoptr(GError) error = NULL;
	bool match;
	g_autoptr(go_regex) slow = go_regex_new("^(a|aa|a?)+$", NULL);
	g_autofree char *subject = g_strnfill(4000, 'a');
	subject[3999] = 'b';
	g_assert_false(go_regex_match(slow, subject, &match, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_null(strstr(error->message, "LIMIT"));
	g_clear_error(&error);
	g_autoptr(go_regex) all = go_regex_new(".+", NULL);
	g_assert_null(go_regex_replace_all(all, "0123456789", "$0$0$0$0$0$0$0$0$0$0$0", 100, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/go_regex/match", test_match);
	g_test_add_func("/go_regex/syntax", test_syntax);
	g_test_add_func("/go_regex/replace", test_replace);
	g_test_add_func("/go_regex/bounds", test_bounds);
	return g_test_run();
}
