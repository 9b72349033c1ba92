/* SPDX-License-Identifier: Apache-2.0 */
#include "format/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autofree char *text = g_strndup((const char *)bytes, n);
	g_auto(GStrv) fields = csv_parse(text, NULL);
	for (char **field = fields; field && *field; field++) {
		g_autofree char *key = NULL, *value = NULL;
		(void)csv_split(*field, &key, &value);
	}
	return 0;
}
