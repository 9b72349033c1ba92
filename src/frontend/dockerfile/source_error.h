/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_error: the places in a Dockerfile that an error is about, as details from which clients print the lines.
 *
 *	source_error_add(*error, &file, &where);      where: of struct span *, one detail (one snippet) each
 *
 * Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "frontend/dockerfile/instruction.h"
#include "ops.pb-c.h"

struct source_file {
	const char *name;
	const void *bytes;
	size_t n;
	const void *shown; /* the same without credentials in addresses: what leaves the frontend */
	size_t n_shown;
	const Pb__Definition *definition; /* how it was read */
	struct digest vertex;             /* its last step, which warnings are attached to */
};
/* error must not be NULL; one of another domain is converted. */
void source_error_add(GError **error, const struct source_file *file, const struct vec *where);
/* {"line":1}.. of each line of the span, NULL-terminated, in the arena. */
const Pb__Range *const *span_ranges(arena *a, struct span span);
