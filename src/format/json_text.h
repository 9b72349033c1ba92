/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text: checks and reads large JSON documents as text, without a tree in memory.
 *
 *	g_autoptr(GString) compact = json_text_compact(bytes, n, "x.json", error);       NULL: not one JSON value
 *	struct json_walk walk;
 *	if (json_walk_begin(&walk, compact->str, compact->len))                          an object or an array
 *		while (json_walk_next(&walk)) ... walk.key, walk.value ...
 *
 * Compact text is what Go's json.RawMessage gives: no white space, <, >, & and U+2028/9 escaped; in addition, invalid
 * UTF-8 and halves of surrogate pairs are replaced by U+FFFD. Numbers, the order of members and duplicate members are kept. Thread: any.
 */
#pragma once
#include "base/error.h"

/* Errors: INVALID_ARGUMENT, with the offset; values nested more than LIMIT_JSON_DEPTH levels deep. */
GString *json_text_compact(const void *bytes, size_t n, const char *what, GError **error);

/* A part of a compact text. */
struct json_slice {
	const char *start;
	size_t n;
};
struct json_walk {
	const char *at, *end;
	bool is_object;
	struct json_slice key;   /* objects: the name, with quotes and escapes */
	struct json_slice value; /* the current value */
};
/* Starts at the first member or element of compact text. False: it is neither an object nor an array. */
bool json_walk_begin(struct json_walk *w, const char *json, size_t n);
bool json_walk_next(struct json_walk *w);
/* Returns the text of a string, owned; NULL if the value is not a string. */
char *json_slice_string(struct json_slice s);
/* Reports whether a slice is the string; ignore_case: ASCII case differs, as Go's decoder accepts for names. */
bool json_slice_is(struct json_slice s, const char *text, bool ignore_case);
