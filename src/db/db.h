/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db: an sqlite file in WAL mode, its migrations, prepared statements and transactions.
 *
 *	static const char *const steps[] = {"CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB)", NULL};
 *	db *d = db_open(root_fd, "cache.db", steps, error);
 *	db_begin(d, error) && db_run(d, "INSERT INTO t VALUES(?, ?)", error, "sb", key, bytes) && db_commit(d, false,
 *error); db_query *q = db_select(d, "SELECT k FROM t WHERE v > ?", error, "i", (int64_t)3); while (db_next(q, error))
 *use(db_text(q, 0)); db_query_done(q);
 *
 * Nothing is synced at commit unless asked (synchronous=NORMAL): sqlite's WAL survives a killed process as it is, and
 * a durable commit syncs the log. A damaged file is set aside by db_open_or_reset, never used.
 * Thread: any; each call holds the lock of the db, a query until db_query_done. For a transaction hold it yourself
 * (db_lock), as it belongs to whoever runs statements meanwhile.
 */
#pragma once
#include "base/error.h"

typedef struct db db;
typedef struct db_query db_query;

/*
 * migrations: SQL scripts; number n brings user_version n to n + 1, all missing ones in one transaction.
 * Errors: FAILED_PRECONDITION for a file of a newer version, DATA_LOSS for a damaged one. A file of more than 8 MiB is
 * read through by a thread of its own while it is in use already: damage is logged, db_is_damaged tells, and
 * db_close sets the file aside.
 */
db *db_open(int dir_fd, const char *name, const char *const *migrations, GError **error);
/* The same, but a damaged file is renamed to NAME.damaged-<time> and an empty one is made; ret_reset tells. */
db *db_open_or_reset(int dir_fd, const char *name, const char *const *migrations, bool *ret_reset, GError **error);
/* A second connection to the same file, for readers beside a writer. */
db *db_open_again(const db *first, GError **error);
/* Damage was found since it was opened: what it says is not to be used. Thread: any, no lock. */
bool db_is_damaged(const db *d);
/* Checkpoints and closes. */
void db_close(db *d);
/* Gives the space of deleted rows back to the file system. */
void db_shrink(db *d);

/* Recursive: for several calls that belong together. */
void db_lock(db *d);
void db_unlock(db *d);

bool db_begin(db *d, GError **error);
/* durable: the transaction and all before it survive a power cut. */
bool db_commit(db *d, bool durable, GError **error);
void db_rollback(db *d);

/*
 * One statement, kept prepared. types: one letter a value: 's' const char * (NULL: null), 'i' int64_t,
 * 'b' const void * and size_t, 'd' double.
 */
bool db_run(db *d, const char *sql, GError **error, const char *types, ...);
/* Several statements, without values. */
bool db_script(db *d, const char *sql, GError **error);
int64_t db_changes(db *d); /* rows of the last statement */

/* Rows; NULL on error. Ends with db_query_done, before another query with the same text. */
db_query *db_select(db *d, const char *sql, GError **error, const char *types, ...);
/* False at the end, and on error (then error is set). */
bool db_next(db_query *q, GError **error);
const char *db_text(db_query *q, int column); /* borrowed until db_next; NULL for null */
int64_t db_int(db_query *q, int column);
const void *db_bytes(db_query *q, int column, size_t *ret_n);
void db_query_done(db_query *q);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(db, db_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(db_query, db_query_done)
