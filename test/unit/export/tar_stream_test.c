/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_stream.h"
#include "lib/outcome.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

static bool collect(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static struct fssync_stat entry(const char *path, uint32_t mode, const char *link)
{
	return (struct fssync_stat){
		.path = (char *)path, .mode = mode, .linkname = (char *)link, .mtime_ns = 1500000000600000000};
}

static void assert_next(struct archive *a, const char *path, mode_t mode, struct archive_entry **ret)
{
	g_assert_cmpint(archive_read_next_header(a, ret), ==, ARCHIVE_OK);
	g_assert_cmpstr(archive_entry_pathname(*ret), ==, path);
	g_assert_cmpint(archive_entry_mode(*ret), ==, mode);
}

static void test_round_trip(void)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(tar_writer) w = tar_writer_new(collect, bytes);
	g_autofree char *deep = g_strnfill(120, 'd'), *name = g_strnfill(90, 'n'), *very = g_strnfill(200, 'v');
	g_autofree char *split = g_strconcat(deep, "/", name, NULL);
	struct fssync_xattr xattr = {(char *)"user.a", (void *)"b\nc", 3};
	struct fssync_stat list[] = {entry("dir", FSSYNC_MODE_DIR | FSSYNC_MODE_STICKY | 0777, ""),
				     entry("link", FSSYNC_MODE_SYMLINK | 0777, "../t"),
				     entry("hard", 0644, "dir/f"),
				     entry("dev", FSSYNC_MODE_DEVICE | FSSYNC_MODE_CHAR_DEVICE | 0600, ""),
				     entry(split, 0644, ""),
				     entry(very, 0644, ""),
				     entry("\xc3\xa4", 04755 & 0777, ""),
				     entry("big-id", 0600, "")};
	list[3].devmajor = 1;
	list[3].devminor = 3;
	list[6].xattrs = &xattr;
	list[6].n_xattrs = 1;
	list[7].uid = 4000000;
	for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
		assert_succeeds(tar_stream_header(w, &list[i], &failure));
	assert_succeeds(tar_writer_finish(w, &failure));
	g_assert_cmpuint(bytes->len % 512, ==, 0);

	struct archive *a = archive_read_new();
	struct archive_entry *e;
	archive_read_support_format_tar(a);
	g_assert_cmpint(archive_read_open_memory(a, bytes->data, bytes->len), ==, ARCHIVE_OK);
	assert_next(a, "dir/", S_IFDIR | 01777, &e);
	g_assert_cmpint(archive_entry_mtime(e), ==, 1500000001);
	assert_next(a, "link", S_IFLNK | 0777, &e);
	g_assert_cmpstr(archive_entry_symlink(e), ==, "../t");
	g_assert_cmpint(archive_read_next_header(a, &e), ==, ARCHIVE_OK);
	g_assert_cmpstr(archive_entry_hardlink(e), ==, "dir/f");
	assert_next(a, "dev", S_IFCHR | 0600, &e);
	g_assert_cmpint(archive_entry_rdevminor(e), ==, 3);
	assert_next(a, split, S_IFREG | 0644, &e);
	assert_next(a, very, S_IFREG | 0644, &e);
	/* libarchive warns if the locale cannot represent the letter. */
	g_assert_cmpint(archive_read_next_header(a, &e), >=, ARCHIVE_WARN);
	g_assert_cmpint(archive_entry_xattr_count(e), ==, 1);
	assert_next(a, "big-id", S_IFREG | 0600, &e);
	g_assert_cmpint(archive_entry_uid(e), ==, 4000000);
	g_assert_cmpint(archive_read_next_header(a, &e), ==, ARCHIVE_EOF);
	archive_read_free(a);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tar-stream/round-trip", test_round_trip);
	return g_test_run();
}
