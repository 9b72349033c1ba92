/* SPDX-License-Identifier: Apache-2.0 */
#include "format/estargz.h"
#include "base/limits.h"
#include "format/json_writer.h"
#include <string.h>
#include <zlib.h>

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

/* ---- a tar stream */

static void pad(GByteArray *tar)
{
	static const guint8 zeros[512];
	g_byte_array_append(tar, zeros, -tar->len & 511);
}

static void add_entry(GByteArray *tar, char type, const char *name, const char *link, const void *bytes, size_t n)
{
	char h[512] = "";
	g_snprintf(h, 100, "%s", name);
	g_snprintf(h + 100, 8, "%07o", 0640);
	g_snprintf(h + 108, 8, "%07o", 7);
	g_snprintf(h + 116, 8, "%07o", 8);
	g_snprintf(h + 124, 12, "%011zo", n);
	g_snprintf(h + 136, 12, "%011o", 1000000000);
	memset(h + 148, ' ', 8);
	h[156] = type;
	g_snprintf(h + 157, 100, "%s", link);
	memcpy(h + 257, "ustar\00000", 8);
	if (type == '3') {
		g_snprintf(h + 329, 8, "%07o", 5);
		g_snprintf(h + 337, 8, "%07o", 6);
	}
	unsigned sum = 0;
	for (size_t i = 0; i < sizeof h; i++)
		sum += (guint8)h[i];
	g_snprintf(h + 148, 7, "%06o", sum);
	g_byte_array_append(tar, (guint8 *)h, sizeof h);
	g_byte_array_append(tar, bytes, (guint)n);
	pad(tar);
}

static void end(GByteArray *tar)
{
	g_byte_array_set_size(tar, tar->len + 1024);
	memset(tar->data + tar->len - 1024, 0, 1024);
}

static GByteArray *noise(size_t n)
{
	GByteArray *all = g_byte_array_new();
	g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)n);
	g_byte_array_set_size(all, (guint)n);
	for (size_t i = 0; i < n; i++)
		all->data[i] = (guint8)(g_rand_int(rand) & 15);
	return all;
}

static void add_noise(GByteArray *tar, const char *name, size_t n)
{
	g_autoptr(GByteArray) bytes = noise(n);
	add_entry(tar, '0', name, "", bytes->data, n);
}

static const size_t sizes[] = {1,
			       511,
			       512,
			       100000,
			       ESTARGZ_CHUNK_BYTES - 1,
			       ESTARGZ_CHUNK_BYTES,
			       ESTARGZ_CHUNK_BYTES + 1,
			       5 * ESTARGZ_CHUNK_BYTES / 2,
			       3 * ESTARGZ_CHUNK_BYTES};

static GByteArray *sample(void)
{
	static const char records[] =
		"16 path=d/\303\244<&>\n28 SCHILY.xattr.user.a=\377\376xy\n23 mtime=1000000000.75\n";
	static const char long_name[] = "d/a name of the GNU kind";
	GByteArray *tar = g_byte_array_new();
	add_entry(tar, '5', "d/", "", NULL, 0);
	add_entry(tar, '0', "d/empty", "", NULL, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *name = g_strdup_printf("d/f%zu", sizes[i]);
		add_noise(tar, name, sizes[i]);
	}
	add_entry(tar, '2', "d/sym", "f1", NULL, 0);
	add_entry(tar, '1', "d/hard", "d/f1", NULL, 0);
	add_entry(tar, '3', "d/char", "", NULL, 0);
	add_entry(tar, '6', "d/fifo", "", NULL, 0);
	add_entry(tar, 'x', "pax", "", records, strlen(records));
	add_noise(tar, "d/short", 10);
	add_entry(tar, 'L', "././@LongLink", "", long_name, sizeof long_name);
	add_noise(tar, "d/cut", 20);
	end(tar);
	return tar;
}

/* ---- a blob */

struct packed {
	GByteArray *blob;
	GString *tail;
	struct digest table;
};

