/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted must survive a round trip, and raw copies must read back equal. */
#include "format/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void round_trip(const json_t *value, char *text, size_t n)
{
	g_autofree char *owned = text;
	g_autoptr(json_t) again = json_read(text, n, SIZE_MAX, "copy", NULL);
	g_assert_true(again && json_equal(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(json_t) value = json_read(bytes, n, 1 << 20, "input", NULL);
	if (!value)
		return 0;
	size_t len;
	json_writer *w = json_writer_new(0);
	json_put_value(w, value, true);
	char *text = json_writer_take(&w, &len);
	round_trip(value, text, len);
	w = json_writer_new(2);
	json_put_raw(w, (const char *)bytes, n);
	text = json_writer_take(&w, &len);
	round_trip(value, text, len);
	return 0;
}
