/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fingerprint_store.h"
#include "base/pool.h"
#include "base/log.h"
#include "db/db.h"
#include <string.h>

#define FILE_NAME "fingerprints.db"
#define TRIM_ROWS 256 /* additions between two checks of the limits */
#define TRIM_BYTES (8 * 1024 * 1024)
#define BATCH_US 200000

static const char *const migrations[] = {
	"CREATE TABLE fingerprint(id INTEGER PRIMARY KEY, identity TEXT NOT NULL, ref TEXT NOT NULL, name TEXT NOT "
	"NULL,"
	" reason TEXT NOT NULL, created INTEGER NOT NULL, bytes BLOB NOT NULL);"
	"CREATE INDEX fingerprint_identity ON fingerprint(identity);"
	"CREATE INDEX fingerprint_ref ON fingerprint(ref);",
	NULL,
};

struct fingerprint_store {
	db *db;
	pool *writer;    /* one thread */
	GMutex write_mu; /* held while a batch is written, taken before mu */
	GMutex mu;
	GCond hurry;        /* with mu: closing, or many bytes wait */
	bool closing;       /* mu */
	size_t n_waiting;   /* bytes; mu */
	GQueue waiting;     /* element type: struct fingerprint_row *; mu */
	size_t rows, bytes; /* added since the last trim; write_mu */
};

static void row_free(void *data)
{
	struct fingerprint_row *row = data;
	g_free(row->identity);
	g_free(row->ref);
	g_free(row->name);
	g_free(row->reason);
	g_clear_pointer(&row->bytes, g_bytes_unref);
	g_free(row);
}

/* ---- writing */

static bool insert(db *d, const struct fingerprint_row *row, GError **error)
{
	gsize n;
	const void *bytes = g_bytes_get_data(row->bytes, &n);
	return db_run(d,
		      "INSERT INTO fingerprint(identity, ref, name, reason, created, bytes) VALUES(?, ?, ?, ?, ?, ?)",
		      error, "ssssib", row->identity, row->ref, row->name, row->reason, row->created_ns,
		      bytes ? bytes : "", n) &&
	       db_run(d,
		      "DELETE FROM fingerprint WHERE identity = ? AND id NOT IN"
		      " (SELECT id FROM fingerprint WHERE identity = ? ORDER BY id DESC LIMIT ?)",
		      error, "ssi", row->identity, row->identity, (int64_t)FINGERPRINTS_PER_STEP);
}

/* Deletes the oldest rows, a tenth at a time, until there is space for the additions before the next check. */
static bool trim(db *d, GError **error)
{
	for (;;) {
		int64_t rows = 0, bytes = 0;
		{
			g_autoptr(db_query) q = db_select(
				d, "SELECT COUNT(*), COALESCE(SUM(LENGTH(bytes)), 0) FROM fingerprint", error, "");
			if (!q || !db_next(q, error))
				return false;
			rows = db_int(q, 0);
			bytes = db_int(q, 1);
		}
		if (rows <= FINGERPRINTS_ROWS - TRIM_ROWS && bytes <= FINGERPRINTS_BYTES - TRIM_BYTES)
			return true;
		if (!db_run(d, "DELETE FROM fingerprint WHERE id IN (SELECT id FROM fingerprint ORDER BY id LIMIT ?)",
			    error, "i", rows / 10 + 1))
			return false;
	}
}

static bool write_all(fingerprint_store *s, GQueue *rows, GError **error)
{
	for (const GList *l = rows->head; l; l = l->next) {
		if (!insert(s->db, l->data, error))
			return false;
		s->bytes += g_bytes_get_size(((const struct fingerprint_row *)l->data)->bytes);
	}
	s->rows += rows->length;
	if (s->rows < TRIM_ROWS && s->bytes < TRIM_BYTES)
		return true;
	s->rows = s->bytes = 0;
	return trim(s->db, error);
}

static void drain(fingerprint_store *s)
{
	g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&s->write_mu);
	g_mutex_lock(&s->mu);
	GQueue rows = s->waiting;
	g_queue_init(&s->waiting);
	s->n_waiting = 0;
	g_mutex_unlock(&s->mu);
	if (rows.length == 0)
		return;
	g_autoptr(GError) error = NULL;
	db_lock(s->db);
	bool ok = db_begin(s->db, &error);
	if (ok && !(ok = write_all(s, &rows, &error) && db_commit(s->db, false, &error)))
		db_rollback(s->db);
	db_unlock(s->db);
	if (!ok)
		log_warn("explanations of cache misses: %s", error->message);
	g_queue_clear_full(&rows, row_free);
}

/* Collects rows for a while: one transaction for each step would take longer than many short steps. */
static void write_waiting(void *unused, void *data)
{
	fingerprint_store *s = data;
	gint64 until = g_get_monotonic_time() + BATCH_US;
	g_mutex_lock(&s->mu);
	while (!s->closing && s->n_waiting < TRIM_BYTES && g_cond_wait_until(&s->hurry, &s->mu, until))
		;
	g_mutex_unlock(&s->mu);
	drain(s);
}

