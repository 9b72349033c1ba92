/* SPDX-License-Identifier: Apache-2.0 */
#include "format/patterns.h"
#include <string.h>

/* Messages must be UTF-8, names need not. */
static void note(const char *pattern, const char *name)
{
	g_autofree char *a = g_strescape(pattern, NULL);
	g_autofree char *b = g_strescape(name, NULL);
	g_test_message("%s against %s", a, b);
}

static bool matches(const char *list, const char *path)
{
	g_auto(GStrv) lines = g_strsplit(list, "\n", -1);
	g_autoptr(GError) error = NULL;
	g_autoptr(patterns) p = patterns_new((const char *const *)lines, &error);
	g_assert_no_error(error);
	return patterns_match(p, path);
}

static void test_match(void)
{
	static const struct {
		const char *list, *path;
		bool match;
	} table[] = {
		{"**", "file", true},
		{"**", "dir/file", true},
		{"**/", "file", true},
		{"**/**", "dir/file", true},
		{"dir/**", "dir/file", true},
		{"dir/**", "dir/dir2/file", true},
		{"dir/**", "dir", false},
		{"**/dir2/*", "dir/dir2/file", true},
		{"**/dir2/*", "dir/dir2/dir2/file", true},
		{"**/dir2/**", "dir/dir2/dir2/", true},
		{"**file", "file", true},
		{"**file", "dir/file", true},
		{"**/file", "dir/file", true},
		{"**/file", "file", true},
		{"**/file", "xfile", false},
		{"**file*", "dir/file.txt", true},
		{"**/file*txt", "dir/dir/file.txt", true},
		{"**/**/*.txt", "dir/dir/file.txt", true},
		{"**/**/*.txt2", "dir/dir/file.txt", false},
		{"a**", "abc/def", true},
		{"foo**", "foobar/x", true},
		{"a**/*.txt", "abcd/efg.txt", true},
		{"a**/.a", "a/b/.a", true},
		{"?", "é", true},
		{"a?c", "a/c", false},
		{"a\\*c", "abc", false},
		{"a\\*c", "a*c", true},
		{"[a-c]x", "bx", true},
		{"[^a-c]x", "bx", false},
		{"[^a-c]x", "zx", true},
		{"*", "dir/file", true},
		{"dir", "dir/a/b", true},
		{"*.go", "a/x.go", false},
		{"*/*.go", "a/x.go", true},
		{"*\n!keep", "keep", false},
		{"*\n!keep", "other", true},
		{"dir\n!dir/a", "dir/a/x", false},
		{"!dir/a\ndir", "dir/a", true},
		{"**\n!util/docker/web", "util/docker/web/foo", false},
		{"a.b", "axb", false},
		{"a+b$(x)|{y}", "a+b$(x)|{y}", true},
		{"*a+b$(x)|{y}", "za+b$(x)|{y}", true},
		{"  spaced  ", "spaced", true},
		{"./a/../b", "b", true},
		{"*\\d", "x7", true},
		{"*\xff", "a\xff", true},
		{"a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"a*/b", "a/x/b", false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		note(table[i].list, table[i].path);
		g_assert_true(matches(table[i].list, table[i].path) == table[i].match);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *pattern, *text;
	} table[] = {{"!", "illegal exclusion pattern: \"!\""}, {"[", "syntax error in pattern"},
		     {"a[]", "syntax error in pattern"},        {"[-x]", "syntax error in pattern"},
		     {"a\\", "syntax error in pattern"},        {"*[z-a]", "syntax error in pattern"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(GError) error = NULL;
		const char *list[] = {table[i].pattern, NULL};
		g_assert_null(patterns_new(list, &error));
		g_assert_cmpstr(error->message, ==, table[i].text);
	}
}

static void test_walk(void)
{
	const char *list[] = {"*", "!dir/a", "dir/a/x", NULL};
	g_autoptr(patterns) p = patterns_new(list, NULL);
	uint8_t top[3], inner[3];
	g_assert_true(patterns_match_in(p, "dir", NULL, top));
	g_assert_false(patterns_match_in(p, "dir/a", top, inner));
	g_assert_true(patterns_match_in(p, "dir/a/x", inner, NULL));
	g_assert_false(patterns_match_in(p, "dir/a/y", inner, NULL));
	g_assert_true(patterns_may_except_below(p, "dir"));
	g_assert_false(patterns_may_except_below(p, "other"));
	const char *include[] = {"a/b/c", "d/**", NULL};
	g_autoptr(patterns) q = patterns_new(include, NULL);
	g_assert_true(patterns_may_match_below(q, "a/b"));
	g_assert_false(patterns_may_match_below(q, "a/bc"));
	g_assert_true(patterns_may_match_below(q, "d"));
	g_assert_false(patterns_may_match_below(q, "d/x"));
	const char *wild[] = {"*/x", NULL};
	g_autoptr(patterns) w = patterns_new(wild, NULL);
	g_assert_true(patterns_may_match_below(w, "anything"));
}

static void test_ignore_file(void)
{
	const char text[] = "\xEF\xBB\xBF# comment\r\n /a/b/ \n\n #kept\n! /c/../d\n/\n!\nlast";
	g_auto(GStrv) lines = patterns_read_ignore_file(text, sizeof(text) - 1, NULL);
	g_autofree char *joined = g_strjoinv("|", lines);
	g_assert_cmpstr(joined, ==, "a/b|#kept|!d|/|!|last");
}

static void test_glob(void)
{
	static const struct {
		const char *pattern, *name;
		int match; /* -1: malformed */
	} table[] = {{"abc", "abc", 1},
		     {"*", "abc", 1},
		     {"*c", "abc", 1},
		     {"a*", "ab/c", 0},
		     {"a*/b", "a/c/b", 0},
		     {"a*b*c*d*e*/f", "axbxcxdxe/f", 1},
		     {"a*b?c*x", "abxbbxdbxebxczzx", 1},
		     {"ab[c]", "abc", 1},
		     {"ab[^e-g]", "abc", 1},
		     {"a\\*b", "ab", 0},
		     {"a???b", "aßb", 0},
		     {"a[^a]b", "a☺b", 1},
		     {"[\\]a]", "]", 1},
		     {"[\\-]", "-", 1},
		     {"[x\\-]", "-", 1},
		     {"[]a]", "]", -1},
		     {"[-]", "-", -1},
		     {"[x-]", "x", -1},
		     {"[", "a", -1},
		     {"[a", "b", -1},
		     {"a[", "ab", -1},
		     {"*x", "xxx", 1},
		     {"", "", 1},
		     {"[^a]", "/", 1}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		bool match = false, ok = glob_match(table[i].pattern, table[i].name, &match, NULL);
		/* TAP requires UTF-8, and not all of these are. */
		g_autofree char *pattern = g_strescape(table[i].pattern, NULL),
				*name = g_strescape(table[i].name, NULL);
		note(pattern, name);
		g_assert_cmpint(ok ? match : -1, ==, table[i].match);
	}
}

/* A pattern with exponential cost in a backtracking matcher, on the longest path: such a matcher never ends. */
static void test_hostile(void)
{
	g_autoptr(GString) pattern = g_string_new(NULL);
	for (int i = 0; i < 300; i++)
		g_string_append(pattern, "**/a*");
	g_string_append_c(pattern, 'b');
	g_autofree char *path = g_strnfill(4000, 'a');
	g_assert_false(matches(pattern->str, path));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/patterns/match", test_match);
	g_test_add_func("/patterns/errors", test_errors);
	g_test_add_func("/patterns/walk", test_walk);
	g_test_add_func("/patterns/ignore-file", test_ignore_file);
	g_test_add_func("/patterns/glob", test_glob);
	g_test_add_func("/patterns/hostile", test_hostile);
	return g_test_run();
}
