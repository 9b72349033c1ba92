/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/archive_time.h"
#include "lib/outcome.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

static void add(struct archive *tar, const char *name, mode_t type, time_t when)
{
	struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(e, when, 0);
	g_assert_cmpint(archive_write_header(tar, e), ==, ARCHIVE_OK);
	archive_entry_free(e);
}

static size_t make(char *bytes, size_t size, int filter, bool files)
{
	struct archive *tar = archive_write_new();
	size_t used = 0;
	archive_write_set_format_ustar(tar);
	archive_write_add_filter(tar, filter);
	g_assert_cmpint(archive_write_open_memory(tar, bytes, size, &used), ==, ARCHIVE_OK);
	add(tar, "d", AE_IFDIR, 5000);
	if (files) {
		add(tar, "d/a", AE_IFREG, 1000);
		add(tar, "d/b", AE_IFREG, 3000);
		add(tar, "d/c", AE_IFREG, 2000);
	}
	archive_write_close(tar);
	archive_write_free(tar);
	return used;
}

static void test_newest(void)
{
	static const int filters[] = {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
				      ARCHIVE_FILTER_ZSTD};
	for (size_t i = 0; i < G_N_ELEMENTS(filters); i++) {
		char bytes[65536];
		bool known = false;
		int64_t when = 0;
		size_t n = make(bytes, sizeof bytes, filters[i], true);
		assert_succeeds(archive_newest(bytes, n, &known, &when, &failure));
		g_assert_true(known);
		g_assert_cmpint(when, ==, 3000);
	}
}

static void test_none(void)
{
	char bytes[65536];
	bool known = true;
	int64_t when = 0;
	size_t n = make(bytes, sizeof bytes, ARCHIVE_FILTER_NONE, false);
	assert_succeeds(archive_newest(bytes, n, &known, &when, &failure));
	g_assert_false(known);
}

static void test_no_archive(void)
{
	bool known = false;
	int64_t when = 0;
	g_autoptr(GError) error = NULL;
	g_assert_false(archive_newest("FROM scratch\n", strlen("FROM scratch\n"), &known, &when, &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, "archive: Unrecognized archive format");
	g_assert_false(known);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/archive_time/newest", test_newest);
	g_test_add_func("/archive_time/none", test_none);
	g_test_add_func("/archive_time/no-archive", test_no_archive);
	return g_test_run();
}
