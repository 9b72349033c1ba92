/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: one row an option of buildkitd: flag, TOML key, type, default, help, and where its value goes.
 *
 *	for (size_t i = 0; i < options_count; i++) use(&options[i]);
 *
 * Thread: constant.
 */
#pragma once
#include "config.h"

enum option_type {
	OPTION_STRING,
	OPTION_STRINGS, /* repeatable flag; replaces the file's list */
	OPTION_BOOL,
	OPTION_TRISTATE, /* true, false, auto */
	OPTION_INT,
	OPTION_DISK_SPACE, /* bytes, "512MB", "10%" */
	OPTION_DURATION,   /* seconds or Go text, kept in ns */
	OPTION_LABELS,     /* k=v flags over a table */
	OPTION_TABLE,      /* of texts, numbers and truth values, kept as texts; in the file only */
};
struct option {
	const char *flag; /* NULL: file only */
	const char *key;  /* NULL: flag only */
	enum option_type type;
	size_t offset; /* in struct config (or the table's own); (size_t)-1: parsed, checked and reported as not acted on */
	const char *default_value;
	const char *env;
	const char *usage;
	bool hidden; /* the flag is taken and not shown by --help */
};
extern const struct option options[];
extern const size_t options_count;
/* Keys of a [[worker.*.gcpolicy]] table, in struct gc_rule, and of a [registry."host"] table, in struct registry_host. */
extern const struct option gc_options[], registry_options[];
extern const size_t gc_options_count, registry_options_count;
/* The command line, of struct flag; --help and --version included. g_array_unref. */
GArray *options_flags(void);
#define OPTION_INACTIVE ((size_t)-1)
