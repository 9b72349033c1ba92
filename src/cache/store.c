/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/syscall.h>
#include "base/thread.h"
#include "base/hash_walk.h"
#include <string.h>
#include "cache/record.h"
#include "cache/rows.h"

/*
 * Rows are written after the in-memory tables change: on commit immediately, together with all other pending rows;
 * otherwise after a short delay. Data is synced only on demand: a row records the boot in which it was written, and
 * recovery.c drops rows of another boot that no cache_sync covered.
 */
#define BATCH_US (100 * 1000)
#define CONTENTS_KEPT 20 /* digest tables of unused trees that stay in memory */

static const char *const migrations[] = {
	"CREATE TABLE tree(id TEXT PRIMARY KEY, parent TEXT, size INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE record(id TEXT PRIMARY KEY, parent TEXT, kind INTEGER NOT NULL, inputs TEXT, tree TEXT, twin "
	"TEXT,"
	" mutable INTEGER NOT NULL, policy INTEGER NOT NULL, type TEXT NOT NULL, description TEXT NOT NULL,"
	" created INTEGER NOT NULL, last_used INTEGER NOT NULL, uses INTEGER NOT NULL, boot TEXT NOT NULL,"
	" synced INTEGER NOT NULL, serial INTEGER NOT NULL, diff_id TEXT, media_type TEXT, blob TEXT, blob_size "
	"INTEGER,"
	" annotations TEXT) WITHOUT ROWID;"
	"CREATE TABLE variant(record TEXT NOT NULL, compression INTEGER NOT NULL, media_type TEXT NOT NULL,"
	" blob TEXT NOT NULL, blob_size INTEGER NOT NULL, PRIMARY KEY(record, compression)) WITHOUT ROWID;"
	"CREATE TABLE name(record TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(record, name)) WITHOUT ROWID;"
	"CREATE TABLE value(record TEXT NOT NULL, key TEXT NOT NULL, bytes BLOB, PRIMARY KEY(record, key)) WITHOUT "
	"ROWID;"
	"CREATE TABLE digests(tree TEXT PRIMARY KEY, bytes BLOB NOT NULL);",
	"ALTER TABLE tree ADD COLUMN over TEXT;",
	"ALTER TABLE record ADD COLUMN open INTEGER NOT NULL DEFAULT 0;",
	"ALTER TABLE variant ADD COLUMN annotations TEXT;",
	"CREATE TABLE document(record TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,"
	" PRIMARY KEY(record, digest)) WITHOUT ROWID;",
	/* Trees of older versions may have hard links to files of others: see share.h. */
	"ALTER TABLE tree ADD COLUMN shares TEXT; UPDATE tree SET shares = '*';",
	NULL,
};

void store_wake_locked(cache *c)
{
	if (c->woken && !c->closing) /* it collects changes for a while */
		return;
	c->woken = true;
	g_cond_signal(&c->wake);
}

GBytes *store_read_digests(cache *c, const char *tree_id)
{
	g_autoptr(db_query) q = db_select(c->db, "SELECT bytes FROM digests WHERE tree = ?", NULL, "s", tree_id);
	if (!q || !db_next(q, NULL))
		return NULL;
	size_t n;
	const void *bytes = db_bytes(q, 0, &n);
	return g_bytes_new(bytes, n);
}

/* ---- flush */
struct flush {            /* the changes that one transaction writes */
	GQueue ids;       /* of char * */
	GPtrArray *trees; /* of char * */
	GQueue unlinked;  /* of struct tree * */
};

static void flush_take(cache *c, struct flush *f)
{
	g_mutex_lock(&c->mu);
	f->ids = c->dirty;
	f->unlinked = c->unlinked;
	g_queue_init(&c->dirty);
	g_queue_init(&c->unlinked);
	f->trees = g_ptr_array_new_with_free_func(g_free);
	for (struct hash_walk it = hash_walk(c->dirty_trees); hash_walk_next(&it);) {
		g_hash_table_iter_steal(&it.iter);
		g_ptr_array_add(f->trees, it.key);
	}
	c->serial++;
	g_mutex_unlock(&c->mu);
}

