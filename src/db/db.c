/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"
#include "base/thread.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/scope.h"
#include "os/file.h"

#define BUSY_MS 10000
#define LOCK_TRIES 8
#define IN_MEMORY ":memory:"
#define WAL_VERSIONS 18 /* offset in the file header */
/* A larger file is checked while it is in use: reading this much delays a start by 16 ms at about 500 MB/s. */
#define CHECK_AT_OPEN_BYTES (8 << 20)

struct db {
	sqlite3 *handle;
	GHashTable *statements; /* SQL text to sqlite3_stmt * */
	GRecMutex mu;
	char *name; /* the file, for messages */
	int dir_fd; /* owned */
	GThread *checker;
	sqlite3 *checked;      /* the checker's connection; guarded by mu, NULL: none */
	gint closing, damaged; /* atomic */
};

struct db_query {
	db *db; /* borrowed */
	sqlite3_stmt *statement;
};

/* A full disk and a damaged file need other handling than a programming error. */
static enum error_code code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		return ERROR_RESOURCE_EXHAUSTED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERROR_DATA_LOSS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return ERROR_UNAVAILABLE;
	default:
		return ERROR_UNKNOWN;
	}
}

static bool fail(db *d, const char *what, GError **error)
{
	int rc = d->handle ? sqlite3_extended_errcode(d->handle) : SQLITE_NOMEM;
	/* "disk I/O error" is not specific; the system's error text is appended. */
	int number = (rc & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(d->handle) : 0;
	return error_set(error, code_of(rc), "%s: %s: %s%s%s", d->name, what,
			 d->handle ? sqlite3_errmsg(d->handle) : "out of memory", number ? ": " : "",
			 number ? error_errno_text(number) : "");
}

/* Several statements, without values. */
static bool db_script(db *d, const char *sql, GError **error)
{
	db_lock(d);
	bool ok = sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail(d, "run script", error);
	db_unlock(d);
	return ok;
}

static int64_t user_version(db *d)
{
	sqlite3_stmt *s = NULL;
	int64_t version = -1;
	if (sqlite3_prepare_v2(d->handle, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW)
		version = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return version;
}

static bool migrate(db *d, const char *const *migrations, bool durable, GError **error)
{
	int64_t have = user_version(d), want = (int64_t)g_strv_length((char **)migrations);
	if (have < 0)
		return fail(d, "read version", error);
	if (have > want)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "%s was written by a newer version (format %" PRId64 ", this one knows %" PRId64 ")",
				 d->name, have, want);
	if (have == want)
		return true;
	if (!db_script(d, "BEGIN IMMEDIATE", error))
		return false;
	for (int64_t i = have; i < want; i++)
		if (!db_script(d, migrations[i], error)) {
			db_rollback(d);
			return false;
		}
	g_autofree char *mark = g_strdup_printf("PRAGMA user_version = %" PRId64, want);
	if (!db_script(d, mark, error) || !db_commit(d, durable, error)) {
		db_rollback(d);
		return false;
	}
	return true;
}

static bool quick_check(const char *name, sqlite3 *handle, GError **error)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	bool ok = rc == SQLITE_ROW && g_strcmp0((const char *)sqlite3_column_text(s, 0), "ok") == 0;
	g_autofree char *text =
		g_strdup(rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(handle));
	sqlite3_finalize(s);
	if (ok)
		return true;
	enum error_code code = rc == SQLITE_ROW ? ERROR_DATA_LOSS : code_of(rc);
	return error_set(error, code, "%s %s: %s", name, code == ERROR_DATA_LOSS ? "is damaged" : "cannot be checked",
			 text);
}

/*
 * sqlite's fcntl. sqlite continues when a lock cannot be released, and its table then lists it as held forever, so that
 * every later build waits for a lock without a holder. Therefore a temporarily refused call is repeated.
 */
static int patient_fcntl(int fd, int command, ...)
{
	va_list ap;
	va_start(ap, command);
	void *argument = va_arg(ap, void *);
	va_end(ap);
	int rc = fcntl(fd, command, argument);
	for (int i = 0; rc < 0 && (command == F_SETLK || command == F_SETLKW) && i < LOCK_TRIES; i++) {
		bool is_unlock = ((const struct flock *)argument)->l_type == F_UNLCK;
		if (!is_unlock && (errno == EACCES || errno == EAGAIN))
			break; /* another process holds the lock, which is a result */
		rc = fcntl(fd, command, argument);
	}
	return rc;
}

