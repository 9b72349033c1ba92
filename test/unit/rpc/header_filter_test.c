/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/header_filter.h"
#include <nghttp2/nghttp2.h>
#include <string.h>

static bool to_array(void *data, const uint8_t *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static void add_frame(GByteArray *out, uint8_t type, uint8_t flags, const uint8_t *payload, size_t n)
{
	uint8_t head[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags, 0, 0, 0, 1};
	g_byte_array_append(out, head, sizeof head);
	g_byte_array_append(out, payload, (guint)n);
}

static nghttp2_nv field(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

/* SETTINGS, a response, trailers with details of the given length, and a frame after them. */
static GByteArray *stream_make(size_t n_details)
{
	GByteArray *out = g_byte_array_new();
	nghttp2_hd_deflater *d;
	g_assert_cmpint(nghttp2_hd_deflate_new(&d, 4096), ==, 0);
	g_autofree char *details = g_malloc0(n_details + 1);
	for (size_t i = 0; i < n_details; i++)
		details[i] = "AZaz09+/"[i % 8];
	nghttp2_nv response[] = {field(":status", "200"), field("content-type", "application/grpc")};
	nghttp2_nv trailers[] = {field("grpc-status", "2"), field("grpc-message", "line too long"),
				 field("grpc-status-details-bin", details), field("x-after", "kept")};
	g_autofree uint8_t *bytes = g_malloc(2 * n_details + 4096);
	add_frame(out, 4, 0, NULL, 0);
	ssize_t n = nghttp2_hd_deflate_hd(d, bytes, 4096, response, G_N_ELEMENTS(response));
	g_assert_cmpint(n, >, 0);
	add_frame(out, 1, 4, bytes, (size_t)n);
	n = nghttp2_hd_deflate_hd(d, bytes, 2 * n_details + 4096, trailers, G_N_ELEMENTS(trailers));
	g_assert_cmpint(n, >, 0);
	for (size_t at = 0; at < (size_t)n; at += 16384) {
		size_t piece = MIN((size_t)n - at, 16384);
		add_frame(out, at ? 9 : 1, (uint8_t)((at ? 0 : 1) | (at + piece == (size_t)n ? 4 : 0)), bytes + at,
			  piece);
	}
	nghttp2_hd_deflate_del(d);
	add_frame(out, 6, 0, (const uint8_t *)"12345678", 8);
	return out;
}

static GByteArray *filter(const GByteArray *in, size_t step)
{
	GByteArray *out = g_byte_array_new();
	g_autoptr(header_filter) f = header_filter_new();
	g_autoptr(GError) error = NULL;
	for (size_t at = 0; at < in->len; at += step)
		g_assert_true(header_filter_pass(f, in->data + at, MIN(step, in->len - at), to_array, out, &error));
	return out;
}

static void assert_same(const GByteArray *a, const GByteArray *b)
{
	g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

static void test_unchanged(void)
{
	static const size_t steps[] = {1, 7, 100000};
	g_autoptr(GByteArray) small = stream_make(10), large = stream_make(60000);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autoptr(GByteArray) a = filter(small, steps[i]), b = filter(large, steps[i]);
		assert_same(a, small);
		assert_same(b, large);
	}
}

/* Decodes the header blocks: names in order. */
static char *names_of(const GByteArray *stream)
{
	GString *names = g_string_new(NULL);
	nghttp2_hd_inflater *inflater;
	g_assert_cmpint(nghttp2_hd_inflate_new(&inflater), ==, 0);
	for (size_t at = 0; at < stream->len;) {
		const uint8_t *h = stream->data + at;
		size_t n = (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2];
		const uint8_t *p = h + 9, *end = p + n;
		while ((h[3] == 1 || h[3] == 9) && p < end) {
			nghttp2_nv nv;
			int flags = 0;
			ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, (size_t)(end - p), h[4] & 4);
			g_assert_cmpint(used, >=, 0);
			p += used;
			if (flags & NGHTTP2_HD_INFLATE_EMIT)
				g_string_append_printf(names, "%.*s ", (int)nv.namelen, (const char *)nv.name);
			if (flags & NGHTTP2_HD_INFLATE_FINAL)
				nghttp2_hd_inflate_end_headers(inflater);
		}
		at += 9 + n;
	}
	nghttp2_hd_inflate_del(inflater);
	return g_string_free(names, FALSE);
}

static void test_shortened(void)
{
	static const size_t steps[] = {1, 4096, 1000000};
	g_autoptr(GByteArray) in = stream_make(200000);
	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
		g_autoptr(GByteArray) out = filter(in, steps[i]);
		g_autofree char *names = names_of(out);
		g_assert_cmpstr(names, ==, ":status content-type grpc-status grpc-message x-after ");
		g_assert_cmpmem(out->data + out->len - 8, 8, "12345678", 8);
	}
}

static void test_bounded(void)
{
	g_autoptr(header_filter) f = header_filter_new();
	g_autoptr(GByteArray) out = g_byte_array_new(), frame = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	add_frame(frame, 1, 0, NULL, 0);
	g_assert_true(header_filter_pass(f, frame->data, frame->len, to_array, out, &error));
	g_byte_array_set_size(frame, 0);
	add_frame(frame, 9, 0, NULL, 0);
	for (int i = 0; i < 5000 && !error; i++)
		header_filter_pass(f, frame->data, frame->len, to_array, out, &error);
	g_assert_cmpint(error_get_code(error), ==, ERROR_RESOURCE_EXHAUSTED);
	g_assert_cmpuint(out->len, ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/header_filter/unchanged", test_unchanged);
	g_test_add_func("/header_filter/shortened", test_shortened);
	g_test_add_func("/header_filter/bounded", test_bounded);
	return g_test_run();
}
