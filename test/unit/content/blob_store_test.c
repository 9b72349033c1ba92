/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_store.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include "base/scope.h"
#include "lib/event.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
	char *top;
	int root;
	blob_store *store;
};

static void set_up(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	f->top = g_dir_make_tmp("blob-test-XXXXXX", NULL);
	f->root = open(f->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->store = blob_store_open(f->root, &error);
	g_assert_no_error(error);
}

static void tear_down(struct fixture *f, gconstpointer data)
{
	blob_store_close(f->store);
	close(f->root);
	assert_succeeds(tree_remove_at(AT_FDCWD, f->top, &failure));
	g_free(f->top);
}

static int64_t inodes(struct fixture *f)
{
	int64_t bytes, n;
	assert_succeeds(tree_usage(f->root, &bytes, &n, &failure));
	return n;
}

static void test_put_and_read(struct fixture *f, gconstpointer data)
{
	struct digest d;
	g_autoptr(GError) error = NULL;
	g_assert_true(blob_store_put(f->store, "abc", 3, &d, &error));
	g_assert_true(blob_store_put(f->store, "abc", 3, &d, &error));
	g_assert_cmpstr(digest_hex(&d), ==, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	g_assert_cmpint(blob_store_size(f->store, &d), ==, 3);
	g_autoptr(GBytes) bytes = blob_store_read(f->store, &d, 3, &error);
	g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "abc", 3);
	g_assert_null(blob_store_read(f->store, &d, 2, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_clear_error(&error);
	digest_of("x", 1, &d);
	g_assert_cmpint(blob_store_find(f->store, &d, &error), ==, -1);
	g_assert_no_error(error);
	g_assert_null(blob_store_read(f->store, &d, 2, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_clear_error(&error);
	g_assert_true(blob_store_put(f->store, "", 0, &d, &error));
	g_assert_cmpint(blob_store_size(f->store, &d), ==, 0);
	struct stat st;
	g_assert_cmpint(fstatat(f->root, "content/blobs/sha256", &st, 0), ==, 0);
	g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0700);
}

static void test_mismatch_keeps_nothing(struct fixture *f, gconstpointer data)
{
	struct digest d;
	g_autoptr(GError) error = NULL;
	digest_of("expected", 8, &d);
	int64_t before = inodes(f);
	{
		g_autoptr(blob_writer) w = blob_store_write(f->store, &d, 100, &error);
		g_assert_true(blob_writer_append(w, "something else", 14, &error));
		g_assert_false(blob_writer_commit(w, NULL, &error));
		g_assert_true(error_is(error, ERROR_DATA_LOSS));
	}
	g_assert_cmpint(inodes(f), ==, before);
	g_assert_false(blob_store_has(f->store, &d));
}

static void test_ceiling_and_reset(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct digest d, want;
	g_autoptr(blob_writer) w = blob_store_write(f->store, NULL, 4, &error);
	g_assert_true(blob_writer_append(w, "four", 4, &error));
	g_assert_false(blob_writer_append(w, "x", 1, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_clear_error(&error);
	g_assert_true(blob_writer_reset(w, &error));
	g_assert_true(blob_writer_append(w, "new", 3, &error));
	g_assert_cmpuint(blob_writer_size(w), ==, 3);
	g_assert_true(blob_writer_commit(w, &d, &error));
	digest_of("new", 3, &want);
	g_assert_cmpstr(d.text, ==, want.text);
	g_autoptr(GBytes) bytes = blob_store_read(f->store, &d, 10, &error);
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, 3);
}

static void test_other_algorithms(struct fixture *f, gconstpointer data)
{
	g_autoptr(hasher) h = hasher_new("sha512");
	struct digest d;
	g_autoptr(GError) error = NULL;
	hasher_update(h, "abc", 3);
	hasher_finish(h, &d);
	g_autoptr(blob_writer) w = blob_store_write(f->store, &d, 3, &error);
	g_assert_true(blob_writer_append(w, "abc", 3, &error));
	g_assert_true(blob_writer_commit(w, NULL, &error));
	g_assert_true(blob_store_has(f->store, &d));
}

/* A process that is killed while it writes leaves no data. */
static void test_killed_writer(struct fixture *f, gconstpointer data)
{
	int64_t before = inodes(f);
	int ready[2];
	g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
	pid_t pid = fork();
	if (pid == 0) {
		blob_writer *w = blob_store_write(f->store, NULL, 1 << 20, NULL);
		bool ok = w && blob_writer_append(w, "half", 4, NULL);
		if (write(ready[1], ok ? "y" : "n", 1) == 1)
			pause();
		_exit(1);
	}
	char answer;
	g_assert_cmpint(read(ready[0], &answer, 1), ==, 1);
	g_assert_cmpint(answer, ==, 'y');
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	g_assert_cmpint(inodes(f), ==, before);
}

static bool keep_one(const struct digest *digest, void *data)
{
	return digest_equal(digest, data);
}

static void test_sweep(struct fixture *f, gconstpointer data)
{
	struct digest kept, held, gone;
	blob_store_put(f->store, "kept", 4, &kept, NULL);
	blob_store_put(f->store, "held", 4, &held, NULL);
	blob_store_put(f->store, "gone", 4, &gone, NULL);
	blob_store_hold(f->store, &held);
	blob_store_hold(f->store, &held);
	blob_store_release(f->store, &held);
	g_assert_cmpint(blob_store_sweep(f->store, keep_one, &kept), >, 0);
	g_assert_true(blob_store_has(f->store, &kept));
	g_assert_true(blob_store_has(f->store, &held));
	g_assert_false(blob_store_has(f->store, &gone));
	blob_store_release(f->store, &held);
	blob_store_sweep(f->store, keep_one, &kept);
	g_assert_false(blob_store_has(f->store, &held));
}

static void test_reopen(struct fixture *f, gconstpointer data)
{
	struct digest d;
	blob_store_put(f->store, "x", 1, &d, NULL);
	scoped_fd left = openat(f->root, "content/blobs/sha256/tmp-left", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	blob_store_close(f->store);
	f->store = blob_store_open(f->root, NULL);
	g_assert_true(blob_store_has(f->store, &d));
	g_assert_cmpint(faccessat(f->root, "content/blobs/sha256/tmp-left", F_OK, 0), ==, -1);
}

static gpointer put_many(gpointer data)
{
	struct fixture *f = data;
	for (int i = 0; i < 200; i++) {
		g_autofree char *text = g_strdup_printf("blob %d", i % 50);
		struct digest d;
		assert_succeeds(blob_store_put(f->store, text, strlen(text), &d, &failure));
		blob_store_hold(f->store, &d);
		blob_store_release(f->store, &d);
	}
	return NULL;
}

static void test_concurrent(struct fixture *f, gconstpointer data)
{
	GThread *threads[4];
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("put", put_many, f);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(inodes(f), ==, 1 + 2 + 3 + 50);
}

/* ---- providers */

struct slow {
	gint fetches, freed;
	struct event begun, go_on;
};

static bool slow_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		       GError **error)
{
	struct slow *s = self;
	g_atomic_int_inc(&s->fetches);
	event_raise(&s->begun);
	event_wait(&s->go_on, 1);
	return blob_store_put(into, "remote", 6, NULL, error);
}

static void slow_free(void *self)
{
	struct slow *s = self;
	s->freed++;
}

static const struct blob_provider_class slow_class = {.fetch = slow_fetch, .free = slow_free};

struct fetching {
	blob_provider *provider;
	blob_store *store;
	struct digest digest;
	cancel *cancel;
};

static gpointer fetch_thread(gpointer data)
{
	struct fetching *g = data;
	struct work work = {.cancel = g->cancel};
	return GINT_TO_POINTER(blob_provider_fetch(g->provider, g->store, &g->digest, 6, &work, NULL));
}

static void test_single_flight(struct fixture *f, gconstpointer data)
{
	struct slow slow = {0};
	g_autoptr(cancel) c = cancel_new(NULL);
	struct fetching g = {blob_provider_new(&slow_class, &slow), f->store, {""}, NULL}, canceled;
	digest_of("remote", 6, &g.digest);
	canceled = g;
	canceled.cancel = c;
	GThread *threads[4];
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("fetch", fetch_thread, &g);
	event_wait(&slow.begun, 1);
	GThread *impatient = g_thread_new("fetch", fetch_thread, &canceled);
	cancel_set(c, ERROR_CANCELED, NULL);
	g_assert_false(GPOINTER_TO_INT(g_thread_join(impatient)));
	event_raise(&slow.go_on);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_assert_true(GPOINTER_TO_INT(g_thread_join(threads[i])));
	g_assert_cmpint(slow.fetches, ==, 1);
	g_assert_true(blob_store_has(f->store, &g.digest));
	const char *host, *repository;
	g_assert_false(blob_provider_origin(g.provider, &host, &repository));
	blob_provider_unref(blob_provider_ref(g.provider));
	g_assert_cmpint(slow.freed, ==, 0);
	blob_provider_unref(g.provider);
	g_assert_cmpint(slow.freed, ==, 1);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct fixture *, gconstpointer);
	} tests[] = {
		{"/blob-store/put-and-read", test_put_and_read},
		{"/blob-store/mismatch", test_mismatch_keeps_nothing},
		{"/blob-store/ceiling-and-reset", test_ceiling_and_reset},
		{"/blob-store/other-algorithms", test_other_algorithms},
		{"/blob-store/killed-writer", test_killed_writer},
		{"/blob-store/sweep", test_sweep},
		{"/blob-store/reopen", test_reopen},
		{"/blob-store/concurrent", test_concurrent},
		{"/blob-provider/single-flight", test_single_flight},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].name, struct fixture, NULL, set_up, tests[i].run, tear_down);
	return g_test_run();
}
