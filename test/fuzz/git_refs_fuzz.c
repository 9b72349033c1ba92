/* SPDX-License-Identifier: Apache-2.0 */
/* A listing of refs: the first line is the requested ref ("": the default branch), the rest is the output of git. */
#include "source/git_refs.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = n ? memchr(bytes, '\n', n) : NULL;
	if (!end)
		return 0;
	size_t head = (size_t)(end - bytes);
	g_autofree char *ref = g_strndup((const char *)bytes, head);
	if (*ref && !git_ref_is_safe(ref))
		return 0;
	g_auto(git_listing) l = {.ref = *ref ? g_strdup(ref) : NULL};
	if (git_listing_parse(&l, (const char *)end + 1, n - head - 1) &&
	    (!git_is_commit(l.sha) || !git_ref_is_safe(l.ref) || (*l.peeled && !git_is_commit(l.peeled))))
		abort();
	return 0;
}
