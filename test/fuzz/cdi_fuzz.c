/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/spec.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(cdi_spec) spec = cdi_spec_parse(data, size, &error);
	g_assert(!spec == !!error);
	for (guint i = 0; spec && i < spec->devices->len; i++) {
		const struct cdi_device *d = spec->devices->pdata[i];
		g_assert(g_str_has_prefix(d->full_name, spec->kind));
		for (guint k = 0; k < d->edits.nodes->len; k++)
			g_assert(g_array_index(d->edits.nodes, struct cdi_node, k).path[0] == '/');
	}
	return 0;
}
