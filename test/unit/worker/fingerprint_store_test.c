/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fingerprint_store.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <glib/gstdio.h>

struct fixture {
	char *path;
	int root;
	fingerprint_store *s;
};

static void reopen(struct fixture *f)
{
	g_autoptr(GError) error = NULL;
	g_clear_pointer(&f->s, fingerprint_store_close);
	f->s = fingerprint_store_open(f->root, &error);
	g_assert_no_error(error);
}

static void set_up(struct fixture *f, gconstpointer unused)
{
	f->path = g_dir_make_tmp("fingerprints-XXXXXX", NULL);
	f->root = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->s = NULL;
	reopen(f);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	fingerprint_store_close(f->s);
	assert_succeeds(tree_remove_contents(f->root, &failure));
	close(f->root);
	g_rmdir(f->path);
	g_free(f->path);
}

static void add(struct fixture *f, const char *identity, const char *ref, size_t n)
{
	g_autofree char *text = g_strnfill(n, 'x');
	g_autoptr(GBytes) bytes = g_bytes_new(text, n);
	fingerprint_store_add(f->s, &(struct fingerprint_row){.identity = (char *)identity,
							      .ref = (char *)ref,
							      .name = (char *)"RUN x",
							      .reason = (char *)"",
							      .created_ns = 5,
							      .bytes = bytes});
}

static guint count(GPtrArray *rows /* takes ownership */)
{
	guint n = rows->len;
	g_ptr_array_unref(rows);
	return n;
}

static void test_rows(struct fixture *f, gconstpointer unused)
{
	g_assert_null(fingerprint_store_last_build(f->s));
	for (int i = 0; i < FINGERPRINTS_PER_STEP + 3; i++) {
		g_autofree char *ref = g_strdup_printf("build%d", i);
		add(f, "a", ref, 10);
		add(f, "b", "one", 10);
	}
	g_autoptr(GPtrArray) rows = fingerprint_store_find(f->s, "a", 2);
	g_assert_cmpuint(rows->len, ==, 2); /* pending rows are found, too */
	g_assert_cmpstr(((struct fingerprint_row *)rows->pdata[0])->ref, ==, "build10");
	g_assert_cmpstr(((struct fingerprint_row *)rows->pdata[1])->ref, ==, "build9");
	g_assert_cmpuint(count(fingerprint_store_find(f->s, "a", 100)), ==, FINGERPRINTS_PER_STEP);
	g_assert_cmpuint(count(fingerprint_store_of_build(f->s, "build0")), ==, 0);
	g_assert_cmpuint(count(fingerprint_store_of_build(f->s, "one")), ==, FINGERPRINTS_PER_STEP);
	reopen(f);
	g_assert_cmpuint(count(fingerprint_store_find(f->s, "a", 100)), ==, FINGERPRINTS_PER_STEP);
	g_autofree char *last = fingerprint_store_last_build(f->s);
	g_assert_cmpstr(last, ==, "one");
}

/* The numbers of rows and bytes are limited. */
static void test_bounds(struct fixture *f, gconstpointer unused)
{
	for (int i = 0; i < 1024; i++) {
		g_autofree char *identity = g_strdup_printf("i%d", i);
		add(f, identity, "large", 100 * 1024);
	}
	guint n = count(fingerprint_store_of_build(f->s, "large"));
	g_assert_cmpuint(n, <=, FINGERPRINTS_BYTES / (100 * 1024));
	g_assert_cmpuint(n, >=, 400);
}

/* Also over several starts that each add a little. */
static void test_bounds_of_starts(struct fixture *f, gconstpointer unused)
{
	for (int i = 0; i < 15; i++) {
		for (int k = 0; k < 7; k++) {
			g_autofree char *identity = g_strdup_printf("i%d.%d", i, k);
			add(f, identity, "large", 1024 * 1024);
		}
		reopen(f);
	}
	guint n = count(fingerprint_store_of_build(f->s, "large"));
	g_assert_cmpuint(n, <=, FINGERPRINTS_BYTES / (1024 * 1024));
	g_assert_cmpuint(n, >=, 40);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/fingerprint-store/rows", struct fixture, NULL, set_up, test_rows, tear_down);
	g_test_add("/fingerprint-store/bounds", struct fixture, NULL, set_up, test_bounds, tear_down);
	g_test_add("/fingerprint-store/bounds-of-starts", struct fixture, NULL, set_up, test_bounds_of_starts,
		   tear_down);
	return g_test_run();
}
