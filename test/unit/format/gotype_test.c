/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotype.h"
#include "lib/outcome.h"

static void test_int(void)
{
	static const struct {
		const char *text;
		int base;
		int64_t value;
		const char *error;
	} table[] = {
		{"42", 10, 42, NULL},
		{"-9223372036854775808", 10, INT64_MIN, NULL},
		{"9223372036854775808", 10, 0, "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"},
		{"0755", 8, 0755, NULL},
		{"0x1F", 0, 31, NULL},
		{"1_000", 0, 1000, NULL},
		{"010", 0, 8, NULL},
		{"0", 0, 0, NULL},
		{"+5", 10, 5, NULL},
		{"", 10, 0, "strconv.ParseInt: parsing \"\": invalid syntax"},
		{"1_000", 10, 0, "strconv.ParseInt: parsing \"1_000\": invalid syntax"},
		{"12a", 10, 0, "strconv.ParseInt: parsing \"12a\": invalid syntax"},
		{" 1", 10, 0, "strconv.ParseInt: parsing \" 1\": invalid syntax"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		int64_t value = 0;
		g_autoptr(GError) error = NULL;
		g_assert_true(int_parse(table[i].text, table[i].base, &value, &error) == !table[i].error);
		g_assert_cmpstr(error ? error->message : NULL, ==, table[i].error);
		g_assert_cmpint(value, ==, table[i].value);
	}
}

static void test_bool(void)
{
	bool value = false;
	g_autoptr(GError) error = NULL;
	g_assert_true(bool_parse("True", &value, NULL) && value);
	g_assert_true(bool_parse("0", &value, NULL) && !value);
	g_assert_false(bool_parse("yes", &value, &error));
	g_assert_cmpstr(error->message, ==, "strconv.ParseBool: parsing \"yes\": invalid syntax");
}

static void test_duration(void)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *printed;
	} table[] = {{"48h", 172800000000000, "48h0m0s"},
		     {"1.5s", 1500000000, "1.5s"},
		     {"1h2m3.5s", 3723500000000, "1h2m3.5s"},
		     {"0", 0, "0s"},
		     {"-1ms", -1000000, "-1ms"},
		     {"10us", 10000, "10\xC2\xB5s"},
		     {".5m", 30000000000, "30s"},
		     {"7ns", 7, "7ns"},
		     {"1m", 60000000000, "1m0s"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		int64_t ns = -1;
		assert_succeeds(duration_parse(table[i].text, &ns, &failure));
		g_assert_cmpint(ns, ==, table[i].ns);
		g_autofree char *printed = duration_format(ns);
		g_assert_cmpstr(printed, ==, table[i].printed);
	}
	static const char *const bad[][2] = {{"", "time: invalid duration \"\""},
					     {"5", "time: missing unit in duration \"5\""},
					     {"5x", "time: unknown unit \"x\" in duration \"5x\""},
					     {"s", "time: invalid duration \"s\""}};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		int64_t ns;
		g_autoptr(GError) error = NULL;
		g_assert_false(duration_parse(bad[i][0], &ns, &error));
		g_assert_cmpstr(error->message, ==, bad[i][1]);
	}
}

static void test_size(void)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} table[] = {{"512MB", 536870912}, {"1k", 1024}, {"1.5GiB", 1610612736}, {"32", 32}, {"32b", 32},
		     {"32 kb", 32768},     {"0", 0}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		int64_t bytes = -1;
		assert_succeeds(size_parse(table[i].text, &bytes, &failure));
		g_assert_cmpint(bytes, ==, table[i].bytes);
	}
	static const char *const bad[][2] = {{"x", "invalid size: 'x'"},
					     {"-3", "invalid size: '-3'"},
					     {"3x", "invalid suffix: 'x'"},
					     {"3mbx", "invalid suffix: 'mbx'"},
					     {" 3", "strconv.ParseFloat: parsing \" 3\": invalid syntax"}};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		int64_t bytes;
		g_autoptr(GError) error = NULL;
		g_assert_false(size_parse(bad[i][0], &bytes, &error));
		g_assert_cmpstr(error->message, ==, bad[i][1]);
	}
	static const struct {
		int64_t bytes;
		const char *text;
	} printed[] = {{0, "0B"}, {999, "999B"}, {1234, "1.23kB"}, {24390000, "24.39MB"}, {INT64_MAX, "9.22EB"}};
	for (size_t i = 0; i < G_N_ELEMENTS(printed); i++) {
		g_autofree char *text = size_format(printed[i].bytes);
		g_assert_cmpstr(text, ==, printed[i].text);
	}
}

static void test_time(void)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *printed;
	} table[] = {{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
		     {"2023-11-05T10:20:30.5+01:00", 1699176030500000000, "2023-11-05T09:20:30.5Z"},
		     {"1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999999Z"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		int64_t ns = 0;
		assert_succeeds(time_parse_rfc3339(table[i].text, &ns, &failure));
		g_assert_cmpint(ns, ==, table[i].ns);
		g_autofree char *printed = time_format_rfc3339(ns);
		g_assert_cmpstr(printed, ==, table[i].printed);
	}
	int64_t ns;
	assert_fails(time_parse_rfc3339("2023-02-30T00:00:00Z", &ns, &failure),
		     "parsing time \"2023-02-30T00:00:00Z\" as \"2006-01-02T15:04:05Z07:00\": cannot parse");
	assert_fails(time_parse_rfc3339("2023-01-01", &ns, &failure),
		     "parsing time \"2023-01-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse");
	assert_fails(time_parse_rfc3339("9999-01-01T00:00:00Z", &ns, &failure),
		     "parsing time \"9999-01-01T00:00:00Z\" as \"2006-01-02T15:04:05Z07:00\": cannot parse");
}

static void test_quote(void)
{
	static const char *const table[][2] = {{"a\"b\\", "\"a\\\"b\\\\\""},
					       {"\n\t\x01", "\"\\n\\t\\x01\""},
					       {"é☺", "\"é☺\""},
					       {"\xff", "\"\\xff\""},
					       {"\xE2\x80\xA8", "\"\\u2028\""}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autofree char *quoted = go_quote(table[i][0]);
		g_assert_cmpstr(quoted, ==, table[i][1]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gotype/int", test_int);
	g_test_add_func("/gotype/bool", test_bool);
	g_test_add_func("/gotype/duration", test_duration);
	g_test_add_func("/gotype/size", test_size);
	g_test_add_func("/gotype/time", test_time);
	g_test_add_func("/gotype/quote", test_quote);
	return g_test_run();
}
