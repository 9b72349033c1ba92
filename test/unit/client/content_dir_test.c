/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and unfinished writes of an OCI layout directory. */
#include "client/content_dir.h"
#include "lib/tree_dir.h"
#include <glib/gstdio.h>

struct fixture {
	char *path;
	int fd;
	struct content_dir *dir;
};

static void setup(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	f->path = tree_dir_new(&f->fd);
	f->dir = content_dir_open(f->path, true, &error);
	g_assert_no_error(error);
}

static void teardown(struct fixture *f, gconstpointer data)
{
	content_dir_free(f->dir);
	tree_dir_free(f->path, f->fd);
}

static void expect_error(GError **error, enum error_code code, const char *text)
{
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, text);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}

static void test_write(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct content_writer w;
	struct digest expected, digest;
	struct stat st;
	digest_of_text("hello world", &expected);
	g_autofree char *not_found = g_strdup_printf("content %s: not found", expected.text);
	g_assert_cmpint(content_dir_find(f->dir, expected.text, &st, &error), ==, -1);
	expect_error(&error, ERROR_NOT_FOUND, not_found);
	g_assert_true(content_dir_begin(f->dir, "ref", &w, &error));
	g_assert_true(content_writer_write(&w, "hello ", 6, &error));
	g_assert_true(content_writer_write(&w, "world", 5, &error));
	g_assert_cmpint(w.offset, ==, 11);
	g_assert_cmpint(content_dir_find(f->dir, expected.text, &st, NULL), ==, -1); /* not before the commit */
	g_assert_true(content_writer_commit(&w, 11, expected.text, &digest, &error));
	g_assert_cmpstr(digest.text, ==, expected.text);
	content_writer_clear(&w);
	scoped_fd fd = content_dir_find(f->dir, expected.text, &st, &error);
	g_assert_no_error(error);
	g_assert_cmpint(st.st_size, ==, 11);
	g_assert_cmpint(st.st_mode & 07777, ==, 0444);
	g_autofree char *name = g_strdup_printf("blobs/sha256/%s", digest_hex(&digest)),
			*bytes = tree_dir_read(f->fd, name);
	g_assert_cmpstr(bytes, ==, "hello world");
}

static void test_commit_refused(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct content_writer w;
	struct digest wanted, found, digest;
	struct stat st;
	digest_of_text("other", &wanted);
	digest_of_text("bytes", &found);
	g_assert_true(content_dir_begin(f->dir, "ref", &w, &error));
	g_assert_true(content_writer_write(&w, "bytes", 5, &error));
	g_assert_false(content_writer_commit(&w, 6, "", &digest, &error));
	expect_error(&error, ERROR_FAILED_PRECONDITION, "unexpected commit size 5, expected 6: failed precondition");
	g_assert_false(content_writer_commit(&w, 5, wanted.text, &digest, &error));
	g_autofree char *text = g_strdup_printf("unexpected commit digest %s, expected %s: failed precondition",
						found.text, wanted.text);
	expect_error(&error, ERROR_FAILED_PRECONDITION, text);
	g_assert_cmpint(content_dir_find(f->dir, found.text, &st, NULL), ==, -1);
	g_assert_true(content_writer_truncate(&w, &error));
	g_assert_cmpint(w.offset, ==, 0);
	g_assert_true(content_writer_write(&w, "other", 5, &error));
	g_assert_true(content_writer_commit(&w, 0, wanted.text, &digest, &error));
	content_writer_clear(&w);
}

/* A later writer continues; one at a time. */
static void test_resume(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct content_writer w, second;
	struct digest expected, digest;
	struct stat st;
	digest_of_text("one two", &expected);
	g_assert_false(content_dir_status(f->dir, "ref", &st, &error));
	expect_error(&error, ERROR_NOT_FOUND, "ref ref: not found");
	g_assert_true(content_dir_begin(f->dir, "ref", &w, &error));
	g_assert_true(content_writer_write(&w, "one ", 4, &error));
	g_assert_false(content_dir_begin(f->dir, "ref", &second, &error));
	expect_error(&error, ERROR_UNAVAILABLE, "ref ref locked: unavailable");
	content_writer_clear(&w);
	g_assert_true(content_dir_status(f->dir, "ref", &st, &error));
	g_assert_cmpint(st.st_size, ==, 4);
	g_assert_true(content_dir_begin(f->dir, "ref", &w, &error));
	g_assert_cmpint(w.offset, ==, 4);
	g_assert_true(content_writer_write(&w, "two", 3, &error));
	g_assert_true(content_writer_commit(&w, 7, expected.text, &digest, &error));
	content_writer_clear(&w);
	g_assert_false(content_dir_status(f->dir, "ref", &st, &error));
	expect_error(&error, ERROR_NOT_FOUND, "ref ref: not found");

	g_assert_true(content_dir_begin(f->dir, "gone", &w, &error));
	content_writer_clear(&w);
	g_assert_true(content_dir_abort(f->dir, "gone", &error));
	g_assert_false(content_dir_abort(f->dir, "gone", &error));
	expect_error(&error, ERROR_NOT_FOUND, "ref gone: not found");
}

/* Only validated digests are opened, and only regular files below the directory. */
static void test_hostile(struct fixture *f, gconstpointer data)
{
	static const char *const bad[] = {"", "sha256:../../x", "sha256:1", "../etc/passwd"};
	g_autoptr(GError) error = NULL;
	struct digest digest;
	struct stat st;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_cmpint(content_dir_find(f->dir, bad[i], &st, &error), ==, -1);
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
		g_clear_error(&error);
	}
	digest_of_text("x", &digest);
	g_autofree char *name = g_strdup_printf("blobs/sha256/%s", digest_hex(&digest)),
			*text = g_strdup_printf("content %s: not found", digest.text);
	g_assert_cmpint(mkdirat(f->fd, "blobs", 0755), ==, 0);
	g_assert_cmpint(mkdirat(f->fd, "blobs/sha256", 0755), ==, 0);
	g_assert_cmpint(symlinkat("/proc/self/status", f->fd, name), ==, 0); /* outside */
	g_assert_cmpint(content_dir_find(f->dir, digest.text, &st, &error), ==, -1);
	expect_error(&error, ERROR_NOT_FOUND, text);
	g_assert_cmpint(unlinkat(f->fd, name, 0), ==, 0);
	g_assert_cmpint(mkfifoat(f->fd, name, 0600), ==, 0);
	g_assert_cmpint(content_dir_find(f->dir, digest.text, &st, &error), ==, -1);
	expect_error(&error, ERROR_NOT_FOUND, text);
	g_assert_null(content_dir_open("/no/such/directory", false, &error));
	expect_error(&error, ERROR_NOT_FOUND, "open /no/such/directory: no such file or directory");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/content_dir/write", struct fixture, NULL, setup, test_write, teardown);
	g_test_add("/content_dir/commit-refused", struct fixture, NULL, setup, test_commit_refused, teardown);
	g_test_add("/content_dir/resume", struct fixture, NULL, setup, test_resume, teardown);
	g_test_add("/content_dir/hostile", struct fixture, NULL, setup, test_hostile, teardown);
	return g_test_run();
}
