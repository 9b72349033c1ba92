/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	struct challenge c;
	if (!challenge_parse(text, &c))
		return 0;
	/* No value can escape from a header or a query. */
	g_assert(!strpbrk(c.realm, "\r\n") && !strpbrk(c.scope, "\r\n") && !strpbrk(c.service, "\r\n"));
	const char *scopes[] = {c.scope, "repository:x:pull", NULL};
	g_auto(GStrv) merged = scopes_merge(scopes);
	g_auto(GStrv) again = scopes_merge((const char *const *)merged);
	g_assert(g_strv_equal((const char *const *)merged, (const char *const *)again));
	challenge_clear(&c);
	return 0;
}
