/* SPDX-License-Identifier: Apache-2.0 */
#include "source/http_name.h"

static void test_names(void)
{
	static const struct {
		const char *url, *asked, *disposition, *name;
	} rows[] = {
		{"http://x/a/b.txt", "", NULL, "b.txt"},
		{"http://x/a/b%20c", "", NULL, "b c"},
		{"http://x/a/?q=1", "", NULL, "a"},
		{"http://x/", "", NULL, "download"},
		{"http://x", "", NULL, "download"},
		{"http://x/a", "../../n", NULL, "n"},
		{"http://x/a", "..", NULL, "download"},
		{"http://x/a", "", "attachment; filename=\"f.txt\"", "f.txt"},
		{"http://x/a", "", "attachment; filename=f.txt; size=3", "f.txt"},
		{"http://x/a", "", "attachment; filename=\"../../etc/passwd\"", "passwd"},
		{"http://x/a", "", "attachment; filename=\"d/\"", "a"},
		{"http://x/a", "", "attachment; filename=\"q\\\"x\"", "q\"x"},
		{"http://x/a", "", "attachment; filename*=UTF-8''%e2%82%ac.txt", "\xe2\x82\xac.txt"},
		{"http://x/a", "", "attachment; filename=\"open", "a"},
		{"http://x/a", "", "attachment", "a"},
		{"http://x/a", "", "attachment; filename=\"a\x01\"", "download"},
		{"http://x/%00", "", NULL, "download"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *name = http_file_name(rows[i].url, rows[i].asked, rows[i].disposition);
		g_assert_cmpstr(name, ==, rows[i].name);
	}
}

static void test_dates(void)
{
	int64_t seconds;
	g_assert_true(http_date_parse("Mon, 02 Jan 2006 15:04:05 GMT", &seconds));
	g_assert_cmpint(seconds, ==, 1136214245);
	g_autofree char *text = http_date_format(seconds);
	g_assert_cmpstr(text, ==, "Mon, 02 Jan 2006 15:04:05 GMT");
	g_assert_false(http_date_parse("nonsense", &seconds));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/http-name/names", test_names);
	g_test_add_func("/http-name/dates", test_dates);
	return g_test_run();
}
