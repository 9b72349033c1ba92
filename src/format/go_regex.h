/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_regex: regular expressions with the syntax and results of Go's regexp package (RE2), without backtracking.
 *
 *	go_regex *re = go_regex_new("golang:(.*)", error);
 *	go_regex_match(re, "golang:1.19", &matches, error);
 *	char *text = go_regex_replace_all(re, "golang:1.19", "go:${1}", max, error);           "go:1.19"
 *
 * The time of a match grows with the length of the expression times that of the text; both are bounded (LIMIT_REGEX_*).
 * A byte that is not UTF-8 is read as U+FFFD. Scripts and categories are those of GLib's Unicode.
 * Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct go_regex go_regex;

/* Errors: INVALID_ARGUMENT "error parsing regexp: ...". */
go_regex *go_regex_new(const char *text, GError **error);
void go_regex_free(go_regex *re);
/* Reports whether it matches anywhere. Errors: RESOURCE_EXHAUSTED after LIMIT_REGEX_STEPS. */
bool go_regex_match(const go_regex *re, const char *subject, bool *ret, GError **error);
/* Reports whether it matches all n bytes, which are few (a path): LIMIT_REGEX_STEPS does not apply. */
bool go_regex_match_whole(const go_regex *re, const char *subject, size_t n);
/* Replaces every match by the template; owned. Errors: as above, also for more than max bytes. */
char *go_regex_replace_all(const go_regex *re, const char *subject, const char *template, size_t max, GError **error);

/*
 * Go's templates: $1, ${1}, $name, ${name} are groups, $$ is a dollar. Names extend as far as possible; unknown groups
 * are empty. find returns the text of a group, or false; number is -1 if the name is not a number.
 */
typedef bool (*template_find)(void *data, const char *name, int number, const char **ret_text, size_t *ret_n);
/* Appends the expanded template; false if out would be longer than max. */
bool template_expand(const char *template, template_find find, void *data, size_t max, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(go_regex, go_regex_free)
