/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: a Dockerfile's text into nodes: lines, continuations, comments, parser directives, here-documents.
 *
 *	struct scan s;
 *	if (!scan_file(a, bytes, n, &s, &where, error)) ...     where: the lines to show
 *
 * Errors: INVALID_ARGUMENT with upstream's texts. Work is linear in the text; ceilings L16, L16l and L18i.
 * Thread: any.
 */
#pragma once
#include "frontend/dockerfile/instruction.h"

struct scan {
	struct vec nodes;              /* element type: struct node * */
	struct vec empty_continuation; /* element type: struct span *: last lines of instructions with blank lines */
	char escape;
};
bool scan_file(arena *a, const char *bytes, size_t n, struct scan *ret, struct span *ret_where, GError **error);

/*
 * A parser directive as the stand-alone detector sees it ("syntax", "check"): skips a BOM and a "#!" line, then
 * comments at the very top; for "syntax" also "//" comments and a file that is one JSON object.
 */
struct directive {
	const char *word; /* up to the first space */
	const char *value;
	struct span span;
};
bool directive_find(arena *a, const char *bytes, size_t n, const char *key, struct directive *ret);
