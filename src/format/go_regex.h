/* SPDX-License-Identifier: Apache-2.0 */
/*
 * go_regex: regular expressions as Go's regexp package reads them, on GLib's, with a bound on the work of a match.
 *
 *	go_regex *re = go_regex_new("golang:(.*)", error);
 *	go_regex_match(re, "golang:1.19", &matches, error);
 *	char *text = go_regex_replace_all(re, "golang:1.19", "go:${1}", max, error);           "go:1.19"
 *
 * What only backtracking engines have (references back, looking around, atomic groups) is a syntax error, as is the
 * rest of what Go does not know. Not supported of what Go knows: octal escapes other than \0, and \v. Otherwise than in
 * Go, \d, \w, \s and \b know letters and digits beyond ASCII.
 * Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct go_regex go_regex;

/* Errors: INVALID_ARGUMENT "error parsing regexp: ...". */
go_regex *go_regex_new(const char *text, GError **error);
void go_regex_free(go_regex *re);
/* Whether it matches anywhere. Errors: RESOURCE_EXHAUSTED, it would take too long to know. */
bool go_regex_match(const go_regex *re, const char *subject, bool *ret, GError **error);
/* Every match replaced by the template; owned. Errors: as above, also for more than max bytes. */
char *go_regex_replace_all(const go_regex *re, const char *subject, const char *template, size_t max, GError **error);

/*
 * Go's templates: $1, ${1}, $name, ${name} are groups, $$ is a dollar; a name is as long as it can be, and what names
 * nothing is empty. find gives the text of a group, or false; number is -1 when the name is none.
 */
typedef bool (*template_find)(void *data, const char *name, int number, const char **ret_text, size_t *ret_n);
/* Appends; false when out would be longer than max. */
bool template_expand(const char *template, template_find find, void *data, size_t max, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(go_regex, go_regex_free)
