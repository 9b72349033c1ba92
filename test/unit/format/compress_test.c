/* SPDX-License-Identifier: Apache-2.0 */
#include "format/compress.h"
#include "base/digest.h"
#include "base/limits.h"
#include "lib/outcome.h"
#include <string.h>
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static bool refuse(void *data, const void *bytes, size_t n, GError **error)
{
	return error_set(error, ERROR_CANCELED, "enough");
}

/* Bytes that compress slightly and do not repeat. */
static GByteArray *sample(size_t n)
{
	GByteArray *all = g_byte_array_sized_new((guint)n);
	g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)n);
	g_byte_array_set_size(all, (guint)n);
	for (size_t i = 0; i < n; i++)
		all->data[i] = (guint8)(g_rand_int(rand) & 15);
	return all;
}

static GByteArray *pack(enum compression type, int level, const GByteArray *in, size_t step)
{
	g_autoptr(GError) error = NULL;
	GByteArray *out = g_byte_array_new();
	g_autoptr(compressor) c = compressor_new(type, level, append, out, &error);
	g_assert_no_error(error);
	for (size_t at = 0; at < in->len; at += step)
		g_assert_true(compressor_write(c, in->data + at, MIN(step, in->len - at), &error));
	g_assert_true(compressor_finish(c, &error));
	return out;
}

static bool unpack(const GByteArray *in, bool any, uint64_t max, size_t step, GByteArray *out, GError **error)
{
	g_autoptr(decompressor) d = decompressor_new(any, max, append, out);
	for (size_t at = 0; at < in->len; at += step) {
		size_t n = MIN(step, in->len - at);
		g_autofree uint8_t *exact = g_memdup2(in->data + at, n);
		if (!decompressor_write(d, exact, n, error))
			return false;
	}
	return decompressor_finish(d, error);
}

static void assert_same(const GByteArray *a, const GByteArray *b)
{
	g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

static const size_t sizes[] = {0, 1, 5, 6, 1000, MIB(1) - 1, MIB(1), MIB(1) + 1, MIB(3), MIB(7) + 12345};
static const size_t steps[] = {1, 7, 4096, 100003, MIB(64)};

static void round_trip(enum compression type, int level)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GByteArray) in = sample(sizes[i]);
		g_autoptr(GByteArray) packed = pack(type, level, in, 4096);
		for (size_t s = 0; s < G_N_ELEMENTS(steps); s++) {
			if (steps[s] < 100 && sizes[i] > 1000)
				continue;
			g_autoptr(GError) error = NULL;
			g_autoptr(GByteArray) out = g_byte_array_new();
			g_assert_true(unpack(packed, false, sizes[i], steps[s], out, &error));
			g_assert_no_error(error);
			assert_same(in, out);
		}
	}
}

static void test_plain(void)
{
	round_trip(COMPRESSION_NONE, -1);
}

static void test_gzip(void)
{
	round_trip(COMPRESSION_GZIP, -1);
	round_trip(COMPRESSION_GZIP, 0);
	round_trip(COMPRESSION_GZIP, 1);
}

static void test_zstd(void)
{
	round_trip(COMPRESSION_ZSTD, -1);
	round_trip(COMPRESSION_ZSTD, 1);
}

/* The output is the same however the input is split. */
/* Equal data 5 MiB apart is found, in a window that every decoder accepts (RFC 8878, 3.1.1.1.2: 8 MiB). */
static void test_zstd_window(void)
{
	g_autoptr(GByteArray) once = sample(MIB(5));
	g_autoptr(GByteArray) twice = g_byte_array_new();
	g_byte_array_append(twice, once->data, once->len);
	g_byte_array_append(twice, once->data, once->len);
	g_autoptr(GByteArray) packed_once = pack(COMPRESSION_ZSTD, -1, once, 65536);
	g_autoptr(GByteArray) packed_twice = pack(COMPRESSION_ZSTD, -1, twice, 65536);
	g_assert_cmpuint(packed_twice->len, <, packed_once->len + packed_once->len / 10);
	g_assert_cmpuint(packed_twice->data[4] & 0x20, ==, 0);       /* frame header: a window descriptor follows */
	g_assert_cmpuint(10 + (packed_twice->data[5] >> 3), ==, 23); /* log2 of its size */
	g_assert_cmpuint(packed_twice->data[5] & 7, ==, 0);
}

static void test_default_levels(void)
{
	g_autoptr(GByteArray) in = sample(MIB(3));
	static const struct {
		enum compression type;
		int level;
	} rows[] = {{COMPRESSION_GZIP, 3}, {COMPRESSION_ZSTD, 3}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GByteArray) by_default = pack(rows[i].type, -1, in, 65536);
		g_autoptr(GByteArray) explicit = pack(rows[i].type, rows[i].level, in, 65536);
		g_autoptr(GByteArray) other = pack(rows[i].type, 9, in, 65536);
		assert_same(by_default, explicit);
		g_assert_cmpuint(other->len, !=, by_default->len);
	}
}

static void test_output_is_a_function_of_input(void)
{
	static const enum compression types[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD};
	g_autoptr(GByteArray) in = sample(MIB(5) + 17);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		g_autoptr(GByteArray) a = pack(types[i], -1, in, 513);
		g_autoptr(GByteArray) b = pack(types[i], -1, in, MIB(64));
		assert_same(a, b);
	}
}

