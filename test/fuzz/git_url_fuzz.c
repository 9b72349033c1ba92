/* SPDX-License-Identifier: Apache-2.0 */
/* A reference to a git repository, and its source op. */
#include "frontend/dockerfile/git_url.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(arena) a = arena_new();
	struct git_url u;
	bool is_git;
	const char *const *attrs;
	if (git_url_parse(a, arena_strndup(a, (const char *)bytes, n), &u, &is_git, NULL) && is_git)
		git_url_source(a, &u, true, u.checksum, u.mtime, &attrs);
	return 0;
}
