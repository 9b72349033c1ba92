/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile: scans and parses it, with its mounts and ports. */
#include "frontend/dockerfile/mounts.h"
#include "frontend/dockerfile/ports.h"
#include "frontend/dockerfile/scan.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *as_it_is(void *user, const char *value, GError **error)
{
	return value;
}

static void look_deeper(arena *a, const struct instruction *i)
{
	for (size_t k = 0; i->kind == INSTRUCTION_RUN && k < i->run.mounts.n; k++) {
		struct run_mount m;
		mount_parse(a, i->run.mounts.items[k], as_it_is, NULL, &m, NULL);
	}
	for (size_t k = 0; i->kind == INSTRUCTION_EXPOSE && k < i->words.n; k++) {
		struct ports p = {0};
		ports_parse(a, i->words.items[k], &p, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GError) error = NULL;
	struct scan s;
	struct span where;
	if (!scan_file(a, (const char *)bytes, n, &s, &where, &error))
		return 0;
	for (size_t k = 0; k < s.nodes.n; k++) {
		struct instruction *i = instruction_parse(a, s.nodes.items[k], NULL, NULL);
		if (i)
			look_deeper(a, i);
	}
	return 0;
}