static void test_other_makers(void)
{
	g_autoptr(GByteArray) in = sample(300000), packed = g_byte_array_new(), out = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	/* zlib, with a name in the header */
	g_byte_array_set_size(packed, 400000);
	z_stream z = {0};
	g_assert_cmpint(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, 0), ==, Z_OK);
	gz_header header = {.name = (Bytef *)(gpointer)g_intern_static_string("name")};
	deflateSetHeader(&z, &header);
	z.next_in = in->data;
	z.avail_in = in->len;
	z.next_out = packed->data;
	z.avail_out = packed->len;
	g_assert_cmpint(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
	g_byte_array_set_size(packed, (guint)z.total_out);
	deflateEnd(&z);
	g_byte_array_append(packed, packed->data, packed->len);
	g_assert_true(unpack(packed, false, MIB(1), 11, out, &error));
	g_assert_cmpuint(out->len, ==, 2 * in->len);
	g_assert_cmpmem(out->data + in->len, in->len, in->data, in->len);
}

static void test_archives(void)
{
	g_autoptr(GByteArray) in = sample(300000), bz = g_byte_array_new(), xz = g_byte_array_new();
	g_byte_array_set_size(bz, 400000);
	unsigned n = bz->len;
	g_assert_cmpint(BZ2_bzBuffToBuffCompress((char *)bz->data, &n, (char *)in->data, in->len, 1, 0, 0), ==, BZ_OK);
	g_byte_array_set_size(bz, n);
	g_byte_array_set_size(xz, 400000);
	size_t at = 0;
	g_assert_cmpint(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in->data, in->len, xz->data, &at, xz->len),
			==, LZMA_OK);
	g_byte_array_set_size(xz, (guint)at);
	GByteArray *const packed[] = {bz, xz};
	for (size_t i = 0; i < G_N_ELEMENTS(packed); i++) {
		for (size_t s = 0; s < G_N_ELEMENTS(steps); s++) {
			g_autoptr(GByteArray) out = g_byte_array_new();
			g_autoptr(GError) error = NULL;
			g_assert_true(unpack(packed[i], true, MIB(1), steps[s], out, &error));
			g_assert_no_error(error);
			assert_same(in, out);
		}
		g_autoptr(GByteArray) out = g_byte_array_new();
		assert_succeeds(unpack(packed[i], false, MIB(1), 4096, out, &failure));
		assert_same(packed[i], out); /* compressed layers are not decompressed again */
		g_byte_array_set_size(packed[i], packed[i]->len - 9);
		g_autoptr(GError) error = NULL;
		g_assert_false(unpack(packed[i], true, MIB(1), 4096, out, &error));
		g_assert_true(error_is(error, ERROR_DATA_LOSS));
	}
}

static void test_broken(void)
{
	static const enum compression types[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD};
	g_autoptr(GByteArray) in = sample(MIB(1) + 5000);
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		g_autoptr(GByteArray) whole = pack(types[i], -1, in, 4096);
		for (guint cut = 1; cut < whole->len; cut = cut < 32 ? cut + 1 : cut * 3) {
			g_autoptr(GByteArray) shorter = g_byte_array_new(), out = g_byte_array_new();
			g_byte_array_append(shorter, whole->data, whole->len - cut);
			g_autoptr(GError) error = NULL;
			g_assert_false(unpack(shorter, false, MIB(2), 4096, out, &error));
			g_assert_true(error_is(error, ERROR_DATA_LOSS));
		}
		g_autoptr(GByteArray) out = g_byte_array_new();
		g_autoptr(GError) error = NULL;
		whole->data[whole->len / 2] ^= 0x55;
		g_assert_false(unpack(whole, false, MIB(2), 4096, out, &error));
		g_assert_true(error_is(error, ERROR_DATA_LOSS));
	}
}

static void test_ceiling(void)
{
	g_autoptr(GByteArray) in = sample(100000), packed = pack(COMPRESSION_GZIP, -1, in, 4096);
	for (int i = 0; i < 2; i++) {
		g_autoptr(GByteArray) out = g_byte_array_new();
		g_autoptr(GError) error = NULL;
		g_assert_true(unpack(packed, false, 100000, 4096, out, &error));
		g_assert_false(unpack(packed, false, 99999, 4096, out, &error));
		g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
		g_clear_pointer(&packed, g_byte_array_unref);
		packed = pack(COMPRESSION_ZSTD, -1, in, 4096);
	}
}

static void test_sink_errors(void)
{
	static const enum compression types[] = {COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD};
	g_autoptr(GByteArray) in = sample(MIB(40));
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(compressor) c = compressor_new(types[i], 1, refuse, NULL, &error);
		g_assert_false(compressor_write(c, in->data, in->len, &error) && compressor_finish(c, &error));
		g_assert_true(error_is(error, ERROR_CANCELED));
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(compressor_new(COMPRESSION_ESTARGZ, -1, append, NULL, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/compress/plain", test_plain);
	g_test_add_func("/compress/gzip", test_gzip);
	g_test_add_func("/compress/zstd", test_zstd);
	g_test_add_func("/compress/zstd-window", test_zstd_window);
	g_test_add_func("/compress/default-levels", test_default_levels);
	g_test_add_func("/compress/function-of-input", test_output_is_a_function_of_input);
	g_test_add_func("/compress/other-makers", test_other_makers);
	g_test_add_func("/compress/archives", test_archives);
	g_test_add_func("/compress/broken", test_broken);
	g_test_add_func("/compress/ceiling", test_ceiling);
	g_test_add_func("/compress/sink-errors", test_sink_errors);
	return g_test_run();
}