/* Takes the lock for one row at a time, never while the transaction commits. */
static bool write_tree(cache *c, const char *id, GError **error)
{
	g_mutex_lock(&c->mu);
	struct tree *t = g_hash_table_lookup(c->trees, id);
	bool ok = !t || rows_put_tree(c->db, t, error);
	if (t && ok)
		t->has_row = true;
	g_mutex_unlock(&c->mu);
	return ok;
}

static bool write_record(cache *c, const char *id, GError **error)
{
	g_mutex_lock(&c->mu);
	cache_ref *r = g_hash_table_lookup(c->records, id);
	bool ok = r ? rows_put_record(c->db, r, c->boot_id, error) : true;
	if (r && ok) {
		r->dirty = r->names_dirty = r->values_dirty = r->documents_dirty = false;
		if (!r->has_row)
			r->content_serial = c->serial;
		r->has_row = true;
		r->serial = c->serial;
	}
	g_mutex_unlock(&c->mu);
	return r ? ok : rows_delete_record(c->db, id, error);
}

static bool flush_write(cache *c, struct flush *f, GError **error)
{
	for (guint i = 0; i < f->trees->len; i++)
		if (!write_tree(c, f->trees->pdata[i], error))
			return false;
	for (GList *l = f->ids.head; l; l = l->next)
		if (!write_record(c, l->data, error))
			return false;
	for (GList *l = f->unlinked.head; l; l = l->next) {
		const struct tree *t = l->data;
		if (!t->in_work && !rows_delete_tree(c->db, t->id, error))
			return false;
	}
	return true;
}

/* Nothing was written: all of it is pending again. */
static void flush_give_back(cache *c, struct flush *f)
{
	g_mutex_lock(&c->mu);
	for (char *id; (id = g_queue_pop_tail(&f->ids));) {
		cache_ref *r = g_hash_table_lookup(c->records, id);
		if (r) {
			r->dirty = true;
			r->names_dirty = r->values_dirty = r->documents_dirty = true;
		}
		g_queue_push_head(&c->dirty, id);
	}
	for (guint i = 0; i < f->trees->len; i++)
		g_hash_table_add(c->dirty_trees, g_strdup(f->trees->pdata[i]));
	g_mutex_unlock(&c->mu);
}

static void tree_remove(cache *c, struct tree *t)
{
	if (!t->in_trash)
		trash_put(c, t->in_work ? c->work_fd : c->snapshots_fd, t->id);
	tree_free(t);
}

static bool flush_run(cache *c, struct flush *f, bool durable, GError **error)
{
	if (!durable && g_queue_is_empty(&f->ids) && f->trees->len == 0 && g_queue_is_empty(&f->unlinked))
		return true;
	db_lock(c->db);
	bool ok = db_begin(c->db, error) && flush_write(c, f, error) && db_commit(c->db, durable, error);
	if (!ok)
		db_rollback(c->db);
	db_unlock(c->db);
	return ok;
}

bool store_flush(cache *c, bool durable, GError **error)
{
	struct flush f = {0};
	g_mutex_lock(&c->flush_mu);
	flush_take(c, &f);
	bool ok = flush_run(c, &f, durable, error);
	if (!ok)
		flush_give_back(c, &f);
	/* Directories are removed even if their rows could not be deleted: a row without a tree is dropped at start. */
	for (struct tree *t; (t = g_queue_pop_head(&f.unlinked));)
		tree_remove(c, t);
	g_queue_clear_full(&f.ids, g_free);
	g_ptr_array_unref(f.trees);
	g_mutex_unlock(&c->flush_mu);
	return ok;
}

void cache_settle(cache *c)
{
	store_flush(c, false, NULL); /* rows that cannot be written stay pending */
}

/* ---- sync */
static void mark_synced(cache *c, uint64_t serial)
{
	g_mutex_lock(&c->mu);
	for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);) {
		cache_ref *one = it.value;
		/* A tree that a transfer may rewrite at any time is never durable. */
		bool rewritten = one->is_mutable && strcmp(one->type, "source.local") == 0;
		if (one->has_row && one->content_serial <= serial && !rewritten)
			one->synced = true;
	}
	g_mutex_unlock(&c->mu);
}

