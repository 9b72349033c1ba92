/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_text.h"
#include "base/limits.h"
#include <string.h>

static void test_compact(void)
{
	static const struct {
		const char *text, *want, *error;
	} rows[] = {
		{" { \"a\" : [ 1 , -2.50e+3 , true,null ] ,\n\"b\":{ } } ", "{\"a\":[1,-2.50e+3,true,null],\"b\":{}}",
		 NULL},
		{"12345678901234567890123", "12345678901234567890123", NULL},
		{"\"<&>\\n\\u0041\"", "\"\\u003c\\u0026\\u003e\\n\\u0041\"", NULL},
		{"\"\xe2\x80\xa8\xc3\xa9\xff\"", "\"\\u2028\xc3\xa9\\ufffd\"", NULL},
		{"\"\\ud83d\\ude00 \\ud83d \\ude00 \\ud83d\\u0041\"",
		 "\"\\ud83d\\ude00 \\ufffd \\ufffd \\ufffd\\u0041\"", NULL},
		{"[]", "[]", NULL},
		{"[[[]]]", "[[[]]]", NULL},
		{"", NULL, "failed to parse x: invalid value at offset 0"},
		{"{\"a\":1,}", NULL, "failed to parse x: expected a string at offset 7"},
		{"[1,]", NULL, "failed to parse x: invalid value at offset 3"},
		{"[1 2]", NULL, "failed to parse x: expected \",\" at offset 3"},
		{"{\"a\" 1}", NULL, "failed to parse x: expected \":\" at offset 5"},
		{"{} {}", NULL, "failed to parse x: unexpected text after the value at offset 3"},
		{"[1", NULL, "failed to parse x: unexpected end at offset 2"},
		{"01", NULL, "failed to parse x: invalid value at offset 0"},
		{"1.", NULL, "failed to parse x: invalid value at offset 0"},
		{"nul", NULL, "failed to parse x: invalid value at offset 0"},
		{"\"a", NULL, "failed to parse x: unexpected end at offset 2"},
		{"\"\\x\"", NULL, "failed to parse x: invalid escape sequence at offset 1"},
		{"\"\\u00g0\"", NULL, "failed to parse x: invalid escape sequence at offset 1"},
		{"\"\t\"", NULL, "failed to parse x: control character in a string at offset 1"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GString) got = json_text_compact(rows[i].text, strlen(rows[i].text), "x", &error);
		g_assert_cmpstr(got ? got->str : NULL, ==, rows[i].want);
		g_assert_cmpstr(error ? error->message : NULL, ==, rows[i].error);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(json_text_compact("1\0", 2, "x", &error)); /* NUL */
	g_assert_cmpstr(error->message, ==, "failed to parse x: unexpected text after the value at offset 1");
}

static void test_depth(void)
{
	g_autofree char *deep = g_strnfill(LIMIT_JSON_DEPTH + 1, '[');
	g_autoptr(GError) error = NULL;
	g_assert_null(json_text_compact(deep, strlen(deep), "x", &error));
	g_assert_cmpstr(error->message, ==, "x is nested more than 64 levels deep");
}

static void test_walk(void)
{
	static const char text[] = "{\"a\":\"},\\\"]\",\"B\\u0062\":[1,{\"c\":[]},\"x\"],\"d\":{}}";
	struct json_walk w, inner;
	g_assert_true(json_walk_begin(&w, text, strlen(text)));
	g_assert_true(json_walk_next(&w) && json_slice_is(w.key, "a", false));
	g_autofree char *a = json_slice_string(w.value);
	g_assert_cmpstr(a, ==, "},\"]");
	g_assert_true(json_walk_next(&w) && json_slice_is(w.key, "bb", true) && !json_slice_is(w.key, "bb", false));
	g_assert_true(json_walk_begin(&inner, w.value.start, w.value.n) && !inner.is_object);
	static const char *const elements[] = {"1", "{\"c\":[]}", "\"x\""};
	for (size_t i = 0; i < G_N_ELEMENTS(elements); i++) {
		g_assert_true(json_walk_next(&inner));
		g_autofree char *got = g_strndup(inner.value.start, inner.value.n);
		g_assert_cmpstr(got, ==, elements[i]);
	}
	g_assert_false(json_walk_next(&inner));
	g_assert_true(json_walk_next(&w) && json_walk_begin(&inner, w.value.start, w.value.n));
	g_assert_false(json_walk_next(&inner));
	g_assert_false(json_walk_next(&w));
	g_assert_false(json_walk_begin(&w, "12", 2));
	g_assert_null(json_slice_string((struct json_slice){"12", 2}));
	g_assert_null(json_slice_string((struct json_slice){"\"\\u0000\"", 8}));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json_text/compact", test_compact);
	g_test_add_func("/json_text/depth", test_depth);
	g_test_add_func("/json_text/walk", test_walk);
	return g_test_run();
}