/* Otherwise each connection would allocate 20 pages and 48 KB in advance. */
static void configure_library(void)
{
	static gsize done;
	if (g_once_init_enter(&done)) {
		sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
		sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 128, 64);
		sqlite3_vfs *vfs = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;
		if (vfs && vfs->iVersion >= 3)
			vfs->xSetSystemCall(vfs, "fcntl", (sqlite3_syscall_ptr)patient_fcntl);
		g_once_init_leave(&done, 1);
	}
}

/* sqlite only accepts path names; it resolves this one and keeps -wal and -shm files next to it. */
static int open_handle(const db *d, const char *name, int flags, sqlite3 **ret)
{
	g_autofree char *path =
		g_str_equal(name, IN_MEMORY) ? g_strdup(name) : g_strdup_printf("/proc/self/fd/%d/%s", d->dir_fd, name);
	return sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | flags, NULL);
}

static bool connect_to(db *d, const char *name, int flags, const char *settings, GError **error)
{
	configure_library();
	if (open_handle(d, name, flags, &d->handle) != SQLITE_OK)
		return fail(d, "open", error);
	sqlite3_extended_result_codes(d->handle, 1);
	sqlite3_busy_timeout(d->handle, BUSY_MS);
	return db_script(d, settings, error);
}

static void statement_free(gpointer s)
{
	sqlite3_finalize(s);
}

static db *db_new(int dir_fd, const char *name, GError **error)
{
	scoped_fd copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return error_null_errno(error, errno, "open %s", name);
	db *d = g_new0(db, 1);
	g_rec_mutex_init(&d->mu);
	d->name = g_strdup(name);
	d->dir_fd = fd_steal(&copy);
	d->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, statement_free);
	return d;
}

static bool remove_all(int dir_fd, const char *name, const char *const *suffixes, GError **error)
{
	for (; *suffixes; suffixes++) {
		g_autofree char *file = g_strconcat(name, *suffixes, NULL);
		if (unlinkat(dir_fd, file, 0) < 0 && errno != ENOENT)
			return error_set_errno(error, errno, "remove %s", file);
	}
	return true;
}

/*
 * Fills a database in memory and returns its pages as a file in WAL mode: by the file format of sqlite, bytes 18 and 19
 * are its write and read version, and 2 is WAL. Freed with sqlite3_free.
 */
static unsigned char *new_database(int dir_fd, const char *name, const char *const *migrations, sqlite3_int64 *ret_n,
				   GError **error)
{
	g_autoptr(db) d = db_new(dir_fd, name, error);
	if (!d || !connect_to(d, IN_MEMORY, 0, "PRAGMA auto_vacuum = INCREMENTAL", error) ||
	    !migrate(d, migrations, false, error))
		return NULL;
	unsigned char *pages = sqlite3_serialize(d->handle, "main", ret_n, 0);
	if (!pages || *ret_n < WAL_VERSIONS + 2) {
		sqlite3_free(pages);
		fail(d, "serialize", error);
		return NULL;
	}
	memset(pages + WAL_VERSIONS, 2, 2);
	return pages;
}

/*
 * Writes the complete database under another name, calls fsync and renames it, so that a database with its final name is
 * complete. Creating it in place would take a dozen small transactions with three syncs each, which is most of a
 * daemon's first start.
 */
static bool create(int dir_fd, const char *name, const char *const *migrations, GError **error)
{
	static const char *const logs[] = {"-wal", "-shm", "-journal", NULL};
	g_autofree char *temporary = g_strconcat(name, ".new", NULL);
	if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
		return error_set_errno(error, errno, "remove %s", temporary);
	sqlite3_int64 n = 0;
	unsigned char *pages = new_database(dir_fd, name, migrations, &n, error);
	if (!pages)
		return false;
	scoped_fd fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool written = (fd >= 0 && file_write_all(fd, pages, (size_t)n) && fsync(fd) == 0) ||
		       error_set_errno(error, errno, "create %s", temporary);
	sqlite3_free(pages);
	/* A log without its database must not be replayed into the new one. */
	return written && remove_all(dir_fd, name, logs, error) &&
	       (renameat(dir_fd, temporary, dir_fd, name) == 0 ||
		error_set_errno(error, errno, "rename %s", temporary));
}

