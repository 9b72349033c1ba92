/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of git bundles: what is accepted has refs, and ends within the input. */
#include "source/git_bundle_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct git_bundle_header h;
	size_t n = git_bundle_header_length((const char *)data, size);
	g_assert(n <= size);
	if (git_bundle_header_read((const char *)data, n > 0 ? n : size, &h, NULL))
		g_assert(h.refs > 0);
	return 0;
}
