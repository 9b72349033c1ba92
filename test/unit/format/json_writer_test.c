/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_writer.h"
#include "base/error.h"

static void check(json_writer *w, const char *want)
{
	g_autofree char *got = json_writer_take(&w, NULL);
	g_assert_null(w);
	g_assert_cmpstr(got, ==, want);
}

static void test_escapes(void)
{
	json_writer *w = json_writer_new(0);
	json_put_string(
		w, "echo a && b <c> \"q\" \\ \x01\b\f\n\r\t\x7f \xe2\x80\xa8\xe2\x80\xa9 \xc3\xa9 \xff \xed\xa0\x80");
	check(w, "\"echo a \\u0026\\u0026 b \\u003cc\\u003e \\\"q\\\" \\\\ \\u0001\\b\\f\\n\\r\\t\x7f \\u2028\\u2029 "
		 "\xc3\xa9 "
		 "\\ufffd \\ufffd\\ufffd\\ufffd\"");
}

static void test_structure(void)
{
	for (int indent = 0; indent <= 2; indent += 2) {
		json_writer *w = json_writer_new(indent);
		json_object_begin(w);
		json_key(w, "a");
		json_array_begin(w);
		json_put_int(w, -1);
		json_put_uint(w, G_MAXUINT64);
		json_object_begin(w);
		json_object_end(w);
		json_array_end(w);
		json_key(w, "b");
		json_put_base64(w, "hi", 2);
		json_put_string_member_nonempty(w, "no", "");
		json_put_int_member_nonzero(w, "no", 0);
		json_put_bool_member_true(w, "no", false);
		json_put_bool_member_true(w, "c", true);
		json_key(w, "n");
		json_put_null(w);
		json_object_end(w);
		check(w,
		      indent ? "{\n  \"a\": [\n    -1,\n    18446744073709551615,\n    {}\n  ],\n  \"b\": \"aGk=\",\n"
			       "  \"c\": true,\n  \"n\": null\n}"
			     : "{\"a\":[-1,18446744073709551615,{}],\"b\":\"aGk=\",\"c\":true,\"n\":null}");
	}
}

static void test_doubles(void)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{100, "100"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{1e-6, "0.000001"},
		{1e-7, "1e-7"},
		{1.0 / 3, "0.3333333333333333"},
		{123456.789, "123456.789"},
		{1.5e300, "1.5e+300"},
		{5e-324, "5e-324"},
		{-0.0, "-0"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		json_writer *w = json_writer_new(0);
		json_put_double(w, rows[i].value);
		check(w, rows[i].text);
	}
}

static void test_raw(void)
{
	const char *raw = "{\"a\" : [ 1 , {\"b\":\"<x\\\"y\"}, [] ],\"c\":{}}";
	json_writer *w = json_writer_new(0);
	json_array_begin(w);
	json_put_raw(w, raw, strlen(raw));
	json_put_raw(w, "1", 1);
	json_array_end(w);
	check(w, "[{\"a\":[1,{\"b\":\"\\u003cx\\\"y\"},[]],\"c\":{}},1]");
	w = json_writer_new(2);
	json_array_begin(w);
	json_put_raw(w, raw, strlen(raw));
	json_array_end(w);
	check(w,
	      "[\n  {\n    \"a\": [\n      1,\n      {\n        \"b\": \"\\u003cx\\\"y\"\n      },\n      []\n    ],\n"
	      "    \"c\": {}\n  }\n]");
}

static void test_value(void)
{
	const char *text = "{\"b\":[1,2.5,\"x\",true,null,{}],\"a\":{\"z\":1,\"y\":[]}}";
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) value = json_read(text, strlen(text), 1000, "test", &error);
	g_assert_no_error(error);
	json_writer *w = json_writer_new(0);
	json_put_value(w, value, false);
	check(w, text);
	w = json_writer_new(0);
	json_put_value(w, value, true);
	check(w, "{\"a\":{\"y\":[],\"z\":1},\"b\":[1,2.5,\"x\",true,null,{}]}");
}

static void test_read_refuses(void)
{
	static const char *const bad[] = {"", "{", "{\"a\":1,\"a\":2}", "{} x", "[1,]", "\"\\u0000\"", "nul"};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(json_read(bad[i], strlen(bad[i]), 1000, "test", &error));
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	}
	for (int depth = 64; depth <= 65; depth++) { /* L20 */
		g_autoptr(GString) deep = g_string_new(NULL);
		g_autoptr(GError) error = NULL;
		for (int i = 0; i < depth; i++)
			g_string_append_c(deep, '[');
		for (int i = 0; i < depth; i++)
			g_string_append_c(deep, ']');
		g_autoptr(json_t) value = json_read(deep->str, deep->len, 1000, "test", &error);
		g_assert_true((value != NULL) == (depth == 64));
	}
	g_assert_null(json_read("[1]", 3, 2, "test", NULL));
}

static void test_members(void)
{
	char *list[] = {(char *)"a", (char *)"<b>"};
	g_autoptr(GHashTable) table = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(table, (char *)"y", (char *)"2");
	g_hash_table_insert(table, (char *)"x", (char *)"");
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_strings_member_nonempty(w, "absent", NULL, 0);
	json_put_map_member_nonempty(w, "absent", NULL);
	json_put_strings_member_nonempty(w, "list", list, 2);
	json_put_map_member_nonempty(w, "map", table);
	json_key(w, "empty");
	json_put_strings(w, NULL, 0);
	json_key(w, "null");
	json_put_strings_or_null(w, list, 0);
	json_object_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	g_assert_cmpstr(
		text, ==,
		"{\"list\":[\"a\",\"\\u003cb\\u003e\"],\"map\":{\"x\":\"\",\"y\":\"2\"},\"empty\":[],\"null\":null}");
	g_autoptr(json_t) json = json_read("{\"AB\":1,\"aB\":2,\"c\":3}", 21, 100, "test", NULL);
	g_assert_cmpint(json_integer_value(json_member_any_case(json, "aB")), ==, 2);
	g_assert_cmpint(json_integer_value(json_member_any_case(json, "C")), ==, 3);
	g_assert_null(json_member_any_case(json, "d"));
	g_assert_null(json_member_any_case(NULL, "d"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/json/escapes", test_escapes);
	g_test_add_func("/json/structure", test_structure);
	g_test_add_func("/json/doubles", test_doubles);
	g_test_add_func("/json/raw", test_raw);
	g_test_add_func("/json/value", test_value);
	g_test_add_func("/json/read-refuses", test_read_refuses);
	g_test_add_func("/json/members", test_members);
	return g_test_run();
}
