/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patterns: matches .dockerignore patterns like github.com/moby/patternmatcher, and Go's filepath.Match.
 *
 *	g_autoptr(patterns) p = patterns_new(list, error);      "!" negates, "**" crosses slashes
 *	patterns_match(p, "dir/file")                           also true when a parent matched
 *
 * A matcher is compiled once and has no mutable state. In a walk, patterns_match_in uses the parent's results, so that
 * each entry only costs matching its name. The work for malicious patterns is bounded. Thread: any, immutable after
 * new.
 */
#pragma once
#include "base/error.h"

typedef struct patterns patterns;

/* Errors: INVALID_ARGUMENT "illegal exclusion pattern: "!"", "syntax error in pattern". */
patterns *patterns_new(const char *const *list, GError **error);
void patterns_free(patterns *p);
bool patterns_has_exclusions(const patterns *p); /* any "!" */
size_t patterns_count(const patterns *p);
/* MatchesOrParentMatches. */
bool patterns_match(const patterns *p, const char *path);

/*
 * One step of a walk (MatchesUsingParentResults). parent_bits and ret_bits contain one byte per pattern
 * (patterns_count); parent_bits is NULL at the top. ret_bits may be NULL.
 */
bool patterns_match_in(const patterns *p, const char *path, const uint8_t *parent_bits, uint8_t *ret_bits);
/*
 * Reports whether anything below this directory could match (prefix test for include patterns). False only if certain.
 */
bool patterns_may_match_below(const patterns *p, const char *directory);
/* The same for the patterns with "!" (an excluded directory is skipped completely if this is false). */
bool patterns_may_except_below(const patterns *p, const char *directory);
/* Returns the i-th pattern, cleaned, without "!". */
const char *patterns_text(const patterns *p, size_t i, bool *ret_negated);

/*
 * Parses lines of an ignore file: comments, blanks, trimming, cleaning, leading "/" as upstream's ignorefile.ReadAll.
 */
char **patterns_read_ignore_file(const char *bytes, size_t n, GError **error);

/* Go's path/filepath.Match: * ? [..] and backslash. Errors: "syntax error in pattern". */
bool glob_match(const char *pattern, const char *name, bool *ret_match, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(patterns, patterns_free)
