/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/key_db.h"
#include "base/scope.h"
#include "db/db.h"
#include <fcntl.h>

#define FILE_NAME "keys.db"

static const char *const migrations[] = {
	"CREATE TABLE link(key TEXT NOT NULL, digest TEXT NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL,"
	" selector TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY(key, digest, input, output, selector, target)) "
	"WITHOUT ROWID;"
	"CREATE INDEX link_target ON link(target);"
	"CREATE TABLE result(key TEXT NOT NULL, result TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY(key, "
	"result))"
	" WITHOUT ROWID;"
	"CREATE INDEX result_result ON result(result);",
	NULL,
};

struct key_db {
	db *read, *write;
};

void key_change_free(struct key_change *c)
{
	g_free(c->key);
	g_free(c->other);
	g_free(c->digest);
	g_free(c->selector);
	g_free(c);
}

static void set_aside(int root_fd)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		char from[64], to[96];
		g_snprintf(from, sizeof from, FILE_NAME "%s", suffixes[i]);
		g_snprintf(to, sizeof to, FILE_NAME ".foreign-%" G_GINT64_FORMAT "%s", g_get_real_time(), suffixes[i]);
		if (renameat(root_fd, from, root_fd, to) < 0)
			unlinkat(root_fd, from, 0);
	}
}

key_db *key_db_open(int root_fd, GError **error)
{
	g_autoptr(GError) why = NULL;
	bool reset;
	db *write = db_open_or_reset(root_fd, FILE_NAME, migrations, &reset, &why);
	if (!write && error_is(why, ERROR_FAILED_PRECONDITION)) {
		set_aside(root_fd);
		g_clear_error(&why);
		write = db_open_or_reset(root_fd, FILE_NAME, migrations, &reset, &why);
	}
	if (!write)
		return error_propagate_null(error, g_steal_pointer(&why));
	db *read = db_open_again(write, error);
	if (!read) {
		db_close(write);
		return NULL;
	}
	key_db *d = g_new0(key_db, 1);
	d->read = read;
	d->write = write;
	return d;
}

void key_db_close(key_db *d)
{
	if (!d)
		return;
	db_close(d->read);
	db_close(d->write);
	g_free(d);
}

/* A failed read is a miss: the step runs again. The same holds for a damaged file. */
void key_db_targets(key_db *d, const char *from, const struct key_link *link, GHashTable *ret_targets)
{
	g_autoptr(db_query) q = db_select(
		d->read,
		"SELECT target FROM link WHERE key = ? AND digest = ? AND input = ? AND output = ? AND selector = ?",
		NULL, "ssiis", from, link->digest, link->input, link->output, link->selector);
	while (q && !db_is_damaged(d->write) && db_next(q, NULL))
		g_hash_table_add(ret_targets, g_strdup(db_text(q, 0)));
}

void key_db_results(key_db *d, const char *key, GArray *ret_results)
{
	g_autoptr(db_query) q = db_select(d->read, "SELECT result, created FROM result WHERE key = ?", NULL, "s", key);
	while (q && !db_is_damaged(d->write) && db_next(q, NULL)) {
		struct key_result r = {.id = g_strdup(db_text(q, 0)), .created_ns = db_int(q, 1)};
		g_array_append_val(ret_results, r);
	}
}

void key_db_backlinks(key_db *d, const char *key, key_backlink_fn fn, void *data)
{
	g_autoptr(db_query) q = db_select(
		d->read, "SELECT key, input, output, digest, selector FROM link WHERE target = ?", NULL, "s", key);
	while (q && db_next(q, NULL)) {
		struct key_link link = {.input = db_int(q, 1),
					.output = db_int(q, 2),
					.digest = db_text(q, 3),
					.selector = db_text(q, 4)};
		fn(data, db_text(q, 0), &link);
	}
}

/* ---- writing */

static bool exists(db *d, const char *sql, const char *value, bool *ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(db_query) q = db_select(d, sql, error, "s", value);
	if (!q)
		return false;
	*ret = db_next(q, &why);
	if (why)
		return error_propagate(error, g_steal_pointer(&why));
	return true;
}

static bool collect(db *d, const char *sql, const char *value, GPtrArray *ret_texts, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(db_query) q = db_select(d, sql, error, "s", value);
	while (q && db_next(q, &why))
		g_ptr_array_add(ret_texts, g_strdup(db_text(q, 0)));
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return q && !(error && *error);
}

/* Drops keys that lead to no result and to no other key, and then keys that led only to them. */
static bool drop_dead(db *d, GPtrArray *work, GError **error)
{
	while (work->len > 0) {
		g_autofree char *key = g_ptr_array_steal_index_fast(work, work->len - 1);
		bool has_result, leads_on;
		if (!exists(d, "SELECT 1 FROM result WHERE key = ? LIMIT 1", key, &has_result, error) ||
		    !exists(d, "SELECT 1 FROM link WHERE key = ? LIMIT 1", key, &leads_on, error))
			return false;
		if (has_result || leads_on)
			continue;
		if (!collect(d, "SELECT DISTINCT key FROM link WHERE target = ?", key, work, error) ||
		    !db_run(d, "DELETE FROM link WHERE target = ?", error, "s", key))
			return false;
	}
	return true;
}

static bool forget(db *d, const char *result, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	return collect(d, "SELECT key FROM result WHERE result = ?", result, keys, error) &&
	       db_run(d, "DELETE FROM result WHERE result = ?", error, "s", result) && drop_dead(d, keys, error);
}

static bool change_apply(db *d, const struct key_change *c, GError **error)
{
	switch (c->type) {
	case KEY_ADD_LINK:
		return db_run(d,
			      "INSERT OR IGNORE INTO link(key, digest, input, output, selector, target) VALUES(?, ?, "
			      "?, ?, ?, ?)",
			      error, "ssiiss", c->key, c->digest, c->input, c->output, c->selector, c->other);
	case KEY_ADD_RESULT:
		return db_run(d, "INSERT OR REPLACE INTO result(key, result, created) VALUES(?, ?, ?)", error, "ssi",
			      c->key, c->other, c->created_ns);
	case KEY_FORGET:
		return forget(d, c->other, error);
	case KEY_FORGET_PAIR:
		return db_run(d, "DELETE FROM result WHERE key = ? AND result = ?", error, "ss", c->key, c->other);
	}
	return true;
}

bool key_db_write(key_db *d, const GPtrArray *changes, bool durable, GError **error)
{
	db_lock(d->write);
	bool ok = db_begin(d->write, error);
	for (guint i = 0; ok && i < changes->len; i++)
		ok = change_apply(d->write, changes->pdata[i], error);
	ok = ok && db_commit(d->write, durable, error);
	if (!ok)
		db_rollback(d->write);
	db_unlock(d->write);
	return ok;
}
