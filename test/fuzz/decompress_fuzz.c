/* SPDX-License-Identifier: Apache-2.0 */
/* A stream in one piece and byte by byte: same result, same bytes, and never more output than allowed. */
#include "format/compress.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { CEILING = 1 << 20 };

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static bool unpack(const uint8_t *bytes, size_t n, size_t step, GByteArray *out)
{
	g_autoptr(decompressor) d = decompressor_new(true, CEILING, append, out);
	for (size_t at = 0; at < n; at += step)
		if (!decompressor_write(d, bytes + at, MIN(step, n - at), NULL))
			return false;
	return decompressor_finish(d, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(GByteArray) whole = g_byte_array_new(), pieces = g_byte_array_new();
	bool a = unpack(bytes, n, MAX(n, 1), whole);
	bool b = unpack(bytes, n, 1, pieces);
	g_assert_cmpuint(whole->len, <=, CEILING);
	g_assert_cmpuint(pieces->len, <=, CEILING);
	g_assert_true(a == b);
	if (a)
		g_assert_cmpmem(whole->data, whole->len, pieces->data, pieces->len);
	return 0;
}
