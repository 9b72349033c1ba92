/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_db: the database of key_store: tables, single-row reads, batches of writes.
 *
 *	key_db *d = key_db_open(root_fd, error);
 *	key_db_targets(d, from, &link, set);
 *	key_db_write(d, changes, true, error);
 *
 * Reads and writes go through two handles, so that writing a batch does not block lookups.
 * A damaged file, or one of a newer format, is set aside. Thread: any; reads one thread at a time, writes too.
 */
#pragma once
#include "solver/key_store.h"

typedef struct key_db key_db;

enum key_change_type { KEY_ADD_LINK, KEY_ADD_RESULT, KEY_FORGET, KEY_FORGET_PAIR };
struct key_change {
	enum key_change_type type;
	char *key, *other;       /* owned; other: the target or the result */
	char *digest, *selector; /* owned; links only */
	int64_t input, output, created_ns;
};
void key_change_free(struct key_change *c);

key_db *key_db_open(int root_fd, GError **error);
void key_db_close(key_db *d);
void key_db_targets(key_db *d, const char *from, const struct key_link *link, GHashTable *ret_targets);
void key_db_results(key_db *d, const char *key, GArray *ret_results);
void key_db_backlinks(key_db *d, const char *key, key_backlink_fn fn, void *data);
/* changes: struct key_change *, in order, one transaction. */
bool key_db_write(key_db *d, const GPtrArray *changes, bool durable, GError **error);
