/* SPDX-License-Identifier: Apache-2.0 */
#include "format/selector.h"

static void test_match(void)
{
	static const struct {
		enum selector_kind kind;
		const char *text, *subject;
		bool match;
	} cases[] = {
		{SELECTOR_WILDCARD, "*", "docker-image://docker.io/library/busybox:latest", true},
		{SELECTOR_WILDCARD, "http://h/busybox:*", "http://h/busybox:latest", true},
		{SELECTOR_WILDCARD, "http://h/busybox:*", "https://h/busybox:latest", false},
		{SELECTOR_WILDCARD, "a*b*c", "abc", true},
		{SELECTOR_WILDCARD, "a*b*c", "abxbyc", true},
		{SELECTOR_WILDCARD, "a*b*c", "acb", false},
		{SELECTOR_WILDCARD, "ab*ba", "aba", false},
		{SELECTOR_WILDCARD, "a.c", "abc", false},
		{SELECTOR_WILDCARD, "*", "a\nb", false},
		{SELECTOR_WILDCARD, "a\n*", "a\nb", true},
		{SELECTOR_WILDCARD, "", "", true},
		{SELECTOR_WILDCARD, "", "a", false},
		{SELECTOR_EXACT, "a*", "ab", false},
		{SELECTOR_EXACT, "a*", "a*", true},
		{SELECTOR_REGEX, "a+b", "a+b", true}, /* its own text */
		{SELECTOR_REGEX, "b+", "abc", true},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		bool match = !cases[i].match;
		g_autoptr(selector) s = selector_new(cases[i].kind, cases[i].text, &error);
		g_assert_no_error(error);
		g_assert_true(selector_match(s, cases[i].subject, &match, &error));
		if (match != cases[i].match)
			g_error("%s on %s", cases[i].text, cases[i].subject);
	}
}

static void test_format(void)
{
	static const struct {
		enum selector_kind kind;
		const char *text, *subject, *template, *want;
	} cases[] = {
		{SELECTOR_WILDCARD, "docker.io/golang:*", "docker.io/golang:1.19", "r/golang:${1}-alpine",
		 "r/golang:1.19-alpine"},
		{SELECTOR_WILDCARD, "*/*", "a/b/c", "$1|$2|$0|$3", "a/b|c|a/b/c|"},
		{SELECTOR_WILDCARD, "a*b*c*", "abxbycc", "$1|$2|$3", "bx|yc|"},
		{SELECTOR_WILDCARD, "a*", "b", "x", "b"},
		{SELECTOR_EXACT, "a", "a", "${1}", "${1}"},
		{SELECTOR_REGEX, "^a(.)", "abc", "$1$1", "bbc"},
		{SELECTOR_REGEX, "a+b", "a+b", "x", "a+b"}, /* matched as text only */
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(selector) s = selector_new(cases[i].kind, cases[i].text, &error);
		g_assert_no_error(error);
		g_autofree char *got = selector_format(s, cases[i].subject, cases[i].template, 100, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
}

static void test_refused(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(selector_new(SELECTOR_WILDCARD, "a**", &error));
	g_assert_cmpstr(error->message, ==, "failed to translate wildcard \"a**\" to regexp: invalid wildcard: \"**\"");
	g_clear_error(&error);
	g_autoptr(selector) s = selector_new(SELECTOR_WILDCARD, "*", NULL);
	g_assert_null(selector_format(s, "0123456789", "$1$1$1", 20, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/selector/match", test_match);
	g_test_add_func("/selector/format", test_format);
	g_test_add_func("/selector/refused", test_refused);
	return g_test_run();
}
