/* SPDX-License-Identifier: Apache-2.0 */
#include "format/go_regex.h"
#include "lib/outcome.h"
#include <string.h>

static const struct {
	const char *regex, *subject;
	bool match;
} match_cases[] = {
	{"b", "abc", true},
	{"^b", "abc", false},
	{"^b\\w+", "bar", true},
	{"^\\d+", "b1", false},
	{"\\d$", "b1", true},
	{"c$", "c\n", false},
	{"a.c", "a\nc", false},
	{"(?s)a.c", "a\nc", true},
	{"(?i:ABC)", "abc", true},
	{"(?i)a(?-i)b", "Ab", true},
	{"(?i)a(?-i)b", "AB", false},
	{"((?i)a)b", "AB", false},
	{"(?i)k", "\xe2\x84\xaa", true}, /* the Kelvin sign */
	{"(?i)[^k]", "\xe2\x84\xaa", false},
	{"(?i)\xce\xa3", "\xcf\x82", true}, /* sigma, at the end of a word */
	{"(?i)i", "\xc4\xb0", false},
	{"(?i)^\\W", "k", false}, /* the complement of what folds to \w, not of \w */
	{"(?i)^[[:^alpha:]]", "\xc5\xbf", false},
	{"^.$", "\xc3\xa4", true},
	{"^.$", "\xff", true},
	{"^..$", "\xff\xfe", true},
	{"[^]a]", "]", false},
	{"[[:digit:]]x", "1x", true},
	{"[[:^digit:]]x", "1x", false},
	{"^[[:word:]-]+$", "a_-9", true},
	{"[a-]", "-", true},
	{"[\\d-z]", "-", true},
	{"a{2}", "aa", true},
	{"^a{2,3}$", "aaaa", false},
	{"^a{2,}$", "aaaa", true},
	{"^(a{2}){2}$", "aaaa", true},
	{"^a{0}$", "", true},
	{"a{,2}", "a{,2}", true},
	{"a{01}", "a{01}", true},
	{"a{", "a{", true},
	{"\\Qa+b\\E", "a+b", true},
	{"^\\Qab\\E*$", "abbb", true},
	{"\\Q(", "(", true},
	{"x*?y", "xxy", true},
	{"a}+", "a}}", true},
	{"(?m)^b$", "a\nb\nc", true},
	{"^b$", "a\nb\nc", false},
	{"\\Ab", "ab", false},
	{"b\\z", "b\n", false},
	{"\\bb\\b", "a b c", true},
	{"\\bb\\b", "abc", false},
	{"a\\Bb", "ab", true},
	{"\\x41\\x{42}\\101\\t", "ABA\t", true},
	{"\\v", "\v", true},
	{"\\_", "_", true},
	{"^\\pL+$", "\xc3\xa4Z", true},
	{"^\\PL+$", "19", true},
	{"^\\p{Greek}$", "\xce\xb1", true},
	{"^\\p{^Greek}$", "\xce\xb1", false},
	{"\\w", "\xc3\xa4", false},
	{"(?:)*", "", true},
	{"(a*)*b", "aab", true},
	{"(a*)+$", "aac", true},
	{"a||b", "", true},
	{"^(?:a|b|)c", "bc", true},
	{"(?<n>a)(?P<m>b)", "ab", true},
	{"a(?i)*b", "aab", true},
	{"()", "", true},
};

static void test_match(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(match_cases); i++) {
		g_autoptr(GError) error = NULL;
		bool match = !match_cases[i].match;
		g_autoptr(go_regex) re = go_regex_new(match_cases[i].regex, &error);
		g_assert_no_error(error);
		g_assert_true(go_regex_match(re, match_cases[i].subject, &match, &error));
		if (match != match_cases[i].match)
			g_error("%s on %s", match_cases[i].regex, match_cases[i].subject);
	}
}

