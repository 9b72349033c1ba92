/* SPDX-License-Identifier: Apache-2.0 */
/* CNI configurations and results: what is accepted gives every plugin its input. */
#include "network/conflist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int is_list = 0; is_list < 2; is_list++) {
		g_autoptr(json_t) list = conflist_parse(data, size, is_list != 0, NULL);
		g_assert(!list || (conflist_size(list) > 0 && conflist_name(list)));
		for (size_t i = 0; list && i < conflist_size(list); i++) {
			g_autoptr(json_t) input = conflist_plugin_input(list, i, NULL);
			g_assert(input && conflist_type(list, i));
		}
	}
	g_autoptr(json_t) result = json_read(data, size, size, "result", NULL);
	g_autoptr(GPtrArray) addresses = conflist_addresses(result);
	return 0;
}
