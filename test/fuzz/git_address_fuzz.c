/* SPDX-License-Identifier: Apache-2.0 */
/* An address that is accepted as safe is equal after it is printed and parsed again. */
#include "format/git_address.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autofree char *text = g_strndup((const char *)bytes, n);
	g_auto(git_address) a = {0}, again = {0};
	if (!git_address_parse(text, &a) || !git_address_is_safe(&a))
		return 0;
	if (!git_address_parse(a.remote, &again) || g_strcmp0(a.remote, again.remote) != 0 ||
	    g_strcmp0(a.host, again.host) != 0)
		abort();
	return 0;
}