static void test_whole(void)
{
	static const struct {
		const char *regex, *subject;
		bool match;
	} cases[] = {
		{"a|ab", "ab", true},       {"a|ab", "abc", false},
		{"b", "abc", false},        {"", "", true},
		{"", "a", false},           {"(.*/)?x", "a/b/x", true},
		{"(.*/)?x", "a/yx", false}, {"[^/]*\\.o", "a/b.o", false},
		{"abc", "ab", false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(go_regex) re = go_regex_new(cases[i].regex, NULL);
		g_autofree char *longer = g_strconcat(cases[i].subject, "abc", NULL); /* which is not looked at */
		if (go_regex_match_whole(re, longer, strlen(cases[i].subject)) != cases[i].match)
			g_error("%s on %s", cases[i].regex, cases[i].subject);
	}
}

/* Errors of Go's regexp.Compile, part by part. */
static void test_syntax(void)
{
	static const struct {
		const char *regex, *error;
	} cases[] = {
		{"(", "missing closing ): `(`"},
		{")", "unexpected ): `)`"},
		{"[a", "missing closing ]: `[a`"},
		{"x[]", "missing closing ]: `[]`"},
		{"a**", "invalid nested repetition operator: `**`"},
		{"a++b", "invalid nested repetition operator: `++`"},
		{"a?+", "invalid nested repetition operator: `?+`"},
		{"a{2}{3}", "invalid nested repetition operator: `{2}{3}`"},
		{"a{1001}", "invalid repeat count: `{1001}`"},
		{"a{3,2}", "invalid repeat count: `{3,2}`"},
		{"((a{100}){10}){2}", "invalid repeat count: `{2}`"},
		{"a{99999999999}", "invalid repeat count: `{99999999999}`"},
		{"*a", "missing argument to repetition operator: `*`"},
		{"a|+", "missing argument to repetition operator: `+`"},
		{"(?:?)", "missing argument to repetition operator: `?`"},
		{"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
		{"(?!a)", "invalid or unsupported Perl syntax: `(?!`"},
		{"(?>a)", "invalid or unsupported Perl syntax: `(?>`"},
		{"(?R)", "invalid or unsupported Perl syntax: `(?R`"},
		{"(?#x)", "invalid or unsupported Perl syntax: `(?#`"},
		{"(?|a|b)", "invalid or unsupported Perl syntax: `(?|`"},
		{"(?1)", "invalid or unsupported Perl syntax: `(?1`"},
		{"(?P=n)", "invalid or unsupported Perl syntax: `(?P`"},
		{"(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"},
		{"(?<=a)", "invalid named capture: `(?<=a)`"},
		{"(?P<n>a", "missing closing ): `(?P<n>a`"},
		{"(?P<n+>a)", "invalid named capture: `(?P<n+>`"},
		{"(?P<n>a)(?P<n>b)", "invalid named capture: `n`"},
		{"(*FAIL)", "missing argument to repetition operator: `*`"},
		{"(a)\\1", "invalid escape sequence: `\\1`"},
		{"\\Z", "invalid escape sequence: `\\Z`"},
		{"\\Ka", "invalid escape sequence: `\\K`"},
		{"\\g1", "invalid escape sequence: `\\g`"},
		{"\\R", "invalid escape sequence: `\\R`"},
		{"\\C", "invalid escape sequence: `\\C`"},
		{"[\\b]", "invalid escape sequence: `\\b`"},
		{"\\xZ", "invalid escape sequence: `\\xZ`"},
		{"\\x{110000}", "invalid escape sequence: `\\x{110000`"},
		{"\\", "trailing backslash at end of expression: ``"},
		{"[z-a]", "invalid character class range: `z-a`"},
		{"[[:foo:]]", "invalid character class range: `[:foo:]`"},
		{"\\p{Foo}", "invalid character class range: `\\p{Foo}`"},
		{"\xff", "invalid UTF-8"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(go_regex) re = go_regex_new(cases[i].regex, &error);
		if (re)
			g_error("%s was taken", cases[i].regex);
		g_autofree char *want = g_strconcat("error parsing regexp: ", cases[i].error, NULL);
		g_assert_cmpstr(error->message, ==, want);
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
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
		{"a|ab", "ab", "x", "xb"},
		{"(a+?)(a*)", "aaa", "$1,$2", "a,aa"},
		{"(?U)(a+)(a*)", "aaa", "$1,$2;", "a,;a,;a,;"},
		{"(a|b)*c", "xabcy", "<$1>", "x<b>y"},
		{"(a)|(b)", "ab", "[$1$2]", "[a][b]"},
		{"(a*)+", "baac", "<$1>", "<>b<aa>c<>"},
		{"(?m)^", "a\nb", "> ", "> a\n> b"},
		{"\\b", "a bc", "|", "|a| |bc|"},
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

/* Expressions that take a backtracking matcher for ever; and the limits that remain. */
static void test_bounds(void)
{
	static const char *const slow[] = {"^(a|aa|a?)+$", "(x+x+)+y", "^(a?){1000}a{1000}$", "(.*)*,(.*)*;"};
	g_autofree char *subject = g_strnfill(4000, 'a');
	subject[3999] = 'b';
	for (size_t i = 0; i < G_N_ELEMENTS(slow); i++) {
		bool match = true;
		g_autoptr(go_regex) re = go_regex_new(slow[i], NULL);
		assert_succeeds(go_regex_match(re, subject, &match, &failure));
		g_assert_false(match);
	}
	g_autoptr(GError) error = NULL;
	bool match;
	g_autofree char *many = g_strnfill(100000, 'a');
	g_autoptr(go_regex) deep = go_regex_new("(?:a?){1000}$", NULL);
	g_assert_false(go_regex_match(deep, many, &match, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_clear_error(&error);
	g_assert_null(go_regex_new("(?:aaaaaaaaaaaaaaaaaaaaaaaaaaaa){1000}", &error));
	g_assert_cmpstr(error->message, ==, "error parsing regexp: expression too large");
	g_clear_error(&error);
	g_autofree char *nested = g_strnfill(1001, '(');
	g_assert_null(go_regex_new(nested, &error));
	g_assert_true(g_str_has_prefix(error->message, "error parsing regexp: expression nests too deeply: "));
	g_clear_error(&error);
	g_autoptr(go_regex) all = go_regex_new(".+", NULL);
	g_assert_null(go_regex_replace_all(all, "0123456789", "$0$0$0$0$0$0$0$0$0$0$0", 100, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/go_regex/match", test_match);
	g_test_add_func("/go_regex/whole", test_whole);
	g_test_add_func("/go_regex/syntax", test_syntax);
	g_test_add_func("/go_regex/replace", test_replace);
	g_test_add_func("/go_regex/bounds", test_bounds);
	return g_test_run();
}
