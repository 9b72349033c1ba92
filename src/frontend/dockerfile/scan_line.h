/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_line: what the scanner does with one line: parser directives, and the split of an instruction into keyword,
 * flags and arguments.
 *
 *	struct node *node = node_split(a, "COPY --link a b", '\\', error);
 *
 * Thread: any.
 */
#pragma once
#include "frontend/dockerfile/instruction.h"

/* Reads "# key=value" lines from the top until the first line that is none. */
struct directive_reader {
	const char *comment; /* "#" or "//" */
	char escape;
	bool done;
	unsigned seen;           /* bits of the keys */
	const char *key, *value; /* of the last one */
};
/* ret_directive may be NULL. Fails on a key given twice and on a bad escape character. */
bool directive_reader_line(struct directive_reader *d, arena *a, const char *p, const char *end, bool *ret_directive,
			   GError **error);

struct node *node_split(arena *a, const char *line, char escape, GError **error);
bool node_takes_heredocs(const struct node *node);
/* The words of the line that begin a here-document. */
void heredocs_find(arena *a, const char *line, struct vec *ret);
