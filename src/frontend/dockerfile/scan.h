/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: splits a Dockerfile into nodes: lines, continuations, comments, parser directives, here-documents.
 *
 *	struct scan s;
 *	if (!scan_file(a, bytes, n, &s, &where, error)) ...     where: lines of the error
 *
 * Errors: INVALID_ARGUMENT with upstream's texts. The work is linear in the size of the text. Limits: L16, L16l and
 * L18i of docs/limits.md. Thread: any.
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
 * Finds a parser directive ("syntax", "check") with the rules of upstream's stand-alone detector: skips a BOM and a
 * "#!" line, then reads comments at the top; for "syntax" also "//" comments, and a file that is one JSON object.
 */
struct directive {
	const char *word; /* the value up to the first blank */
	const char *value;
	struct span span;
};
bool directive_find(arena *a, const char *bytes, size_t n, const char *key, struct directive *ret);
