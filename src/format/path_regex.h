/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_regex: regular expressions for ignore patterns, matched in time linear in the path.
 *
 *	path_regex *re = path_regex_new("(.*\/)?[^/]*\\.o", error);
 *	path_regex_match(re, "dir/a.o", 7);
 *
 * The subset of RE2 that patterns.c generates: literals, classes, "[..]*", ".*", "(.*\/)?", escapes; anchored at both
 * ends. Everything else is a syntax error. Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct path_regex path_regex;

/* Errors: INVALID_ARGUMENT "syntax error in pattern". */
path_regex *path_regex_new(const char *text, GError **error);
bool path_regex_match(const path_regex *re, const char *path, size_t n);
void path_regex_free(path_regex *re);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(path_regex, path_regex_free)
