/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_clamp.h"
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define EPOCH 1500000001
#define LATE 1600000000
#define EARLY 1000000000

static GByteArray *sample(void)
{
	GByteArray *out = g_byte_array_new();
	g_byte_array_set_size(out, 1 << 20);
	size_t used = 0;
	struct archive *a = archive_write_new();
	archive_write_set_format_pax(a);
	archive_write_set_bytes_per_block(a, 512);
	g_assert_cmpint(archive_write_open_memory(a, out->data, out->len, &used), ==, ARCHIVE_OK);
	static const struct {
		const char *name;
		time_t mtime;
		long ns;
		const char *body;
	} rows[] = {
		{"early", EARLY, 0, "one"},
		{"late", LATE, 0, "two"},
		{"fraction", LATE, 123456789, "three"},
		{"early-fraction", EARLY, 5, "four"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct archive_entry *e = archive_entry_new();
		archive_entry_set_pathname(e, rows[i].name);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_mtime(e, rows[i].mtime, rows[i].ns);
		archive_entry_set_atime(e, rows[i].mtime, rows[i].ns);
		archive_entry_set_birthtime(e, rows[i].mtime, rows[i].ns);
		archive_entry_set_size(e, (la_int64_t)strlen(rows[i].body));
		archive_entry_xattr_add_entry(e, "user.x", "y", 1);
		archive_write_header(a, e);
		archive_write_data(a, rows[i].body, strlen(rows[i].body));
		archive_entry_free(e);
	}
	archive_write_close(a);
	archive_write_free(a);
	g_byte_array_set_size(out, (guint)used);
	return out;
}

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static GByteArray *clamp(const GByteArray *in, size_t step, GError **error)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(tar_clamp) t = tar_clamp_new(EPOCH, append, out);
	for (size_t at = 0; at < in->len; at += step)
		if (!tar_clamp_write(t, in->data + at, MIN(step, in->len - at), error))
			return NULL;
	return tar_clamp_finish(t, error) ? g_steal_pointer(&out) : NULL;
}

static void test_clamp(void)
{
	g_autoptr(GByteArray) in = sample();
	GError *error = NULL;
	g_autoptr(GByteArray) out = clamp(in, 100000, &error);
	g_assert_no_error(error);
	struct archive *a = archive_read_new();
	archive_read_support_format_tar(a);
	g_assert_cmpint(archive_read_open_memory(a, out->data, out->len), ==, ARCHIVE_OK);
	struct archive_entry *e;
	guint n = 0;
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		bool early = g_str_has_prefix(archive_entry_pathname(e), "early");
		g_assert_cmpint(archive_entry_mtime(e), ==, early ? EARLY : EPOCH);
		g_assert_cmpint(archive_entry_mtime_nsec(e), ==,
				g_str_equal(archive_entry_pathname(e), "early-fraction") ? 5 : 0);
		if (archive_entry_atime_is_set(e))
			g_assert_cmpint(archive_entry_atime(e), <=, EPOCH);
		if (archive_entry_birthtime_is_set(e))
			g_assert_cmpint(archive_entry_birthtime(e), <=, EPOCH);
		g_assert_cmpint(archive_entry_xattr_count(e), >=, 1);
		char body[16] = "";
		archive_read_data(a, body, sizeof body - 1);
		g_assert_cmpuint(strlen(body), ==, archive_entry_size(e));
		n++;
	}
	archive_read_free(a);
	g_assert_cmpuint(n, ==, 4);
	/* The result does not depend on the size of the pieces, and is unchanged when processed again. */
	g_autoptr(GByteArray) small = clamp(in, 7, &error);
	g_assert_cmpmem(small->data, small->len, out->data, out->len);
	g_autoptr(GByteArray) again = clamp(out, 512, &error);
	g_assert_cmpmem(again->data, again->len, out->data, out->len);
}

/* The end is two zero blocks, whether the input's end is padded, followed by bytes, or missing. */
static void test_end(void)
{
	g_autoptr(GByteArray) in = sample();
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) want = clamp(in, 100000, &error);
	g_assert_no_error(error);
	guint entries = in->len;
	while (entries > 0 && in->data[entries - 1] == 0)
		entries--;
	entries = (entries + 511) / 512 * 512;
	static const guint8 zeros[512 * 20], text[512] = "x";
	const struct {
		guint zeros, text;
	} rows[] = {{0, 0}, {512, 0}, {1024, 0}, {1024, 512}, {1500, 0}, {512 * 20, 0}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_byte_array_set_size(in, entries);
		g_byte_array_append(in, zeros, rows[i].zeros);
		g_byte_array_append(in, text, rows[i].text);
		g_autoptr(GByteArray) out = clamp(in, 300, &error);
		g_assert_no_error(error);
		g_assert_cmpmem(out->data, out->len, want->data, want->len);
	}
	g_assert_cmpuint(want->len % 512, ==, 0);
	g_byte_array_set_size(in, entries);
	g_byte_array_append(in, zeros, 512);
	g_byte_array_append(in, text, 512);
	g_assert_null(clamp(in, 300, &error));
	g_assert_cmpstr(error->message, ==, "archive/tar: invalid tar header");
}

/* Empty device numbers of other tar programs become zeros; other values are kept. */
static void test_device_numbers(void)
{
	g_autoptr(GByteArray) in = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	g_byte_array_set_size(in, 512 * 3);
	memset(in->data, 0, in->len);
	static const struct {
		guint at;
		const char *text;
	} fields[] = {{0, "f"},   {100, "0000644"}, {124, "00000000000"}, {136, "00000000001"},
		      {156, "0"}, {257, "ustar"},   {263, "00"}};
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		memcpy(in->data + fields[i].at, fields[i].text, strlen(fields[i].text));
	g_autoptr(GByteArray) out = clamp(in, 512, &error);
	g_assert_no_error(error);
	g_assert_cmpmem(out->data + 329, 16,
			"0000000\0"
			"0000000",
			16);
	unsigned sum = 0;
	for (guint i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? ' ' : out->data[i];
	g_assert_cmpuint(g_ascii_strtoull((const char *)out->data + 148, NULL, 8), ==, sum);
	memcpy(in->data + 329,
	       "0000005\0"
	       "0000001",
	       16);
	g_autoptr(GByteArray) kept = clamp(in, 512, &error);
	g_assert_cmpmem(kept->data, 512, in->data, 512);
	/* Go writes no device numbers for extended headers either. */
	memset(in->data + 329, 0, 16);
	in->data[156] = 'L';
	g_autoptr(GByteArray) extended = clamp(in, 512, &error);
	g_assert_cmpmem(extended->data, 512, in->data, 512);
}

static void test_broken(void)
{
	g_autoptr(GByteArray) in = sample();
	g_autoptr(GError) error = NULL;
	g_byte_array_set_size(in, 1000);
	g_assert_null(clamp(in, 512, &error));
	g_assert_error(error, error_domain(), ERROR_INVALID_ARGUMENT);
	for (guint i = 0; i < in->len; i++)
		in->data[i] = 'x';
	g_assert_null(clamp(in, 512, NULL));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tar-clamp/clamp", test_clamp);
	g_test_add_func("/tar-clamp/end", test_end);
	g_test_add_func("/tar-clamp/device-numbers", test_device_numbers);
	g_test_add_func("/tar-clamp/broken", test_broken);
	return g_test_run();
}
