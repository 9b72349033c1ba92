/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar.h"
#include "lib/outcome.h"
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

/* The blocks of an entry; only the beginning of its data. */
static GByteArray *written(const struct tar_entry *e)
{
	static const uint8_t data[1 << 20];
	GByteArray *out = g_byte_array_new();
	g_autoptr(tar_writer) w = tar_writer_new(append, out);
	g_autoptr(GError) error = NULL;
	assert_succeeds(tar_writer_entry(w, e, &failure));
	if (e->size == 0) {
		assert_succeeds(tar_writer_finish(w, &failure));
		return out;
	}
	assert_succeeds(tar_writer_data(w, data, sizeof data, &failure));
	g_assert_false(tar_writer_finish(w, &error));
	g_assert_true(g_str_has_suffix(error->message, " bytes are missing at the end"));
	return out;
}

/* The text of a field up to a NUL. */
#define assert_field(block, field, want)                                                                               \
	do {                                                                                                           \
		g_autofree char *have = g_strndup((block)->field, sizeof(block)->field);                               \
		g_assert_cmpstr(have, ==, want);                                                                       \
	} while (0)

/* A member that fits: all fields as written by Go's archive/tar. */
static void test_plain(void)
{
	g_autoptr(GByteArray) out = written(&(struct tar_entry){
		.name = "dir/", .type = '5', .mode = 01755, .uid = 2097151, .gid = 8, .mtime_s = 077777777777});
	const struct tar_block *b = (const void *)out->data;
	g_assert_cmpuint(out->len, ==, 3 * TAR_BLOCK);
	assert_field(b, name, "dir/");
	assert_field(b, mode, "0001755");
	assert_field(b, uid, "7777777");
	assert_field(b, gid, "0000010");
	assert_field(b, size, "00000000000");
	assert_field(b, mtime, "77777777777");
	assert_field(b, link, "");
	assert_field(b, device_major, "0000000");
	assert_field(b, device_minor, "0000000");
	g_assert_cmpmem(&b->magic, 8, "ustar\00000", 8);
	g_assert_cmpint(b->checksum[6], ==, '\0');
	g_assert_cmpint(b->checksum[7], ==, ' ');
	g_assert_cmpuint(g_ascii_strtoull(b->checksum, NULL, 8), ==, tar_checksum(b));
}

/* Members that need pax records: the records' text, the name of their member, and the remaining fields. */
static void test_pax(void)
{
	g_autofree char *deep = g_strnfill(120, 'd'), *base = g_strnfill(90, 'n');
	g_autofree char *split = g_strconcat(deep, "/", base, NULL), *directory = g_strconcat(deep, "/", NULL);
	g_autofree char *split_path = g_strconcat("221 path=", split, "\n", NULL);
	g_autofree char *directory_path = g_strconcat("131 path=", directory, "\n", NULL);
	g_autofree char *xattr_path = g_strconcat("27 SCHILY.xattr.user.a=b\nc\n", split_path, NULL);
	g_autofree char *first_100 = g_strnfill(100, 'd');
	const struct tar_xattr xattr = {"user.a", "b\nc", 3};
	const struct {
		struct tar_entry entry;
		const char *records, *record_name, *name;
	} rows[] = {
		{{.name = "f", .uid = 2097152}, "15 uid=2097152\n", "PaxHeaders.0/f", "f"},
		{{.name = "a/b/", .type = '5', .gid = 4000000}, "15 gid=4000000\n", "a/b/PaxHeaders.0", "a/b/"},
		{{.name = "a/b", .mtime_s = -1}, "12 mtime=-1\n", "a/PaxHeaders.0/b", "a/b"},
		{{.name = "big", .size = 10000000000}, "20 size=10000000000\n", "PaxHeaders.0/big", "big"},
		{{.name = "\xc3\xa4", .link = "\xc3\xb6"},
		 "15 linkpath=\xc3\xb6\n11 path=\xc3\xa4\n",
		 "PaxHeaders.0/",
		 ""},
		{{.name = split}, NULL, NULL, base},
		{{.name = split, .xattrs = &xattr, .n_xattrs = 1}, xattr_path, first_100, first_100},
		{{.name = directory, .type = '5'}, directory_path, first_100, first_100},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) out = written(&rows[i].entry);
		const struct tar_block *b = (const void *)out->data;
		if (rows[i].records) {
			g_assert_cmpint(b->type, ==, 'x');
			assert_field(b, name, rows[i].record_name);
			assert_field(b, mode, "0000000");
			assert_field(b, mtime, "00000000000");
			assert_field(b, device_major, "");
			g_assert_cmpuint(g_ascii_strtoull(b->size, NULL, 8), ==, strlen(rows[i].records));
			g_assert_cmpstr((const char *)(b + 1), ==, rows[i].records);
			b += 2;
		}
		assert_field(b, name, rows[i].name);
		assert_field(b, prefix, rows[i].records ? "" : deep);
		assert_field(b, uid, "0000000");
		assert_field(b, size, "00000000000");
	}
}

