/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any stream: the result does not depend on the size of the pieces; an accepted stream is returned, followed by its
 * table of contents.
 */
#include "format/estargz.h"

#define CEILING (1 << 20)

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static bool pack(const uint8_t *bytes, size_t n, size_t step, GByteArray *out, size_t *ret_tail)
{
	g_autoptr(estargz_writer) w = estargz_writer_new(1, append, out, NULL);
	for (size_t at = 0; at < n; at += step)
		if (!estargz_writer_write(w, bytes + at, MIN(step, n - at), NULL))
			return false;
	if (!estargz_writer_finish(w, NULL))
		return false;
	*ret_tail = estargz_writer_tail(w)->len;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(GByteArray) whole = g_byte_array_new(), pieces = g_byte_array_new(), plain = g_byte_array_new();
	size_t tail_a = 0, tail_b = 0;
	bool a = pack(bytes, n, MAX(n, 1), whole, &tail_a), b = pack(bytes, n, 7, pieces, &tail_b);
	g_assert_true(a == b);
	if (!a)
		return 0;
	g_assert_cmpmem(whole->data, whole->len, pieces->data, pieces->len);
	g_autoptr(decompressor) d = decompressor_new(false, n + CEILING + tail_a, append, plain);
	g_assert_true(decompressor_write(d, whole->data, whole->len, NULL) && decompressor_finish(d, NULL));
	g_assert_cmpmem(plain->data, plain->len - tail_a, bytes, n);
	return 0;
}
