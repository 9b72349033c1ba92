/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words: variable expansion and quote removal in words of a Dockerfile (docs.docker.com/reference/dockerfile,
 * "Environment replacement"), with bounded work.
 *
 *	struct words w = {.escape = '\\', .work = &work_left};
 *	struct words_result r;
 *	if (!words_expand(&w, a, "${X:-dflt}/y", env, &r, error)) ...       r.text
 *
 * Nested ${} use a stack of fixed depth, no recursion. Errors: INVALID_ARGUMENT with upstream's texts ("failed to
 * process \"<word>\": ..."), RESOURCE_EXHAUSTED beyond L17 (docs/limits.md). Results are allocated in the arena.
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

/* Source of values; get returns NULL for an unset variable. */
struct words_env {
	const char *(*get)(const struct words_env *env, const char *name);
};
extern const struct words_env words_env_empty;

struct words {
	char escape;
	bool keep_quotes; /* quotes are processed and kept (names for display) */
	bool keep_escapes;
	bool plain_quotes; /* quotes are ordinary characters (here-document bodies) */
	bool keep_unset;   /* $unset is kept as written */
	int64_t *work;     /* remaining bytes of work, decreased; NULL: unlimited */
};

struct words_result {
	char *text;
	struct vec words;     /* the text split at white space outside quotes */
	struct vec matched;   /* names used, without duplicates */
	struct vec unmatched; /* names that are not set */
};
bool words_expand(const struct words *w, arena *a, const char *word, const struct words_env *env,
		  struct words_result *ret, GError **error);

/* Shell patterns of ${v#p} and similar: '*', '?' and backslash escapes. what: '#', '%' (doubled: greedy) or '/'. */
bool words_trim(arena *a, const char *pattern, const char *value, bool suffix, bool greedy, int64_t *work, char **ret,
		GError **error);
bool words_replace(arena *a, const char *pattern, const char *value, const char *replacement, bool all, int64_t *work,
		   char **ret, GError **error);
