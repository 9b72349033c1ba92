/* SPDX-License-Identifier: Apache-2.0 */
#include "format/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	struct platform p, again, host;
	if (!platform_parse(text, &p, NULL))
		return 0;
	g_autofree char *full = platform_format_all(&p);
	g_assert(platform_parse(full, &again, NULL));
	g_assert(platform_equal(&p, &again));
	platform_host(&host);
	platform_match(&host, &p);
	return 0;
}