static void packed_clear(struct packed *p)
{
	g_byte_array_unref(p->blob);
	g_string_free(p->tail, TRUE);
}
#define scoped_packed __attribute__((cleanup(packed_clear))) struct packed

static struct packed pack(const GByteArray *tar, int level, size_t step)
{
	g_autoptr(GError) error = NULL;
	struct packed p = {.blob = g_byte_array_new()};
	g_autoptr(estargz_writer) w = estargz_writer_new(level, append, p.blob, &error);
	for (size_t at = 0; at < tar->len; at += step)
		g_assert_true(estargz_writer_write(w, tar->data + at, MIN(step, tar->len - at), &error));
	g_assert_true(estargz_writer_finish(w, &error));
	g_assert_no_error(error);
	const GString *tail = estargz_writer_tail(w);
	p.tail = g_string_new_len(tail->str, (gssize)tail->len);
	p.table = *estargz_writer_table_digest(w);
	return p;
}

/* Returns the gzip member at an offset. */
static GByteArray *member_at(const GByteArray *blob, uint64_t offset)
{
	GByteArray *out = g_byte_array_new();
	z_stream z = {.next_in = blob->data + offset, .avail_in = (uInt)(blob->len - offset)};
	g_assert_cmpint(inflateInit2(&z, 15 + 16), ==, Z_OK);
	int code = Z_OK;
	while (code == Z_OK) {
		guint8 piece[65536];
		z.next_out = piece;
		z.avail_out = sizeof piece;
		code = inflate(&z, Z_NO_FLUSH);
		g_byte_array_append(out, piece, (guint)(sizeof piece - z.avail_out));
	}
	g_assert_cmpint(code, ==, Z_STREAM_END);
	inflateEnd(&z);
	return out;
}

static uint64_t table_offset(const GByteArray *blob)
{
	const char *footer = (const char *)blob->data + blob->len - ESTARGZ_FOOTER_BYTES;
	g_assert_cmpmem(footer + 12, 4, "SG\x16\0", 4);
	g_assert_cmpmem(footer + 32, 6, "STARGZ", 6);
	g_autoptr(GByteArray) nothing = member_at(blob, blob->len - ESTARGZ_FOOTER_BYTES);
	g_assert_cmpuint(nothing->len, ==, 0);
	g_autofree char *digits = g_strndup(footer + 16, 16);
	return g_ascii_strtoull(digits, NULL, 16);
}

static json_t *table_read(const struct packed *p)
{
	g_autoptr(GByteArray) archive = member_at(p->blob, table_offset(p->blob));
	g_assert_cmpmem(archive->data, archive->len, p->tail->str, p->tail->len);
	g_assert_cmpstr((const char *)archive->data, ==, ESTARGZ_TABLE_NAME);
	size_t n = g_ascii_strtoull((const char *)archive->data + 124, NULL, 8);
	struct digest digest;
	digest_of(archive->data + 512, n, &digest);
	g_assert_cmpstr(digest.text, ==, p->table.text);
	json_t *table = json_loadb((const char *)archive->data + 512, n, JSON_REJECT_DUPLICATES, NULL);
	g_assert_nonnull(table);
	g_assert_cmpint(json_integer_value(json_object_get(table, "version")), ==, 1);
	return table;
}

static const char *text_of(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));
}

static gint64 number_of(const json_t *entry, const char *key)
{
	return json_integer_value(json_object_get(entry, key));
}

static void check_digest(const char *expected, const guint8 *bytes, size_t n)
{
	struct digest d;
	digest_of(bytes, n, &d);
	g_assert_cmpstr(expected, ==, d.text);
}

