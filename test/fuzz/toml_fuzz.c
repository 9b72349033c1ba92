/* SPDX-License-Identifier: Apache-2.0 */
#include "format/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(toml) t = toml_parse((const char *)bytes, n, &error);
	g_assert((t == NULL) == (error != NULL));
	return 0;
}
