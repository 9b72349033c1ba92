/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml: parses TOML 1.0.0 (https://toml.io/en/v1.0.0) to a tree with the position of each value.
 *
 *	g_autoptr(toml) t = toml_parse(bytes, n, error);                 error: "line 3, column 5: ..."
 *	const struct toml_value *v = toml_find(toml_root(t), "address");
 *
 * The tree owns everything; values are borrowed. Dates are stored as text. Depth, keys and bytes are limited.
 * Thread: any, immutable after parse.
 */
#pragma once
#include "base/error.h"

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN, TOML_DATETIME, TOML_ARRAY, TOML_TABLE };
struct toml_value {
	enum toml_type type;
	int line, column;
	char *text;       /* STRING, DATETIME */
	int64_t integer;  /* INTEGER */
	double number;    /* FLOAT */
	bool boolean;     /* BOOLEAN */
	GPtrArray *items; /* ARRAY, of struct toml_value *; TABLE: the values */
	GPtrArray *keys;  /* TABLE, of char *, in the order of items */
	/* origin of the value, for the rules on redefinition */
	bool inline_, defined, array_of_tables, dotted;
};
typedef struct toml toml;

toml *toml_parse(const char *bytes, size_t n, GError **error);
void toml_free(toml *t);
const struct toml_value *toml_root(const toml *t);
/* Returns a direct member of a table, or NULL. */
const struct toml_value *toml_find(const struct toml_value *table, const char *key);
const char *toml_type_name(enum toml_type type);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(toml, toml_free)
