/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/env.h"
#include "base/limits.h"
#include <string.h>

static const char *words_get(const struct words_env *words, const char *name)
{
	return env_get((const struct env *)words, name);
}

struct env *env_new(arena *a, GPtrArray *tables)
{
	struct env *e = arena_make(a, struct env);
	e->words.get = words_get;
	e->a = a;
	e->tables = tables;
	e->index = g_hash_table_new(g_str_hash, g_str_equal);
	g_ptr_array_add(tables, e->index);
	return e;
}

static void append(struct env *e, const char *key, const char *value)
{
	struct env_entry *entry = arena_make(e->a, struct env_entry);
	*entry = (struct env_entry){key, value, arena_concat(e->a, key, "=", value), false};
	e->texts = (struct vec){0};
	arena_push(e->a, &e->entries, entry);
	g_hash_table_replace(e->index, (char *)key, entry);
	e->bytes += strlen(key) + strlen(value) + 2;
}

struct env *env_copy(const struct env *from)
{
	struct env *e = env_new(from->a, from->tables);
	for (size_t i = 0; i < from->entries.n; i++) {
		const struct env_entry *entry = from->entries.items[i];
		if (!entry->gone)
			append(e, entry->key, entry->value);
	}
	return e;
}

/*
 * Removes dead entries before they far outnumber live ones, so that listing the variables takes time linear in their
 * number.
 */
static void sweep(struct env *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < e->entries.n; i++) {
		struct env_entry *entry = e->entries.items[i];
		if (!entry->gone)
			e->entries.items[kept++] = entry;
	}
	e->entries.n = kept;
	e->n_gone = 0;
}

void env_unset(struct env *e, const char *key)
{
	struct env_entry *old = g_hash_table_lookup(e->index, key);
	if (!old)
		return;
	e->bytes -= strlen(old->key) + strlen(old->value) + 2;
	old->gone = true;
	e->texts = (struct vec){0};
	g_hash_table_remove(e->index, key);
	if (++e->n_gone > e->entries.n / 2 + 16)
		sweep(e);
}

bool env_set(struct env *e, const char *key, const char *value, GError **error)
{
	env_unset(e, key);
	append(e, key, value);
	if (e->bytes > (size_t)LIMIT_ENV_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "environment larger than %lld bytes",
				 LIMIT_ENV_BYTES);
	return true;
}

const char *env_get(const struct env *e, const char *key)
{
	const struct env_entry *entry = g_hash_table_lookup(e->index, key);
	return entry ? entry->value : NULL;
}

const char **env_keys(const struct env *e)
{
	struct vec keys = {0};
	for (size_t i = 0; i < e->entries.n; i++) {
		const struct env_entry *entry = e->entries.items[i];
		if (!entry->gone)
			arena_push(e->a, &keys, entry->key);
	}
	return arena_strv(e->a, &keys);
}

char **env_strings(struct env *e, size_t *ret_n)
{
	size_t first = e->texts.n ? e->entries.n : 0;
	for (size_t i = first; i < e->entries.n; i++) {
		const struct env_entry *entry = e->entries.items[i];
		if (!entry->gone)
			arena_push(e->a, &e->texts, entry->text);
	}
	*ret_n = e->texts.n;
	return (char **)e->texts.items;
}
