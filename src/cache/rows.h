/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows: reads and writes records and trees as rows of cache.db.
 *
 *	rows_put_record(db, r, boot_id, error)          inside a transaction of the caller
 *	rows_load(c, error)                              fills the in-memory tables
 *
 * Thread: the one that holds the db's lock; put requires the cache's mu.
 */
#pragma once
#include "cache/record.h"

bool rows_put_tree(db *d, const struct tree *t, GError **error);
bool rows_delete_tree(db *d, const char *id, GError **error);
bool rows_put_record(db *d, const cache_ref *r, const char *boot_id, GError **error);
bool rows_delete_record(db *d, const char *id, GError **error);

struct loaded_row {
	cache_ref *record;          /* owned until it is in the tables */
	char *parent, *tree, *twin; /* ids, NULL: none */
	char **inputs;              /* "" for scratch; NULL: none */
	char *boot;
	bool taken; /* the cache owns the record now */
};
/* Array of struct loaded_row *; trees are added to c->trees with their parents. */
GPtrArray *rows_load(cache *c, GError **error);
