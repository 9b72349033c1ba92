/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder_flags: parses the "--name=value" words before the arguments of an instruction into members of a struct, by a
 * table.
 *
 *	static const struct builder_flag copy_flags[] = {{"from", FLAG_TEXT, offsetof(struct instruction, from)}, {0}};
 *	if (!builder_flags_parse(a, &node->flags, copy_flags, instruction, error)) ...
 *
 * Errors: INVALID_ARGUMENT with upstream's texts. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

enum flag_type {
	FLAG_TEXT,  /* const char * */
	FLAG_LIST,  /* struct vec; repeatable */
	FLAG_BOOL,  /* bool */
	FLAG_MAYBE, /* int; -1 if not given */
};
struct builder_flag {
	const char *name;
	enum flag_type type;
	size_t offset;
};
/* rows end with a NULL name; rows NULL: no flags are allowed. */
bool builder_flags_parse(arena *a, const struct vec *words, const struct builder_flag *rows, void *target,
			 GError **error);
