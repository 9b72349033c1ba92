/* SPDX-License-Identifier: Apache-2.0 */
/* Accepted input must be equal after a round trip, and raw copies must be read back unchanged. */
#include "format/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char *written(const json_t *value, size_t *ret_len)
{
	json_writer *w = json_writer_new(0);
	json_put_value(w, value, true);
	return json_writer_take(&w, ret_len);
}

static json_t *read_again(const char *text, size_t n)
{
	g_autoptr(GError) error = NULL;
	json_t *value = json_read(text, n, SIZE_MAX, "copy", &error);
	g_assert_true(value ||
		      strstr(error->message, "too big integer")); /* 12e18, which Go writes without an exponent */
	return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(json_t) value = json_read(bytes, n, 1 << 20, "input", NULL);
	if (!value)
		return 0;
	size_t len, len_again;
	g_autofree char *text = written(value, &len);
	g_autoptr(json_t) again = read_again(text, len); /* 1.0 has become 1, as in Go: texts agree, values need not */
	g_autofree char *text_again = again ? written(again, &len_again) : NULL;
	/* "-0", which Go writes for a negative zero, is read as the integer 0: compare the second copy. */
	g_autoptr(json_t) third = again ? read_again(text_again, len_again) : NULL;
	g_autofree char *text_third = third ? written(third, &len) : NULL;
	if (third)
		g_assert_cmpmem(text_again, len_again, text_third, len);
	json_writer *w = json_writer_new(2);
	json_put_raw(w, (const char *)bytes, n);
	g_autofree char *raw = json_writer_take(&w, &len);
	g_autoptr(json_t) raw_again = read_again(raw, len);
	g_assert_true(json_equal(value, raw_again));
	return 0;
}
