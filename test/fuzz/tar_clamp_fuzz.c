/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any stream: the result does not depend on the size of the pieces, and is accepted and unchanged when processed again.
 */
#include "export/tar_clamp.h"

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static bool clamp(const uint8_t *bytes, size_t n, size_t step, GByteArray *out)
{
	g_autoptr(tar_clamp) t = tar_clamp_new(1000000000, append, out);
	for (size_t at = 0; at < n; at += step)
		if (!tar_clamp_write(t, bytes + at, MIN(step, n - at), NULL))
			return false;
	return tar_clamp_finish(t, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(GByteArray) whole = g_byte_array_new(), pieces = g_byte_array_new(), again = g_byte_array_new();
	bool ok = clamp(bytes, n, MAX(n, 1), whole);
	g_assert_true(clamp(bytes, n, 7, pieces) == ok);
	if (!ok)
		return 0;
	g_assert_cmpmem(whole->data, whole->len, pieces->data, pieces->len);
	g_assert_true(clamp(whole->data, whole->len, 512, again));
	g_assert_cmpmem(whole->data, whole->len, again->data, again->len);
	return 0;
}