/* ---- scanner */

static bool take_entry(void *data, const struct tar_entry *e, GError **error)
{
	g_string_append_printf(data, "%c %s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, e->type, e->name, e->link,
			       e->mode, e->uid, e->size, e->mtime_s);
	for (size_t i = 0; i < e->n_xattrs; i++)
		g_string_append_printf(data, " %s=%.*s", e->xattrs[i].name, (int)e->xattrs[i].len,
				       (const char *)e->xattrs[i].value);
	g_string_append(data, e->is_sparse ? " sparse\n" : "\n");
	return true;
}

static bool take_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	g_string_append_len(data, bytes, (gssize)n);
	return true;
}

static bool skip_frame(void *data, const void *bytes, size_t n, bool is_end, GError **error)
{
	return true;
}

static char *scanned(const GByteArray *in, size_t step, GError **error)
{
	static const struct tar_scan_handler handler = {
		.frame = skip_frame, .entry = take_entry, .contents = take_bytes};
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(tar_scan) t = tar_scan_new(&handler, out);
	for (size_t at = 0; at < in->len; at += step)
		if (!tar_scan_write(t, in->data + at, MIN(step, in->len - at), error))
			return NULL;
	return tar_scan_finish(t, error) ? g_strdup(out->str) : NULL;
}

static void test_round_trip(void)
{
	g_autofree char *name = g_strnfill(300, 'n'), *want = NULL;
	const struct tar_xattr xattrs[] = {{"user.a", "1", 1}, {"user.b", "2", 1}};
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(tar_writer) w = tar_writer_new(append, out);
	const struct tar_entry file = {
		.name = name, .type = '0', .mode = 0644, .uid = 5000000, .size = 3, .mtime_s = 7};
	const struct tar_entry link = {
		.name = "l", .link = name, .type = '2', .mode = 0777, .xattrs = xattrs, .n_xattrs = 2};
	g_assert_true(tar_writer_entry(w, &file, NULL) && tar_writer_data(w, "abc", 3, NULL));
	assert_fails(tar_writer_data(w, "d", 1, &failure), "more data than the size in the header");
	g_assert_true(tar_writer_entry(w, &link, NULL) && tar_writer_finish(w, NULL));
	want = g_strdup_printf("0 %s  420 5000000 3 7\nabc2 l %s 511 0 0 0 user.a=1 user.b=2\n", name, name);
	static const size_t steps[] = {1, 511, 100000};
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autofree char *have = scanned(out, steps[i], NULL);
		g_assert_cmpstr(have, ==, want);
	}
	g_autoptr(GError) error = NULL;
	g_byte_array_set_size(out, 700);
	g_assert_null(scanned(out, 512, &error));
	g_assert_cmpstr(error->message, ==, "unexpected EOF in tar stream");
}

/* Records of an extended header, one per row. */
static void test_records(void)
{
	static const struct {
		const char *records, *want; /* NULL: refused */
	} rows[] = {
		{"8 path=\n", "0 f  0 0 0 0\n"},
		{"10 path=gg\n", NULL},
		{"9 path=g\n", "0 g  0 0 0 0\n"},
		{"8 uid=-1", NULL},
		{"8 uid=7\n", "0 f  0 7 0 0\n"},
		{"12 mtime=1.5\n", NULL},
		{"13 mtime=1.5\n", "0 f  0 0 0 2\n"},
		{"20 GNU.sparse.map=\n", NULL},
		{"19 GNU.sparse.map=\n", "0 f  0 0 0 0 sparse\n"},
		{"x path=g\n", NULL},
		{"9 path:g\n", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) in = g_byte_array_new();
		struct tar_block blocks[5] = {{.type = 'x'}, {{0}}, {.name = "f", .type = '0'}};
		tar_number_write(blocks[0].size, sizeof blocks[0].size, (int64_t)strlen(rows[i].records));
		memcpy(&blocks[1], rows[i].records, strlen(rows[i].records));
		g_byte_array_append(in, (const guint8 *)blocks, sizeof blocks);
		g_autofree char *have = scanned(in, 512, NULL);
		g_assert_cmpstr(have, ==, rows[i].want);
	}
}

static void test_type(void)
{
	static const struct {
		mode_t mode;
		char type;
	} rows[] = {{S_IFREG, '0'}, {S_IFLNK, '2'}, {S_IFCHR, '3'}, {S_IFBLK, '4'},
		    {S_IFDIR, '5'}, {S_IFIFO, '6'}, {S_IFSOCK, '0'}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpint(tar_type_of(rows[i].mode | 0644), ==, rows[i].type);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tar/plain", test_plain);
	g_test_add_func("/tar/pax", test_pax);
	g_test_add_func("/tar/round-trip", test_round_trip);
	g_test_add_func("/tar/records", test_records);
	g_test_add_func("/tar/type", test_type);
	return g_test_run();
}
