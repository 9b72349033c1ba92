/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_regex_syntax: the tree of a regular expression in the syntax of Go's regexp package (RE2 with Perl flags).
 *
 *	struct regex_tree t = {.memory = arena_new(), .items = g_array_new(FALSE, FALSE, sizeof(struct regex_item))};
 *	if (!regex_parse(text, &t, error)) ...
 *
 * Internal to go_regex. Thread: any.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"

enum regex_kind {
	REGEX_EMPTY,
	REGEX_SET,       /* one rune of a set */
	REGEX_ASSERT,    /* a condition on the position */
	REGEX_CAPTURE,   /* first */
	REGEX_CONCAT,    /* first and its siblings */
	REGEX_ALTERNATE, /* one of first and its siblings, the earlier ones preferred */
	REGEX_REPEAT,    /* first, min to max times */
};
enum regex_assert { ASSERT_BEGIN, ASSERT_END, ASSERT_LINE_BEGIN, ASSERT_LINE_END, ASSERT_WORD, ASSERT_NOT_WORD };

/*
 * A part of a set: a range of runes, general categories (a mask of GUnicodeType), or a script. It may form one class
 * with the `more` items behind it, and negated then means the class: after folding, unlike in a list of its complement.
 */
struct regex_item {
	enum { ITEM_RANGE, ITEM_TYPES, ITEM_SCRIPT } kind;
	bool negated;
	guint more;
	gunichar low, high;
	guint32 types;
	GUnicodeScript script;
};
/* n items from first on in regex_tree.items. */
struct regex_set {
	guint first, n;
	bool negated, fold; /* fold: letters of other case count, too */
};
struct regex_node {
	enum regex_kind kind;
	struct regex_node *first, *next;
	struct regex_set set;
	enum regex_assert assert;
	guint group;  /* of a capture, from 1 on */
	int min, max; /* max -1: no end */
	bool lazy;
};
struct regex_tree {
	arena *memory;    /* owned: the nodes */
	GArray *items;    /* owned; element type: struct regex_item */
	GPtrArray *names; /* owned; element type: char *; names of groups from 1 on, "" for none */
	struct regex_node *root;
};

/* Errors: INVALID_ARGUMENT "error parsing regexp: <Go's words>: `<the part>`". */
bool regex_parse(const char *text, struct regex_tree *ret, GError **error);
bool regex_set_has(const GArray *items, const struct regex_set *set, gunichar rune);
/* The items of a Unicode category ("L", "Nd") or script ("Greek") or of a POSIX class ("alpha"). False: unknown name. */
bool regex_add_unicode_class(GArray *items, const char *name, bool negated);
bool regex_add_posix_class(GArray *items, const char *name, bool negated);
