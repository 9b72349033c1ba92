/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags: parses command lines by one table per command, and prints help texts, both as BuildKit's programs do.
 *
 *	static const struct flag table[] = {{"addr", NULL, FLAG_STRINGS, "ADDR", NULL, "listening address"}, ...};
 *	g_autoptr(flags) f = flags_parse(table, n, argc, argv, true, error);      argv[0] is skipped
 *	flags_string(f, "addr"); flags_given(f, "debug"); flags_rest(f)
 *
 * -name and --name, =value or the next argument; "--" ends; parsing stops at the first word that is not a flag (this
 * and the following words are the rest) unless mixed is set. Repeatable flags do not split on commas.
 * Thread: any, immutable after parse.
 */
#pragma once
#include "base/error.h"

enum flag_type { FLAG_BOOL, FLAG_STRING, FLAG_STRINGS, FLAG_INT, FLAG_FLOAT, FLAG_DURATION };
struct flag {
	const char *name;
	const char *alias; /* another name or NULL */
	enum flag_type type;
	const char *default_value; /* as text, NULL: none */
	const char *env;           /* environment variable that replaces the default, NULL: none */
	const char *usage;         /* help text; NULL: hidden */
};
typedef struct flags flags;

/* mixed: words that are not flags may appear between flags. Errors: INVALID_ARGUMENT. */
flags *flags_parse(const struct flag *table, size_t n, int argc, char *const *argv, bool mixed, GError **error);
void flags_free(flags *f);
bool flags_given(const flags *f, const char *name);                 /* on the command line */
const char *flags_string(const flags *f, const char *name);         /* last value, environment, default or "" */
const char *const *flags_strings(const flags *f, const char *name); /* NULL-terminated, never NULL */
bool flags_bool(const flags *f, const char *name);
int64_t flags_int(const flags *f, const char *name);
double flags_float(const flags *f, const char *name);
int64_t flags_duration_ns(const flags *f, const char *name);
char *const *flags_rest(const flags *f); /* NULL-terminated */
size_t flags_n_rest(const flags *f);

/* Formats the OPTIONS section of a help text. */
char *flags_help(const struct flag *table, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(flags, flags_free)
