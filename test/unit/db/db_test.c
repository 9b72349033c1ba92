/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/scope.h"
#include "lib/outcome.h"

/* Replaces the C library's function, also for sqlite: the n-th call from now on fails. */
static int fail_after = -1;
int fcntl64(int fd, int command, ...);
int fcntl64(int fd, int command, ...)
{
	va_list ap;
	va_start(ap, command);
	void *argument = va_arg(ap, void *);
	va_end(ap);
	if (fail_after >= 0 && fail_after-- == 0) {
		errno = EMFILE;
		return -1;
	}
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

static const char *const steps[] = {
	"CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB, n INTEGER);",
	"ALTER TABLE t ADD COLUMN extra TEXT;",
	NULL,
};
static const char *const first_step[] = {"CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB, n INTEGER);", NULL};
static const char *const broken_step[] = {"CREATE TABLE t(k TEXT PRIMARY KEY, v BLOB, n INTEGER);",
					  "CREATE TABLE u(x); CREATE TABLE t(y);", NULL};

struct fixture {
	char *path;
	int fd;
};

static void set_up(struct fixture *f, gconstpointer unused)
{
	f->path = g_dir_make_tmp("db-test-XXXXXX", NULL);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(f->fd, >=, 0);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	GDir *dir = g_dir_open(f->path, 0, NULL);
	for (const char *name; (name = g_dir_read_name(dir));)
		unlinkat(f->fd, name, 0);
	g_dir_close(dir);
	close(f->fd);
	rmdir(f->path);
	g_free(f->path);
}

static db *open_db(struct fixture *f, const char *const *migrations)
{
	GError *error = NULL;
	db *d = db_open(f->fd, "x.db", migrations, &error);
	g_assert_no_error(error);
	return d;
}

static int64_t count(db *d)
{
	g_autoptr(db_query) q = db_select(d, "SELECT count(*) FROM t", NULL, "");
	assert_succeeds(db_next(q, &failure));
	return db_int(q, 0);
}

static void test_values(struct fixture *f, gconstpointer unused)
{
	GError *error = NULL;
	g_autoptr(db) d = open_db(f, steps);
	g_assert_true(db_run(d, "INSERT INTO t VALUES(?, ?, ?, ?)", &error, "sbis", "a", "x\0y", (size_t)3, (int64_t)-7,
			     NULL));
	g_autoptr(db_query) q = db_select(d, "SELECT k, v, n, extra FROM t WHERE n < ?", &error, "i", (int64_t)0);
	g_assert_true(db_next(q, &error));
	size_t n;
	const void *v = db_bytes(q, 1, &n);
	g_assert_cmpstr(db_text(q, 0), ==, "a");
	g_assert_cmpmem(v, n, "x\0y", 3);
	g_assert_cmpint(db_int(q, 2), ==, -7);
	g_assert_null(db_text(q, 3));
	g_assert_false(db_next(q, &error));
	g_assert_no_error(error);
}

static void test_transactions(struct fixture *f, gconstpointer unused)
{
	g_autoptr(db) d = open_db(f, steps);
	assert_succeeds(db_begin(d, &failure));
	g_assert_true(db_run(d, "INSERT INTO t(k) VALUES(?)", NULL, "s", "a"));
	db_rollback(d);
	db_rollback(d);
	g_assert_cmpint(count(d), ==, 0);
	assert_succeeds(db_begin(d, &failure));
	g_assert_true(db_run(d, "INSERT INTO t(k) VALUES(?)", NULL, "s", "a"));
	assert_succeeds(db_commit(d, true, &failure));
	g_assert_cmpint(count(d), ==, 1);
	GError *error = NULL;
	g_assert_false(db_run(d, "INSERT INTO t(k) VALUES(?)", &error, "s", "a"));
	g_assert_nonnull(strstr(error->message, "x.db: run: UNIQUE constraint failed"));
	g_clear_error(&error);
	db_shrink(d);
}

static void test_migrations(struct fixture *f, gconstpointer unused)
{
	GError *error = NULL;
	db *d = open_db(f, first_step);
	g_assert_true(db_run(d, "INSERT INTO t(k) VALUES('kept')", NULL, ""));
	db_close(d);
	g_assert_null(db_open(f->fd, "x.db", broken_step, &error)); /* all or nothing */
	g_assert_cmpstr(error->message, ==, "x.db: run script: table t already exists");
	g_clear_error(&error);
	d = open_db(f, steps);
	g_assert_cmpint(count(d), ==, 1);
	g_assert_true(db_run(d, "INSERT INTO t(k, extra) VALUES('new', 'x')", NULL, ""));
	db_close(d);
	g_assert_null(db_open(f->fd, "x.db", first_step, &error));
	g_assert_error(error, error_domain(), ERROR_FAILED_PRECONDITION);
	g_assert_nonnull(strstr(error->message, "newer version"));
	g_clear_error(&error);
}

static void test_damage(struct fixture *f, gconstpointer unused)
{
	GError *error = NULL;
	bool reset;
	db_close(open_db(f, steps));
	scoped_fd fd = openat(f->fd, "x.db", O_WRONLY);
	g_assert_cmpint(pwrite(fd, "this is not a database file at all.....", 39, 0), ==, 39);
	g_assert_null(db_open(f->fd, "x.db", steps, &error));
	g_assert_error(error, error_domain(), ERROR_DATA_LOSS);
	g_clear_error(&error);
	g_autoptr(db) d = db_open_or_reset(f->fd, "x.db", steps, &reset, &error);
	g_assert_no_error(error);
	g_assert_true(reset);
	g_assert_cmpint(count(d), ==, 0);
}

/* The next process sees the writes of a process that did not close the file, as after SIGKILL. */
static void test_no_close(struct fixture *f, gconstpointer unused)
{
	g_autoptr(db) d = open_db(f, steps);
	g_assert_true(db_run(d, "INSERT INTO t(k) VALUES('a')", NULL, ""));
	g_autoptr(db) other = open_db(f, steps);
	g_assert_cmpint(count(other), ==, 1);
}

/* A file too large to be checked at start is checked while in use, and renamed if it is damaged. */
static void test_large(struct fixture *f, gconstpointer damage)
{
	db *d = open_db(f, steps);
	g_autofree char *value = g_strnfill(4000, 'x');
	assert_succeeds(db_begin(d, &failure));
	for (int64_t i = 0; i < 3000; i++) {
		g_autofree char *key = g_strdup_printf("%" G_GINT64_FORMAT, i);
		g_assert_true(
			db_run(d, "INSERT INTO t VALUES(?, ?, ?, NULL)", NULL, "sbi", key, value, (size_t)4000, i));
	}
	assert_succeeds(db_commit(d, false, &failure));
	db_close(d);
	if (damage) {
		scoped_fd fd = openat(f->fd, "x.db", O_RDWR | O_CLOEXEC);
		struct stat st;
		g_assert_true(fstat(fd, &st) == 0 && st.st_size > 8 << 20);
		g_autofree char *zeros = g_malloc0(4096);
		for (off_t at = st.st_size / 2 & ~4095; at < st.st_size - 4096; at += 4096)
			g_assert_cmpint(pwrite(fd, zeros, 4096, at), ==, 4096);
	}
	d = open_db(f, steps);
	/* The check runs on its own thread, and nothing reports what it finds. */
	for (int i = 0; damage && !db_is_damaged(d) && i < 10000; i++)
		g_usleep(1000);
	g_assert_true(db_is_damaged(d) == (damage != NULL));
	if (!damage)
		g_assert_cmpint(count(d), ==, 3000);
	db *again = db_open_again(d, NULL);
	g_assert_nonnull(again);
	db_close(again);
	db_close(d);
	d = open_db(f, steps);
	g_assert_cmpint(count(d), ==, damage ? 0 : 3000);
	db_close(d);
}

/* A lock that could not be released at once is released later: no caller waits for it. */
static void test_failing_locks(struct fixture *f, gconstpointer unused)
{
	GError *error = NULL;
	g_autoptr(db) first = open_db(f, steps);
	g_autoptr(db) second = db_open_again(first, &error);
	g_assert_no_error(error);
	for (int n = 0; n < 12; n++) {
		fail_after = n;
		bool ok = db_begin(first, NULL) && db_run(first, "INSERT INTO t(n) VALUES(1)", NULL, "") &&
			  db_commit(first, false, NULL);
		if (!ok)
			db_rollback(first);
		fail_after = -1;
		db *both[] = {first, second};
		for (size_t i = 0; i < G_N_ELEMENTS(both); i++) {
			g_assert_true(db_begin(both[i], &error));
			g_assert_true(db_run(both[i], "INSERT INTO t(n) VALUES(2)", &error, ""));
			g_assert_true(db_commit(both[i], false, &error));
			g_assert_no_error(error);
		}
	}
	g_assert_cmpint(count(second), >=, 24);
}

static int64_t setting(db *d, const char *pragma)
{
	g_autofree char *sql = g_strconcat("PRAGMA ", pragma, NULL);
	g_autoptr(db_query) q = db_select(d, sql, NULL, "");
	return db_next(q, NULL) ? db_int(q, 0) : -1;
}

/* What an interrupted start left has no effect: a database under the temporary name, a log of an earlier database. */
static void test_new_file(struct fixture *f, gconstpointer unused)
{
	static const char *const left[] = {"x.db.new", "x.db-wal", "x.db-journal"};
	for (size_t i = 0; i < G_N_ELEMENTS(left); i++) {
		scoped_fd fd = openat(f->fd, left[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		g_assert_cmpint(write(fd, "left", 4), ==, 4);
	}
	g_autoptr(db) d = open_db(f, steps);
	unsigned char versions[2] = {0};
	scoped_fd file = openat(f->fd, "x.db", O_RDONLY | O_CLOEXEC);
	struct stat st;
	g_assert_cmpint(fstat(file, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0600);
	g_assert_cmpint(pread(file, versions, 2, 18), ==, 2); /* sqlite's file format: write and read version, 2: WAL */
	g_assert_cmpmem(versions, 2, "\2\2", 2);
	g_assert_cmpint(setting(d, "auto_vacuum"), ==, 2); /* incremental */
	g_assert_cmpint(setting(d, "user_version"), ==, 2);
	g_assert_cmpint(faccessat(f->fd, "x.db.new", F_OK, 0), <, 0);
	g_assert_cmpint(faccessat(f->fd, "x.db-journal", F_OK, 0), <, 0);
	g_assert_cmpint(count(d), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn) g_test_add(name, struct fixture, NULL, set_up, fn, tear_down)
	ADD("/db/values", test_values);
	ADD("/db/transactions", test_transactions);
	ADD("/db/migrations", test_migrations);
	ADD("/db/damage", test_damage);
	ADD("/db/no-close", test_no_close);
	ADD("/db/failing-locks", test_failing_locks);
	ADD("/db/new-file", test_new_file);
	g_test_add("/db/large", struct fixture, NULL, set_up, test_large, tear_down);
	g_test_add("/db/large-damaged", struct fixture, "damage", set_up, test_large, tear_down);
	return g_test_run();
}
