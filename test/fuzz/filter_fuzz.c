/* SPDX-License-Identifier: Apache-2.0 */
#include "format/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *lookup(const void *row, const char *const *path, size_t n_path)
{
	return n_path == 1 ? row : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autofree char *text = g_strndup((const char *)bytes, n);
	const char *list[] = {text, NULL};
	g_autoptr(filter) f = filter_new(list, NULL);
	if (f)
		filter_match(f, lookup, "source.local");
	return 0;
}