/* Returns all contents of the file with entry i; each chunk is verified separately. */
static GByteArray *contents_of(const struct packed *p, const json_t *entries, size_t i)
{
	const json_t *entry = json_array_get(entries, i);
	gint64 size = number_of(entry, "size");
	GByteArray *all = g_byte_array_new();
	for (const json_t *chunk = entry; (gint64)all->len < size; chunk = json_array_get(entries, ++i)) {
		g_assert_cmpstr(text_of(chunk, "name"), ==, text_of(entry, "name"));
		g_assert_cmpstr(text_of(chunk, "type"), ==, chunk == entry ? "reg" : "chunk");
		g_assert_cmpint(number_of(chunk, "chunkOffset"), ==, all->len);
		gint64 n = number_of(chunk, "chunkSize");
		n = n ? n : size - (gint64)all->len;
		g_autoptr(GByteArray) member = member_at(p->blob, (uint64_t)number_of(chunk, "offset"));
		g_assert_cmpint(member->len, >=, n);
		check_digest(text_of(chunk, "chunkDigest"), member->data, (size_t)n);
		g_byte_array_append(all, member->data, (guint)n);
	}
	check_digest(text_of(entry, "digest"), all->data, all->len);
	return all;
}

static size_t find(const json_t *entries, const char *name)
{
	size_t i;
	json_t *entry;
	json_array_foreach(entries, i, entry) if (g_str_equal(text_of(entry, "name"), name)) return i;
	g_error("no entry %s", name);
}

static void check_contents(const struct packed *p, const json_t *entries, const char *name, size_t n)
{
	g_autoptr(GByteArray) expected = noise(n);
	g_autoptr(GByteArray) found = contents_of(p, entries, find(entries, name));
	g_assert_cmpmem(found->data, found->len, expected->data, expected->len);
}

/* ---- tests */

static void test_contents(void)
{
	g_autoptr(GByteArray) tar = sample();
	static const int levels[] = {-1, 0, 9};
	for (size_t l = 0; l < G_N_ELEMENTS(levels); l++) {
		scoped_packed p = pack(tar, levels[l], 100003);
		g_autoptr(json_t) table = table_read(&p);
		const json_t *entries = json_object_get(table, "entries");
		for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
			g_autofree char *name = g_strdup_printf("d/f%zu", sizes[i]);
			check_contents(&p, entries, name, sizes[i]);
		}
		check_contents(&p, entries, "d/\303\244<&>", 10);
		check_contents(&p, entries, "d/a name of the GNU kind", 20);
		check_digest(text_of(json_array_get(entries, find(entries, "d/empty")), "digest"), NULL, 0);
	}
}

static void check_row(const json_t *entries, const char *name, const char *expected)
{
	char *found = json_dumps(json_array_get(entries, find(entries, name)), JSON_COMPACT | JSON_SORT_KEYS);
	g_assert_cmpstr(found, ==, expected);
	free(found);
}

static void test_rows(void)
{
	g_autoptr(GByteArray) tar = sample();
	scoped_packed p = pack(tar, -1, 4096);
	g_autoptr(json_t) table = table_read(&p);
	const json_t *entries = json_object_get(table, "entries");
	check_row(entries, "d/",
		  "{\"gid\":8,\"mode\":416,\"modtime\":\"2001-09-09T01:46:40Z\",\"name\":\"d/\","
		  "\"type\":\"dir\",\"uid\":7}");
	check_row(entries, "d/sym",
		  "{\"gid\":8,\"linkName\":\"f1\",\"mode\":416,\"modtime\":\"2001-09-09T01:46:40Z\","
		  "\"name\":\"d/sym\",\"type\":\"symlink\",\"uid\":7}");
	check_row(entries, "d/hard",
		  "{\"gid\":8,\"linkName\":\"d/f1\",\"mode\":416,"
		  "\"modtime\":\"2001-09-09T01:46:40Z\",\"name\":\"d/hard\",\"type\":\"hardlink\",\"uid\":7}");
	check_row(entries, "d/char",
		  "{\"devMajor\":5,\"devMinor\":6,\"gid\":8,\"mode\":416,"
		  "\"modtime\":\"2001-09-09T01:46:40Z\",\"name\":\"d/char\",\"type\":\"char\",\"uid\":7}");
	check_row(entries, "d/fifo",
		  "{\"gid\":8,\"mode\":416,\"modtime\":\"2001-09-09T01:46:40Z\",\"name\":\"d/fifo\","
		  "\"type\":\"fifo\",\"uid\":7}");
	const json_t *pax = json_array_get(entries, find(entries, "d/\303\244<&>"));
	g_assert_cmpstr(text_of(pax, "modtime"), ==, "2001-09-09T01:46:41Z");
	g_assert_cmpstr(text_of(json_object_get(pax, "xattrs"), "user.a"), ==, "//54eQ==");
}

