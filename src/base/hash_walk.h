/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash_walk: visits the entries of a GHashTable.
 *
 *	for (struct hash_walk it = hash_walk(table); hash_walk_next(&it);)
 *		g_ptr_array_add(values, it.value);
 *
 * A table that is NULL has no entries. The rules of GHashTableIter apply: the table is changed through it.iter only.
 * Thread: that of the table.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

struct hash_walk {
	GHashTableIter iter;
	bool is_null;
	void *key, *value; /* of the current entry; borrowed */
};

static inline struct hash_walk hash_walk(GHashTable *table)
{
	struct hash_walk it = {.is_null = table == NULL};
	if (table)
		g_hash_table_iter_init(&it.iter, table);
	return it;
}

static inline bool hash_walk_next(struct hash_walk *it)
{
	return !it->is_null && g_hash_table_iter_next(&it->iter, &it->key, &it->value);
}
