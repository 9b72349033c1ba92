/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "client/policy_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(GError) error = NULL;
	Policy__Policy *p = policy_json_read(bytes, n, &error);
	g_assert((p == NULL) == (error != NULL));
	if (!p)
		return 0;
	guard_free(message_copy(p)); /* it can be packed */
	guard_free(p);
	return 0;
}
