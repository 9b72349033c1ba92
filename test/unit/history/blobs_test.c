/* SPDX-License-Identifier: Apache-2.0 */
#include "history/blobs.h"
#include "base/digest.h"
#include "base/scope.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

static const char *const tables[] = {"CREATE TABLE records(ref TEXT PRIMARY KEY);" BLOBS_TABLE, NULL};

struct fixture {
	char *dir;
	int fd;
	db *d;
};

static void setup(struct fixture *f, gconstpointer data)
{
	f->dir = g_dir_make_tmp("blobs-XXXXXX", NULL);
	f->fd = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->d = db_open(f->fd, "x.db", tables, NULL);
	g_assert_true(db_run(f->d, "INSERT INTO records VALUES('r')", NULL, ""));
}

static void teardown(struct fixture *f, gconstpointer data)
{
	db_close(f->d);
	static const char *const names[] = {"x.db", "x.db-wal", "x.db-shm"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		unlinkat(f->fd, names[i], 0);
	fd_close(&f->fd);
	g_assert_cmpint(g_rmdir(f->dir), ==, 0);
	g_free(f->dir);
}

static GBytes *text_of(size_t n)
{
	uint8_t *bytes = g_malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i >> 12 ^ i);
	return g_bytes_new_take(bytes, n);
}

static int64_t stored(struct fixture *f, const char *digest)
{
	g_autoptr(db_query) q =
		db_select(f->d, "SELECT sum(length(bytes)) FROM blobs WHERE digest = ?", NULL, "s", digest);
	g_assert_true(db_next(q, NULL));
	return db_int(q, 0);
}

static void test_sizes(struct fixture *f, gconstpointer data)
{
	static const size_t sizes[] = {
		0, 1, 1023, 1024, BLOBS_PART - 1, BLOBS_PART, BLOBS_PART + 1, 3 * BLOBS_PART + 5};
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *digest = g_strdup_printf("d%zu", i);
		g_autoptr(GBytes) bytes = text_of(sizes[i]);
		g_assert_true(blobs_put(f->d, "r", digest, bytes, NULL));
		g_assert_cmpint(blobs_size(f->d, digest), ==, (int64_t)sizes[i]);
		g_autoptr(GBytes) back = blobs_get(f->d, digest);
		g_assert_true(g_bytes_equal(back, bytes));
	}
	g_assert_cmpint(stored(f, "d7"), <, BLOBS_PART); /* compressed */
	g_assert_cmpint(blobs_size(f->d, "none"), ==, -1);
	g_assert_null(blobs_get(f->d, "none"));
}

static void test_ranges(struct fixture *f, gconstpointer data)
{
	g_autoptr(GBytes) bytes = text_of(2 * BLOBS_PART + 5);
	const uint8_t *all = g_bytes_get_data(bytes, NULL);
	g_assert_true(blobs_put(f->d, "r", "d", bytes, NULL));
	static const int64_t offsets[] = {0, 7, BLOBS_PART - 1, BLOBS_PART, 2 * BLOBS_PART, 2 * BLOBS_PART + 4};
	for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++) {
		g_autoptr(GBytes) part = blobs_read(f->d, "d", offsets[i], NULL);
		size_t n = g_bytes_get_size(part);
		g_assert_cmpuint(n, ==, MIN(BLOBS_PART - offsets[i] % BLOBS_PART, 2 * BLOBS_PART + 5 - offsets[i]));
		g_assert_cmpmem(g_bytes_get_data(part, NULL), n, all + offsets[i], n);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(blobs_read(f->d, "d", 2 * BLOBS_PART + 5, &error));
	g_assert_true(error_is(error, ERROR_DATA_LOSS));
}

static void test_damage(struct fixture *f, gconstpointer data)
{
	g_autoptr(GBytes) bytes = text_of(BLOBS_PART);
	g_assert_true(blobs_put(f->d, "r", "d", bytes, NULL));
	g_assert_true(db_run(f->d, "UPDATE blobs SET bytes = x'00112233'", NULL, ""));
	g_autoptr(GError) error = NULL;
	g_assert_null(blobs_get(f->d, "d"));
	g_autoptr(GBytes) part = blobs_read(f->d, "d", 8, &error);
	g_assert_null(part);
	g_assert_nonnull(error);
}

/* A blob goes with its record. */
static void test_delete(struct fixture *f, gconstpointer data)
{
	g_autoptr(GBytes) bytes = text_of(2 * BLOBS_PART);
	g_assert_true(blobs_put(f->d, "r", "d", bytes, NULL));
	g_assert_true(db_run(f->d, "DELETE FROM records", NULL, ""));
	g_assert_cmpint(blobs_size(f->d, "d"), ==, -1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/blobs/sizes", struct fixture, NULL, setup, test_sizes, teardown);
	g_test_add("/blobs/ranges", struct fixture, NULL, setup, test_ranges, teardown);
	g_test_add("/blobs/damage", struct fixture, NULL, setup, test_damage, teardown);
	g_test_add("/blobs/delete", struct fixture, NULL, setup, test_delete, teardown);
	return g_test_run();
}
