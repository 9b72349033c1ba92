/* SPDX-License-Identifier: Apache-2.0 */
/* The first lines of a file, which may contain directives, and the options of a check directive. */
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/scan.h"
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(arena) a = arena_new();
	struct directive d;
	directive_find(a, (const char *)bytes, n, "syntax", &d);
	if (directive_find(a, (const char *)bytes, n, "check", &d)) {
		struct lint l = {.a = a};
		lint_configure(&l, d.value, NULL);
	}
	return 0;
}