/* An empty file is not a database: a crash of an older version left it. */
static bool size_of(int dir_fd, const char *name, int64_t *ret, GError **error)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		*ret = 0;
		return errno == ENOENT || error_set_errno(error, errno, "stat %s", name);
	}
	*ret = st.st_size;
	return S_ISREG(st.st_mode) || error_set(error, ERROR_FAILED_PRECONDITION, "%s is not a file", name);
}

static bool set_aside(int dir_fd, const char *name, GError **error)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	int64_t now = g_get_real_time() / G_USEC_PER_SEC;
	for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
		g_autofree char *from = g_strconcat(name, suffixes[i], NULL);
		g_autofree char *to = g_strdup_printf("%s.damaged-%" PRId64 "%s", name, now, suffixes[i]);
		if (renameat(dir_fd, from, dir_fd, to) < 0 && errno != ENOENT)
			return error_set_errno(error, errno, "rename damaged %s", from);
	}
	return true;
}

/* ---- damage of a large file */
static gpointer check_run(gpointer data)
{
	db *d = data;
	g_autoptr(GError) error = NULL;
	sqlite3 *handle = NULL;
	if (open_handle(d, d->name, 0, &handle) == SQLITE_OK) {
		sqlite3_busy_timeout(handle, BUSY_MS);
		db_lock(d);
		d->checked = handle;
		db_unlock(d);
		if (!g_atomic_int_get(&d->closing))
			quick_check(d->name, handle, &error);
		db_lock(d);
		d->checked = NULL;
		db_unlock(d);
	}
	sqlite3_close_v2(handle);
	if (!error_is(error, ERROR_DATA_LOSS))
		return NULL;
	g_atomic_int_set(&d->damaged, 1);
	log_error("%s; the next start will rename it and create an empty one", error->message);
	return NULL;
}

static void check_stop(db *d)
{
	if (!d->checker)
		return;
	g_atomic_int_set(&d->closing, 1);
	db_lock(d);
	if (d->checked)
		sqlite3_interrupt(d->checked);
	db_unlock(d);
	g_thread_join(d->checker);
}

bool db_is_damaged(const db *d)
{
	return g_atomic_int_get(&d->damaged) != 0;
}