/* Readers of gzip get the original tar, then the table; the splitting of the input has no effect. */
static void test_stream(void)
{
	static const size_t steps[] = {1, 511, 512, 65537, 1 << 30};
	g_autoptr(GByteArray) tar = sample();
	scoped_packed first = pack(tar, 1, 4096);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		scoped_packed p = pack(tar, 1, steps[i]);
		g_assert_cmpmem(p.blob->data, p.blob->len, first.blob->data, first.blob->len);
	}
	g_autoptr(GByteArray) plain = g_byte_array_new();
	g_autoptr(decompressor) d = decompressor_new(false, MIB(64), append, plain);
	g_assert_true(decompressor_write(d, first.blob->data, first.blob->len, NULL) && decompressor_finish(d, NULL));
	g_assert_cmpmem(plain->data, tar->len, tar->data, tar->len);
	g_assert_cmpmem(plain->data + tar->len, plain->len - tar->len, first.tail->str, first.tail->len);
}

static void test_many_files(void)
{
	g_autoptr(GByteArray) tar = g_byte_array_new();
	for (size_t i = 0; i < 3000; i++) {
		g_autofree char *name = g_strdup_printf("f%zu", i);
		add_noise(tar, name, i + 1);
	}
	end(tar);
	scoped_packed p = pack(tar, 1, 32768);
	g_autoptr(json_t) table = table_read(&p);
	const json_t *entries = json_object_get(table, "entries");
	g_assert_cmpuint(json_array_size(entries), ==, 3000);
	for (size_t i = 0; i < 3000; i++)
		g_byte_array_unref(contents_of(&p, entries, i));
}

static void test_footer(void)
{
	g_autoptr(GByteArray) tar = sample();
	scoped_packed p = pack(tar, 1, 65536);
	guint8 *footer = p.blob->data + p.blob->len - ESTARGZ_FOOTER_BYTES;
	int64_t at;
	g_assert_true(estargz_footer_read(footer, &at));
	g_assert_cmpint(at, ==, (gint64)table_offset(p.blob));
	/* A wrong byte in the magic, an invalid digit, an offset beyond any file size. */
	static const size_t wrong[] = {0, 1, 2, 3, 10, 12, 13, 14, 16, 31, 32, 37};
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		guint8 copy[ESTARGZ_FOOTER_BYTES];
		memcpy(copy, footer, sizeof copy);
		copy[wrong[i]] = '\xfb';
		g_assert_false(estargz_footer_read(copy, &at));
	}
	memset(footer + 16, 'f', 16);
	g_assert_false(estargz_footer_read(footer, &at));
}

static void check_refused(const GByteArray *tar)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(estargz_writer) w = estargz_writer_new(-1, append, out, &error);
	g_assert_false(estargz_writer_write(w, tar->data, tar->len, &error) && estargz_writer_finish(w, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

static void test_refused(void)
{
	static const struct {
		char type;
		const char *name;
	} rows[] = {{'0', "stargz.index.json"}, {'0', "./stargz.index.json"}, {'S', "sparse"}, {'7', "contiguous"}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) tar = g_byte_array_new();
		add_entry(tar, rows[i].type, rows[i].name, "", "x", 1);
		end(tar);
		check_refused(tar);
	}
	g_autoptr(GByteArray) tar = sample();
	g_byte_array_set_size(tar, 2000);
	check_refused(tar);
	memset(tar->data, 'x', tar->len);
	check_refused(tar);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/estargz/contents", test_contents);
	g_test_add_func("/estargz/rows", test_rows);
	g_test_add_func("/estargz/stream", test_stream);
	g_test_add_func("/estargz/many_files", test_many_files);
	g_test_add_func("/estargz/footer", test_footer);
	g_test_add_func("/estargz/refused", test_refused);
	return g_test_run();
}
