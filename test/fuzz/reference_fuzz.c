/* SPDX-License-Identifier: Apache-2.0 */
#include "format/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(reference) r = reference_parse_normalized(text, NULL);
	if (!r)
		return 0;
	g_autofree char *full = reference_text(r);
	g_autoptr(reference) again = reference_parse_normalized(full, NULL);
	g_assert(again);
	g_autofree char *twice = reference_text(again), *familiar = reference_familiar(r);
	g_assert(g_str_equal(full, twice));
	return 0;
}
