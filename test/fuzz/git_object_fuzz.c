/* SPDX-License-Identifier: Apache-2.0 */
/* A commit or tag; what is signed and the signature are parts of it. */
#include "source/git_object.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_auto(git_object) o = {0};
	if (git_object_parse(bytes, n, &o, NULL) && o.signed_data->len + o.signature->len > n + 2)
		abort();
	return 0;
}