static struct fingerprint_row *row_copy(const struct fingerprint_row *row)
{
	struct fingerprint_row *copy = g_new0(struct fingerprint_row, 1);
	*copy = (struct fingerprint_row){.identity = g_strdup(row->identity),
					 .ref = g_strdup(row->ref),
					 .name = g_strdup(row->name),
					 .reason = g_strdup(row->reason),
					 .created_ns = row->created_ns,
					 .bytes = g_bytes_ref(row->bytes)};
	return copy;
}

void fingerprint_store_add(fingerprint_store *s, const struct fingerprint_row *row)
{
	struct fingerprint_row *copy = row_copy(row);
	g_mutex_lock(&s->mu);
	bool first = s->waiting.length == 0;
	g_queue_push_tail(&s->waiting, copy);
	s->n_waiting += g_bytes_get_size(copy->bytes);
	if (s->n_waiting >= TRIM_BYTES)
		g_cond_signal(&s->hurry);
	g_mutex_unlock(&s->mu);
	if (first && !pool_push(s->writer, s, NULL))
		drain(s);
}

/* ---- reading */

static void add_rows(fingerprint_store *s, const char *sql, const char *value, guint max, GPtrArray *rows)
{
	g_autoptr(db_query) q = db_select(s->db, sql, NULL, "si", value, (int64_t)max);
	while (q && db_next(q, NULL)) {
		struct fingerprint_row *row = g_new0(struct fingerprint_row, 1);
		size_t n;
		const void *bytes = db_bytes(q, 5, &n);
		*row = (struct fingerprint_row){.identity = g_strdup(db_text(q, 0)),
						.ref = g_strdup(db_text(q, 1)),
						.name = g_strdup(db_text(q, 2)),
						.reason = g_strdup(db_text(q, 3)),
						.created_ns = db_int(q, 4),
						.bytes = g_bytes_new(bytes, n)};
		g_ptr_array_add(rows, row);
	}
}

static void add_waiting(fingerprint_store *s, const char *identity, guint max, GPtrArray *rows)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	for (const GList *l = s->waiting.tail; l && rows->len < max; l = l->prev)
		if (strcmp(((const struct fingerprint_row *)l->data)->identity, identity) == 0)
			g_ptr_array_add(rows, row_copy(l->data));
}

GPtrArray *fingerprint_store_find(fingerprint_store *s, const char *identity, guint max)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
	max = MIN(max, FINGERPRINTS_PER_STEP);
	/* A row is either waiting or in the database, unless it is being written. */
	g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&s->write_mu);
	add_waiting(s, identity, max, rows);
	if (rows->len < max)
		add_rows(s,
			 "SELECT identity, ref, name, reason, created, bytes FROM fingerprint WHERE identity = ? ORDER "
			 "BY id "
			 "DESC LIMIT ?",
			 identity, max - rows->len, rows);
	return rows;
}

GPtrArray *fingerprint_store_of_build(fingerprint_store *s, const char *ref)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(row_free);
	drain(s);
	add_rows(
		s,
		"SELECT identity, ref, name, reason, created, bytes FROM fingerprint WHERE ref = ? ORDER BY id LIMIT ?",
		ref, FINGERPRINTS_ROWS, rows);
	return rows;
}

char *fingerprint_store_last_build(fingerprint_store *s)
{
	drain(s);
	g_autoptr(db_query) q = db_select(s->db, "SELECT ref FROM fingerprint ORDER BY id DESC LIMIT 1", NULL, "");
	return q && db_next(q, NULL) ? g_strdup(db_text(q, 0)) : NULL;
}

/* ---- all */

fingerprint_store *fingerprint_store_open(int root_fd, GError **error)
{
	bool reset;
	db *d = db_open_or_reset(root_fd, FILE_NAME, migrations, &reset, error);
	if (!d)
		return NULL;
	fingerprint_store *s = g_new0(fingerprint_store, 1);
	s->db = d;
	s->rows = TRIM_ROWS; /* the size of existing rows is unknown: check at the first batch */
	g_mutex_init(&s->write_mu);
	g_mutex_init(&s->mu);
	g_cond_init(&s->hurry);
	g_queue_init(&s->waiting);
	s->writer = pool_new("fingerprints", 1, write_waiting, s);
	return s;
}

void fingerprint_store_close(fingerprint_store *s)
{
	if (!s)
		return;
	g_mutex_lock(&s->mu);
	s->closing = true;
	g_cond_signal(&s->hurry);
	g_mutex_unlock(&s->mu);
	pool_free(s->writer);
	drain(s);
	db_close(s->db);
	g_cond_clear(&s->hurry);
	g_mutex_clear(&s->write_mu);
	g_mutex_clear(&s->mu);
	g_free(s);
}
