/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/system_path.h"
#include "lib/outcome.h"
#include <string.h>

/* What a row's path becomes; an error begins with "!". */
static const struct row {
	const char *os, *dir, *path, *joined, *target, *rooted;
} rows[] = {
	{"linux", "/", "a", "/a", "/a", "/a"},
	{"linux", "/w", "a/", "/w/a", "/w/a/", "/a"},
	{"linux", "/w", "", "/w", "/w/", "/"},
	{"linux", "/w", ".", "/w", "/w/", "/"},
	{"linux", "/w", "a/.", "/w/a", "/w/a/.", "/a"},
	{"linux", "/w", "/x/../y/", "/x/../y/", "/y/", "/y"},
	{"linux", "/", "C:\\app", "/C:\\app", "/C:\\app", "/C:\\app"},
	{"windows", "/", "C:\\app", "/app", "/app", "/app"},
	{"windows", "/", "c:/app", "/app", "/app", "/app"},
	{"windows", "C:\\w", "app", "/w/app", "/w/app", "/app"},
	{"windows", "\\w", "app\\", "/w/app", "/w/app/", "/app"},
	{"windows", "/w", "C:app", "/w/app", "/w/app", "/app"},
	{"windows", "/w", "C:\\", "/", "/", "/"},
	{"windows", "/w", "", "/w", "/w/", "/"},
	{"windows", "/w", ".", "/w", "/w/", "/"},
	{"windows", "/w", "\\", "/", "/", "/"},
	{"windows", "", "a\\b\\..\\c", "/a/c", "/a/c", "/a/c"},
	{"windows", "/w", "..\\..\\x", "/x", "/x", "/x"},
	{"windows", "/w", "C:\\a\\b\\", "/a/b", "/a/b/", "/a/b"},
	{"windows", "/w", "a/.", "/w/a", "/w/a", "/a"},
	{"windows", "/", "C:", "!No relative path specified in \"C:\"", "!", "!"},
	{"windows", "/", "D:\\x", "!The specified path is not on the system drive (C:)", "!", "!"},
	{"windows", "/", "\\\\host\\share", "!UNC paths are not supported", "!", "!"},
	{"windows", "/", "//./C$/a", "!UNC paths are not supported", "!", "!"},
	{"windows", "/", "file:stream", "!The specified path is not on the system drive (C:)", "!", "!"},
	{"windows", "/", ":", "!The specified path is not on the system drive (C:)", "!", "!"},
};

static void check(const struct row *row, const char *got, const GError *error, const char *want)
{
	if (want[0] != '!') {
		g_assert_no_error(error);
		if (g_strcmp0(got, want) != 0)
			g_error("%s in \"%s\", \"%s\": got %s, want %s", row->path, row->dir, row->os, got, want);
		return;
	}
	g_autofree char *text = g_strconcat("removing drive letter: ", want[1] ? want + 1 : row->joined + 1, NULL);
	g_assert_null(got);
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	g_assert_cmpstr(error->message, ==, text);
}

static void test_rows(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct row *row = &rows[i];
		g_autoptr(arena) a = arena_new();
		g_autoptr(GError) of_join = NULL, of_target = NULL, of_root = NULL;
		const char *joined = system_path_join(a, row->os, row->dir, row->path, &of_join);
		const char *target = system_path_target(a, row->os, row->dir, row->path, &of_target);
		const char *rooted = system_path_rooted(a, row->os, row->path, &of_root);
		check(row, joined, of_join, row->joined);
		check(row, target, of_target, row->target);
		check(row, rooted, of_root, row->rooted);
	}
}

static void test_others(void)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GError) error = NULL;
	g_assert_true(system_path_is_absolute(a, "linux", "/a"));
	g_assert_false(system_path_is_absolute(a, "linux", "C:\\a"));
	g_assert_true(system_path_is_absolute(a, "windows", "\\a"));
	g_assert_true(system_path_is_absolute(a, "windows", "c:/a"));
	g_assert_false(system_path_is_absolute(a, "windows", "C:a"));
	g_assert_false(system_path_is_absolute(a, "windows", "D:\\a"));
	g_assert_cmpstr(system_path_native(a, "windows", "/a/b"), ==, "\\a\\b");
	g_assert_cmpstr(system_path_native(a, "linux", "/a/b"), ==, "/a/b");
	g_assert_cmpstr(system_path_slash(a, "windows", "a\\b"), ==, "a/b");
	g_assert_cmpstr(system_path_slash(a, "linux", "a\\b"), ==, "a\\b");
	g_assert_cmpstr(system_path_plain(a, "windows", "C:a\\b", &error), ==, "a/b");
	g_assert_cmpstr(system_path_plain(a, "linux", "C:a\\b", &error), ==, "C:a\\b");
	g_assert_null(system_path_plain(a, "windows", "D:a", &error));
	g_assert_cmpstr(error->message, ==,
			"removing drive letter: The specified path is not on the system drive (C:)");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/system-path/rows", test_rows);
	g_test_add_func("/system-path/others", test_others);
	return g_test_run();
}
