/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_line: scans one line: parser directives, and the split of an instruction into keyword, flags and arguments.
 *
 *	struct node *node = node_split(a, "COPY --link a b", '\\', error);
 *
 * Thread: any.
 */
#pragma once
#include "frontend/dockerfile/instruction.h"

/* Reads "# key=value" lines from the top up to the first line without a directive. */
struct directive_reader {
	const char *comment; /* "#" or "//" */
	char escape;
	bool done;
	unsigned seen;           /* bit set of the keys seen */
	const char *key, *value; /* span of the last one */
};
/* ret_directive may be NULL. Fails if a key is given twice, or if the escape character is invalid. */
bool directive_reader_line(struct directive_reader *d, arena *a, const char *p, const char *end, bool *ret_directive,
			   GError **error);

struct node *node_split(arena *a, const char *line, char escape, GError **error);
bool node_takes_heredocs(const struct node *node);
/* Returns the words of a line that begin a here-document. */
void heredocs_find(arena *a, const char *line, struct vec *ret);
