/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_error: adds the Dockerfile lines that an error refers to as details, from which clients print the lines.
 *
 *	source_error_add(*error, &file, &where);      where: element type struct span *; one detail per span
 *
 * Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "format/json_writer.h"
#include "frontend/dockerfile/instruction.h"
#include "ops.pb-c.h"

struct source_file {
	const char *name;
	const void *bytes;
	size_t n;
	const void *shown; /* text with masked credentials, for messages to clients */
	size_t n_shown;
	const Pb__Definition *definition; /* definition from which it was read */
	struct digest vertex;             /* digest of its last op, to which warnings are attached */
};
void source_error_write_file(json_writer *w, const struct source_file *file);
/* Writes the range of each line as an element of an array. */
void source_error_write_lines(json_writer *w, struct span span);
/* error must not be NULL; an error of another domain is converted. */
void source_error_add(GError **error, const struct source_file *file, const struct vec *where);
/* Returns {"line":1}.. for each line of the span, NULL-terminated, in the arena. */
const Pb__Range *const *span_ranges(arena *a, struct span span);