bool cache_sync(cache *c, GError **error)
{
	if (!store_flush(c, false, error))
		return false;
	g_mutex_lock(&c->mu);
	uint64_t serial = c->serial;
	g_mutex_unlock(&c->mu);
	if (syncfs(c->root_fd) < 0)
		return error_set_errno(error, errno, "sync the state directory");
	if (!snapshotter_sync(c->snapshotter, error))
		return false;
	/* No flush may run between the rows and the tables: it would write the old mark again. */
	g_mutex_lock(&c->flush_mu);
	db_lock(c->db);
	bool ok = db_begin(c->db, error) &&
		  db_run(c->db,
			 "UPDATE record SET synced = 1 WHERE synced = 0 AND serial <= ?"
			 " AND NOT (mutable AND type = 'source.local')",
			 error, "i", (int64_t)serial) &&
		  db_commit(c->db, true, error);
	if (!ok)
		db_rollback(c->db);
	db_unlock(c->db);
	if (ok)
		mark_synced(c, serial);
	g_mutex_unlock(&c->flush_mu);
	return ok;
}

/* ---- the writer thread */
static GPtrArray *contents_to_save(cache *c)
{
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
	guint loaded = 0;
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *t = it.value;
		if (!t->content)
			continue;
		if (contenthash_is_dirty(t->content))
			g_ptr_array_add(ids, g_strdup(t->id));
		else if (++loaded > CONTENTS_KEPT && !t->view)
			g_clear_pointer(&t->content, contenthash_unref);
	}
	return ids;
}

static void save_content(cache *c, const char *id)
{
	g_mutex_lock(&c->mu);
	struct tree *t = g_hash_table_lookup(c->trees, id);
	g_autoptr(contenthash) content = t && t->content ? contenthash_ref(t->content) : NULL;
	g_mutex_unlock(&c->mu);
	g_autoptr(GBytes) bytes = content ? contenthash_save(content) : NULL;
	gsize n = 0;
	const void *p = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	if (p)
		db_run(c->db, "INSERT OR REPLACE INTO digests VALUES(?, ?)", NULL, "sb", id, p, (size_t)n);
}

static void write_behind(cache *c)
{
	g_autoptr(GPtrArray) contents = contents_to_save(c);
	g_mutex_unlock(&c->mu);
	store_flush(c, false, NULL);
	for (guint i = 0; i < contents->len; i++)
		save_content(c, contents->pdata[i]);
	trash_empty(c);
	g_mutex_lock(&c->mu);
}

static gpointer writer_run(gpointer data)
{
	cache *c = data;
	/* Idle class of ioprio_set(2): no caller waits for the unlinks of this thread. Best effort. */
	syscall(SYS_ioprio_set, 1, 0, 3 << 13);
	g_mutex_lock(&c->mu);
	while (!c->closing) {
		while (!c->woken && !c->closing)
			g_cond_wait(&c->wake, &c->mu);
		gint64 until = g_get_monotonic_time() + BATCH_US;
		while (!c->closing && g_cond_wait_until(&c->wake, &c->mu, until))
			;
		c->woken = false;
		write_behind(c);
	}
	write_behind(c);
	g_mutex_unlock(&c->mu);
	return NULL;
}

bool store_open(cache *c, GError **error)
{
	bool reset;
	c->db = db_open_or_reset(c->root_fd, "cache.db", migrations, &reset, error);
	return c->db != NULL;
}

bool store_start(cache *c, GError **error)
{
	c->writer = thread_start("cache", writer_run, c, error);
	return c->writer;
}

void store_close(cache *c)
{
	if (c->writer) {
		g_mutex_lock(&c->mu);
		c->closing = true;
		store_wake_locked(c);
		g_mutex_unlock(&c->mu);
		g_thread_join(c->writer);
	}
	g_clear_pointer(&c->db, db_close);
}
