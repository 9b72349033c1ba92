/* SPDX-License-Identifier: Apache-2.0 */
/* A kind, then selector, subject and template, one per line. */
#include "format/selector.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 1 || memchr(bytes, 0, n) || !g_utf8_validate((const char *)bytes, (gssize)n, NULL))
		return 0;
	g_autofree char *text = g_strndup((const char *)bytes + 1, n - 1);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
	g_autoptr(selector) s = NULL;
	bool match;
	if (g_utf8_validate(text, -1, NULL) && g_strv_length(lines) == 3)
		s = selector_new(bytes[0] % 3, lines[0], NULL);
	if (!s || !selector_match(s, lines[1], &match, NULL))
		return 0;
	g_autofree char *out = selector_format(s, lines[1], lines[2], 1000, NULL);
	g_assert(!out || bytes[0] % 3 == SELECTOR_EXACT || strlen(out) <= MAX(1000, strlen(lines[1])));
	return 0;
}
