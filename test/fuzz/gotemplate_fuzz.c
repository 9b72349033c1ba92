/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gotemplate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autofree char *format = g_strndup((const char *)bytes, n);
	json_t *value = json_loads("[{\"id\":\"a\",\"labels\":{\"k\":\"v\"}},{\"n\":1}]", 0, NULL);
	g_autofree char *text = gotemplate_render(format, value, NULL);
	json_decref(value);
	return 0;
}
