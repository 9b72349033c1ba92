/* SPDX-License-Identifier: Apache-2.0 */
#include "format/flags.h"

static const struct flag table[] = {
	{"addr", "a", FLAG_STRINGS, NULL, NULL, "listening address"},
	{"debug", NULL, FLAG_BOOL, NULL, NULL, "enable debug logging"},
	{"name", NULL, FLAG_STRING, "none", "FLAGS_TEST_NAME", "name of it"},
	{"n", NULL, FLAG_INT, "7", NULL, "number"},
	{"ratio", NULL, FLAG_FLOAT, "0.5", NULL, "ratio"},
	{"wait", NULL, FLAG_DURATION, "3s", NULL, "time"},
	{"secret", NULL, FLAG_BOOL, NULL, NULL, NULL},
};

static flags *parse(const char *line, bool mixed, GError **error)
{
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	return flags_parse(table, G_N_ELEMENTS(table), (int)g_strv_length(argv), argv, mixed, error);
}

static void test_defaults(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(flags) f = parse("prog", false, &error);
	g_assert_no_error(error);
	g_assert_false(flags_given(f, "name"));
	g_assert_cmpstr(flags_string(f, "name"), ==, "none");
	g_assert_null(flags_strings(f, "addr")[0]);
	g_assert_false(flags_bool(f, "debug"));
	g_assert_cmpint(flags_int(f, "n"), ==, 7);
	g_assert_cmpfloat(flags_float(f, "ratio"), ==, 0.5);
	g_assert_cmpint(flags_duration_ns(f, "wait"), ==, 3000000000);
	g_assert_cmpuint(flags_n_rest(f), ==, 0);
	g_setenv("FLAGS_TEST_NAME", "of the environment", TRUE);
	g_assert_cmpstr(flags_string(f, "name"), ==, "of the environment");
	g_setenv("FLAGS_TEST_NAME", "", TRUE); /* as if it were not set */
	g_assert_cmpstr(flags_string(f, "name"), ==, "none");
	g_unsetenv("FLAGS_TEST_NAME");
}

static void test_values(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(flags) f = parse(
		"prog -addr one --a=two,three --debug -n 0x10 --ratio=2e1 -wait 1m --name= word -n 5", false, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(flags_strings(f, "addr")[0], ==, "one");
	g_assert_cmpstr(flags_strings(f, "addr")[1], ==, "two,three");
	g_assert_null(flags_strings(f, "addr")[2]);
	g_assert_cmpstr(flags_string(f, "addr"), ==, "two,three");
	g_assert_true(flags_bool(f, "debug"));
	g_assert_cmpint(flags_int(f, "n"), ==, 16);
	g_assert_cmpfloat(flags_float(f, "ratio"), ==, 20);
	g_assert_cmpint(flags_duration_ns(f, "wait"), ==, 60000000000);
	g_assert_true(flags_given(f, "name"));
	g_assert_cmpstr(flags_string(f, "name"), ==, "");
	g_assert_cmpuint(flags_n_rest(f), ==, 3); /* from the first word on */
	g_assert_cmpstr(flags_rest(f)[0], ==, "word");
	g_assert_cmpstr(flags_rest(f)[2], ==, "5");
	g_assert_null(flags_rest(f)[3]);
}

static void test_rest(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(flags) mixed = parse("prog one -n 5 - -- --debug two", true, &error);
	g_assert_no_error(error);
	g_assert_cmpint(flags_int(mixed, "n"), ==, 5);
	g_assert_false(flags_bool(mixed, "debug"));
	g_assert_cmpuint(flags_n_rest(mixed), ==, 4);
	g_assert_cmpstr(flags_rest(mixed)[1], ==, "-");
	g_assert_cmpstr(flags_rest(mixed)[2], ==, "--debug");
	g_autoptr(flags) off = parse("prog --debug=false", false, &error);
	g_assert_no_error(error);
	g_assert_true(flags_given(off, "debug"));
	g_assert_false(flags_bool(off, "debug"));
}

static void test_errors(void)
{
	static const char *const rows[][2] = {
		{"prog --nope", "flag provided but not defined: -nope"},
		{"prog --nope=1", "flag provided but not defined: -nope"},
		{"prog -deb", "flag provided but not defined: -deb"},
		{"prog --name", "flag needs an argument: --name"},
		{"prog -n x", "invalid value \"x\" for flag -n: strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"prog --ratio=1x", "invalid value \"1x\" for flag -ratio: parse error"},
		{"prog --debug=maybe",
		 "invalid value \"maybe\" for flag -debug: strconv.ParseBool: parsing \"maybe\": invalid syntax"},
		{"prog --wait=1", "invalid value \"1\" for flag -wait: time: missing unit in duration \"1\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(parse(rows[i][0], false, &error));
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
		g_assert_cmpstr(error->message, ==, rows[i][1]);
	}
}

static void test_help(void)
{
	g_autofree char *help = flags_help(table, G_N_ELEMENTS(table));
	g_assert_cmpstr(help, ==,
			"   --addr string, -a string [ --addr string, -a string ]  listening address\n"
			"   --debug                                                enable debug logging\n"
			"   --name string                                          name of it (default: \"none\") "
			"[$FLAGS_TEST_NAME]\n"
			"   --n int                                                number (default: 7)\n"
			"   --ratio float                                          ratio (default: 0.5)\n"
			"   --wait duration                                        time (default: 3s)\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/flags/defaults", test_defaults);
	g_test_add_func("/flags/values", test_values);
	g_test_add_func("/flags/rest", test_rest);
	g_test_add_func("/flags/errors", test_errors);
	g_test_add_func("/flags/help", test_help);
	return g_test_run();
}