/* ---- open and close */
/* cache_size: half a MiB per connection; the system's page cache still has evicted pages. */
static const char settings_in_use[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
	"PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 4194304;"
	"PRAGMA wal_autocheckpoint = 1000; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -512;";

db *db_open(int dir_fd, const char *name, const char *const *migrations, GError **error)
{
	int64_t size = 0;
	if (!size_of(dir_fd, name, &size, error) || (size == 0 && !create(dir_fd, name, migrations, error)))
		return NULL;
	g_autoptr(db) d = db_new(dir_fd, name, error);
	/* From here on we keep no fd of the file: closing one would release the locks that sqlite has on it. */
	if (!d || !connect_to(d, name, 0, settings_in_use, error))
		return NULL;
	if (size > 0 && size <= CHECK_AT_OPEN_BYTES && !quick_check(d->name, d->handle, error))
		return NULL;
	if (!migrate(d, migrations, true, error))
		return NULL;
	if (size > CHECK_AT_OPEN_BYTES)
		d->checker = thread_start("db-check", check_run, d, NULL); /* if it fails, the next start checks */
	return g_steal_pointer(&d);
}

db *db_open_again(const db *first, GError **error)
{
	g_autoptr(db) d = db_new(first->dir_fd, first->name, error);
	return d && connect_to(d, d->name, 0, settings_in_use, error) ? g_steal_pointer(&d) : NULL;
}

db *db_open_or_reset(int dir_fd, const char *name, const char *const *migrations, bool *ret_reset, GError **error)
{
	g_autoptr(GError) damage = NULL;
	*ret_reset = false;
	db *d = db_open(dir_fd, name, migrations, &damage);
	if (d)
		return d;
	if (!error_is(damage, ERROR_DATA_LOSS))
		return error_propagate_null(error, g_steal_pointer(&damage));
	*ret_reset = true;
	return set_aside(dir_fd, name, error) ? db_open(dir_fd, name, migrations, error) : NULL;
}

void db_close(db *d)
{
	if (!d)
		return;
	check_stop(d);
	g_hash_table_unref(d->statements);
	if (d->handle) {
		sqlite3_exec(d->handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
		sqlite3_close_v2(d->handle);
	}
	if (d->damaged)
		set_aside(d->dir_fd, d->name, NULL); /* if the rename fails, the next start detects the damage again */
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	g_rec_mutex_clear(&d->mu);
	g_free(d->name);
	g_free(d);
}

void db_shrink(db *d)
{
	db_lock(d);
	sqlite3_exec(d->handle, "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	db_unlock(d);
}

void db_lock(db *d)
{
	g_rec_mutex_lock(&d->mu);
}

void db_unlock(db *d)
{
	g_rec_mutex_unlock(&d->mu);
}

/* ---- transactions */
bool db_begin(db *d, GError **error)
{
	return db_run(d, "BEGIN IMMEDIATE", error, "");
}

/* Syncs like synchronous=FULL after a commit; NORMAL only does so at checkpoints. */
static bool sync_log(db *d, GError **error)
{
	g_autofree char *log = g_strconcat(d->name, "-wal", NULL);
	scoped_fd fd = openat(d->dir_fd, log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	return (fd >= 0 && fdatasync(fd) == 0) || error_set_errno(error, errno, "sync %s", log);
}

bool db_commit(db *d, bool durable, GError **error)
{
	return db_run(d, "COMMIT", error, "") && (!durable || sync_log(d, error));
}

void db_rollback(db *d)
{
	if (!sqlite3_get_autocommit(d->handle))
		db_run(d, "ROLLBACK", NULL, "");
}

/* ---- statements */
static sqlite3_stmt *statement_find(db *d, const char *sql, GError **error)
{
	sqlite3_stmt *s = g_hash_table_lookup(d->statements, sql);
	if (s) {
		sqlite3_reset(s);
		sqlite3_clear_bindings(s);
		return s;
	}
	if (sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
		fail(d, "prepare", error);
		return NULL;
	}
	g_hash_table_insert(d->statements, g_strdup(sql), s);
	return s;
}

static bool bind(db *d, sqlite3_stmt *s, const char *types, va_list ap, GError **error)
{
	for (int i = 1; *types; i++, types++) {
		int rc = SQLITE_MISUSE;
		if (*types == 's') {
			rc = sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
		} else if (*types == 'i') {
			rc = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		} else if (*types == 'd') {
			rc = sqlite3_bind_double(s, i, va_arg(ap, double));
		} else if (*types == 'b') {
			const void *bytes = va_arg(ap, const void *);
			size_t n = va_arg(ap, size_t);
			rc = bytes ? sqlite3_bind_blob64(s, i, bytes, n, SQLITE_TRANSIENT) : sqlite3_bind_null(s, i);
		}
		if (rc != SQLITE_OK)
			return fail(d, "bind", error);
	}
	return true;
}

bool db_run(db *d, const char *sql, GError **error, const char *types, ...)
{
	va_list ap;
	db_lock(d);
	sqlite3_stmt *s = statement_find(d, sql, error);
	va_start(ap, types);
	bool ok = s && bind(d, s, types, ap, error);
	va_end(ap);
	if (ok) {
		int rc = sqlite3_step(s);
		ok = rc == SQLITE_DONE || rc == SQLITE_ROW || fail(d, "run", error);
		sqlite3_reset(s);
	}
	db_unlock(d);
	return ok;
}

db_query *db_select(db *d, const char *sql, GError **error, const char *types, ...)
{
	va_list ap;
	db_lock(d);
	sqlite3_stmt *s = statement_find(d, sql, error);
	va_start(ap, types);
	bool ok = s && bind(d, s, types, ap, error);
	va_end(ap);
	if (!ok) {
		db_unlock(d);
		return NULL;
	}
	db_query *q = g_new0(db_query, 1);
	q->db = d;
	q->statement = s;
	return q;
}

bool db_next(db_query *q, GError **error)
{
	int rc = sqlite3_step(q->statement);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		fail(q->db, "read", error);
	return rc == SQLITE_ROW;
}

const char *db_text(db_query *q, int column)
{
	return (const char *)sqlite3_column_text(q->statement, column);
}

int64_t db_int(db_query *q, int column)
{
	return sqlite3_column_int64(q->statement, column);
}

const void *db_bytes(db_query *q, int column, size_t *ret_n)
{
	const void *bytes = sqlite3_column_blob(q->statement, column);
	*ret_n = (size_t)sqlite3_column_bytes(q->statement, column);
	return bytes;
}

void db_query_done(db_query *q)
{
	if (!q)
		return;
	sqlite3_reset(q->statement);
	db_unlock(q->db);
	g_free(q);
}
