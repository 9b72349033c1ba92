/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db: an sqlite file in WAL mode, its migrations, prepared statements and transactions.
 *
 *	static const char *const steps[] = {"CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB)", NULL};
 *	db *d = db_open(root_fd, "cache.db", steps, error);
 *	db_begin(d, error) && db_run(d, "INSERT INTO t VALUES(?, ?)", error, "sb", key, bytes, n) &&
 *		db_commit(d, false, error);
 *	db_query *q = db_select(d, "SELECT k FROM t WHERE v > ?", error, "i", (int64_t)3);
 *	while (db_next(q, error))
 *		g_print("%s\n", db_text(q, 0));
 *	db_query_done(q);
 *
 * Commits are not synced unless requested (synchronous=NORMAL): sqlite's WAL survives a killed process, and a durable
 * commit syncs the log. db_open_or_reset renames a damaged file and never uses it.
 * Thread: any; each call holds the lock of the db, a query until db_query_done. For a transaction call db_lock, because
 * statements of other threads would become part of it.
 */
#pragma once
#include "base/error.h"

typedef struct db db;
typedef struct db_query db_query;

/*
 * migrations: SQL scripts; number n upgrades user_version n to n + 1; all missing ones run in one transaction. Errors:
 * FAILED_PRECONDITION for a file of a newer version, DATA_LOSS for a damaged one. A file of more than 8 MiB is checked
 * by a separate thread while it is already in use: damage is logged, db_is_damaged reports it, and db_close renames the
 * file.
 */
db *db_open(int dir_fd, const char *name, const char *const *migrations, GError **error);
/*
 * The same, but a damaged file is renamed to NAME.damaged-<time> and an empty one is created; ret_reset reports that.
 */
db *db_open_or_reset(int dir_fd, const char *name, const char *const *migrations, bool *ret_reset, GError **error);
/* Opens a second connection to the same file, for readers while a writer runs. */
db *db_open_again(const db *first, GError **error);
/* Reports whether damage was found since the file was opened: its contents must not be used. Thread: any, no lock. */
bool db_is_damaged(const db *d);
/* Checkpoints and closes. */
void db_close(db *d);
/* Returns the space of deleted rows to the file system. */
void db_shrink(db *d);

/* Recursive lock for several calls that belong together. */
void db_lock(db *d);
void db_unlock(db *d);

bool db_begin(db *d, GError **error);
/* durable: the transaction and all earlier ones survive a power failure. */
bool db_commit(db *d, bool durable, GError **error);
void db_rollback(db *d);

/*
 * Runs one statement, which stays prepared. types: one letter per value: 's' const char * (NULL: null), 'i' int64_t,
 * 'b' const void * and size_t, 'd' double.
 */
bool db_run(db *d, const char *sql, GError **error, const char *types, ...);

/* Returns rows; NULL on error. End it with db_query_done before another query with the same text. */
db_query *db_select(db *d, const char *sql, GError **error, const char *types, ...);
/* Returns false at the end and on error (then error is set). */
bool db_next(db_query *q, GError **error);
const char *db_text(db_query *q, int column); /* borrowed until db_next; NULL for null */
int64_t db_int(db_query *q, int column);
const void *db_bytes(db_query *q, int column, size_t *ret_n);
void db_query_done(db_query *q);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(db, db_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(db_query, db_query_done)
