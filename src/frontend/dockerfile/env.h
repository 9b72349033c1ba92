/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env: an ordered list of variables; setting one again moves it to the end (as LLB states keep their environment).
 *
 *	struct env *e = env_new(a, tables);
 *	env_set(e, "PATH", "/bin", error);
 *	words_expand(&w, a, "$PATH", &e->words, &r, error);
 *
 * Allocated in the arena; its index is in `tables`, which the owner frees. Errors: RESOURCE_EXHAUSTED beyond L17e
 * (docs/limits.md). Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/words.h"

struct env_entry {
	const char *key, *value;
	const char *text; /* KEY=value */
	bool gone;        /* replaced by a later entry */
};
struct env {
	struct words_env words; /* first member: an env is a words_env */
	arena *a;
	GPtrArray *tables;  /* borrowed: of GHashTable */
	GHashTable *index;  /* key to struct env_entry * */
	struct vec entries; /* element type: struct env_entry * */
	struct vec texts;   /* of live entries; built on request, empty after a change */
	size_t n_gone;      /* number of dead entries */
	size_t bytes;
};
struct env *env_new(arena *a, GPtrArray *tables);
struct env *env_copy(const struct env *e);
bool env_set(struct env *e, const char *key, const char *value, GError **error);
void env_unset(struct env *e, const char *key);
const char *env_get(const struct env *e, const char *key); /* NULL: unset */
/* Return the names in order, NULL-terminated, and "KEY=value" strings in order, ret_n of them. */
const char **env_keys(const struct env *e);
char **env_strings(struct env *e, size_t *ret_n);
