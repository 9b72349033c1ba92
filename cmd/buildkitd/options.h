/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: table of buildkitd's options: flag, TOML key, type, default, help, and the member that holds the value.
 *
 *	for (size_t i = 0; i < options_count; i++) g_print("%s\n", options[i].name);
 *
 * Thread: any (constant data).
 */
#pragma once
#include "config.h"

/* The type of an option's value, with the C type of the member that holds it. */
enum option_type {
	OPTION_STRING,     /* char *, owned */
	OPTION_STRINGS,    /* char **, owned; repeatable flag; its values replace the list of the file */
	OPTION_BOOL,       /* bool */
	OPTION_TRISTATE,   /* int: enum tristate; true, false, auto */
	OPTION_INT,        /* int64_t */
	OPTION_DISK_SPACE, /* int64_t, bytes; written as bytes, "512MB", "10%" */
	OPTION_DURATION,   /* int64_t, ns; written as seconds or a Go duration */
	OPTION_LABELS,     /* GHashTable *, char * to char *; k=v flags over a table */
	OPTION_TABLE,      /* GHashTable *, char * to char *; strings, numbers and booleans; in the file only */
};
struct option {
	const char *flag; /* NULL: file only */
	const char *key;  /* NULL: flag only */
	enum option_type type;
	size_t offset; /* in struct config, or in the table's struct; (size_t)-1: accepted, without effect yet */
	const char *default_value;
	const char *env;
	const char *usage;
	bool hidden; /* accepted, but not shown by --help */
};
extern const struct option options[];
extern const size_t options_count;
/* Keys of a [[worker.*.gcpolicy]] table (struct gc_rule) and of a [registry."host"] table (struct registry_host). */
extern const struct option gc_options[], registry_options[];
extern const size_t gc_options_count, registry_options_count;
/* Returns the help, which ends with "(no effect yet)" for options without effect. NULL: none. Borrowed from the process. */
const char *option_help(const struct option *o);
/*
 * Returns the command line flags (element type struct flag), including --help and --version. Free with g_array_unref.
 */
GArray *options_flags(void);
#define OPTION_INACTIVE ((size_t)-1)
