/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cache_rig.h"
#include "base/thread.h"
#include "lib/outcome.h"

static void test_commit(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "one", "1");
	g_assert_false(cache_ref_is_mutable(a));
	g_assert_cmpstr(cache_ref_description(a), ==, "a test");
	g_autoptr(cache_ref) b = rig_record(g, a, "two", "2");
	g_assert_true(cache_ref_parent(b) == a);
	rig_expect(g, b, "one", "1");
	rig_expect(g, b, "two", "2");
	rig_expect(g, a, "two", NULL);
	rig_expect(g, NULL, "one", NULL);
	g_autoptr(cache_ref) same = cache_get(g->c, cache_ref_id(b), NULL);
	g_assert_true(same == b);
	GError *error = NULL;
	g_assert_cmpint(cache_ref_open_tree(g->c, a, CACHE_TREE_WRITE, NULL, &error), ==, -1);
	g_assert_error(error, error_domain(), ERROR_FAILED_PRECONDITION);
	g_clear_error(&error);
	g_assert_null(cache_get(g->c, "nosuch", &error));
	g_assert_error(error, error_domain(), ERROR_NOT_FOUND);
	g_clear_error(&error);
}

static void test_untouched_child(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) b = rig_commit(rig_mutable(g, a, CACHE_POLICY_DEFAULT, NULL));
	g_assert_true(a != b);
	rig_expect(g, b, "one", "1");
}

static void test_mounts(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "one", "1");
	g_autoptr(cache_ref) b = rig_record(g, a, "two", "2");
	for (int i = 0; i < 2; i++) {
		cache_ref *r = i ? b : a;
		scoped_fd m = rig_tree(g, r, CACHE_TREE_MOUNT);
		scoped_fd n = rig_tree(g, r, CACHE_TREE_MOUNT);
		g_autofree char *text = tree_dir_read(n, "one");
		g_assert_cmpstr(text, ==, "1");
		g_assert_cmpint(openat(m, "x", O_WRONLY | O_CREAT, 0644), <, 0);
		g_assert_cmpint(errno, ==, EROFS);
	}
	g_autoptr(cache_ref) m = rig_mutable(g, b, CACHE_POLICY_DEFAULT, NULL);
	scoped_fd w = rig_tree(g, m, CACHE_TREE_MOUNT | CACHE_TREE_WRITE);
	tree_dir_write(w, "three", "3");
	rig_expect(g, m, "three", "3");
	scoped_fd locked = rig_tree(g, m, CACHE_TREE_MOUNT);
	g_assert_cmpint(openat(locked, "x", O_WRONLY | O_CREAT, 0644), <, 0);
	scoped_fd empty = rig_tree(g, NULL, CACHE_TREE_MOUNT);
	g_assert_cmpint(openat(empty, "x", O_WRONLY | O_CREAT, 0644), <, 0);
}

/* It goes with its last user, be it a ref or a child. */
static void test_temporary(struct rig *g, gconstpointer unused)
{
	cache_ref *kept = rig_record(g, NULL, "one", "1");
	cache_ref *t = rig_record(g, kept, "two", "2");
	cache_ref_set_temporary(t);
	cache_ref *child = rig_mutable(g, t, CACHE_POLICY_DEFAULT, NULL);
	cache_ref_unref(kept);
	cache_ref_unref(t);
	rig_expect(g, child, "two", "2");
	g_assert_cmpuint(rig_usage(g), ==, 3);
	cache_ref_unref(child);
	g_assert_cmpuint(rig_usage(g), ==, 1);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_cmpuint(rig_count(g, "snapshots"), ==, 0);
}

static void test_forgotten_mutable(struct rig *g, gconstpointer unused)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
	g_autofree char *id = g_strdup(cache_ref_id(m));
	rig_write(g, m, "x", "1");
	g_assert_cmpuint(rig_count(g, "work"), ==, 1);
	cache_ref_unref(m);
	g_assert_null(cache_get(g->c, id, NULL));
	g_assert_cmpuint(rig_usage(g), ==, 0);
	rig_prune(g, &(struct cache_prune_options){.all = true}, NULL);
	g_assert_cmpuint(rig_count(g, "work"), ==, 0);
	g_assert_cmpuint(rig_count(g, "trash"), ==, 0);
}

static void expect_locked(struct rig *g, const char *id)
{
	GError *error = NULL;
	g_assert_null(cache_get_mutable(g->c, id, &error));
	g_assert_error(error, error_domain(), ERROR_FAILED_PRECONDITION);
	g_assert_true(strstr(error->message, "locked") != NULL);
	g_clear_error(&error);
}

static cache_ref *twin(cache_ref *m)
{
	GError *error = NULL;
	cache_ref *r = cache_commit_twin(m, NULL, &error);
	g_assert_no_error(error);
	return r;
}

static void test_twins(struct rig *g, gconstpointer unused)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "source.local");
	g_autofree char *id = g_strdup(cache_ref_id(m));
	rig_write(g, m, "x", "1");
	expect_locked(g, id);
	cache_ref *i = twin(m);
	g_autofree char *twin_id = g_strdup(cache_ref_id(i));
	rig_expect(g, i, "x", "1");
	expect_locked(g, id);
	g_assert_cmpuint(rig_usage(g), ==, 1);        /* a pair is one row */
	cache_ref *again = cache_get(g->c, id, NULL); /* the mutable one's id leads to the twin */
	g_assert_true(again == i);
	cache_ref_unref(again);
	cache_ref_unref(i);
	g_assert_cmpuint(rig_usage(g), ==, 1);
	m = cache_get_mutable(g->c, id, NULL);
	g_assert_nonnull(m);
	g_assert_null(cache_get(g->c, twin_id, NULL)); /* its twin is gone */
	GError *error = NULL;
	g_assert_null(cache_get(g->c, id, &error));
	g_assert_error(error, error_domain(), ERROR_FAILED_PRECONDITION);
	g_clear_error(&error);
	rig_write(g, m, "x", "2");
	i = twin(m);
	rig_expect(g, i, "x", "2");
	/* A child ends the mutable record: the tree may not change any more. */
	g_autoptr(cache_ref) child = rig_record(g, i, "y", "3");
	g_assert_null(cache_get_mutable(g->c, id, &error));
	g_assert_error(error, error_domain(), ERROR_NOT_FOUND);
	g_clear_error(&error);
	rig_expect(g, child, "x", "2");
	cache_ref_unref(i);
}

/* As a step waits for a locked cache mount; ends with the writer's ref. */
struct wait {
	struct rig *rig;
	const char *id;
	cancel *c;
	gint tries; /* atomic */
	cache_ref *got;
};

static gpointer wait_for_record(gpointer data)
{
	struct wait *w = data;
	do {
		uint64_t seen = cache_releases(w->rig->c);
		w->got = cache_get_mutable(w->rig->c, w->id, NULL);
		g_atomic_int_inc(&w->tries);
		if (w->got || !cache_wait_release(w->rig->c, seen, w->c, NULL))
			return NULL;
	} while (true);
}

static void wait_case(struct rig *g, cache_ref *m, bool give)
{
	g_autofree char *id = g_strdup(cache_ref_id(m));
	g_autoptr(cancel) c = cancel_new(NULL);
	struct wait w = {.rig = g, .id = id, .c = c};
	GThread *thread = thread_start("wait", wait_for_record, &w, NULL);
	while (g_atomic_int_get(&w.tries) == 0)
		g_thread_yield();
	if (give)
		cache_ref_unref(m);
	else
		cancel_set(c, ERROR_CANCELED, NULL);
	g_thread_join(thread);
	g_assert_true((w.got != NULL) == give);
	cache_ref_unref(give ? w.got : m);
}

static void test_wait_release(struct rig *g, gconstpointer unused)
{
	for (int i = 0; i < 20; i++) {
		wait_case(g, rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "exec.cachemount"), true);
		wait_case(g, rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "exec.cachemount"), false);
	}
}

static void test_retained(struct rig *g, gconstpointer unused)
{
	cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_RETAIN, "exec.cachemount");
	g_autofree char *id = g_strdup(cache_ref_id(m));
	cache_ref_set_name(m, "cache-dir:x", NULL);
	cache_ref_set_value(m, "k", "v\0w", 3, NULL);
	rig_write(g, m, "x", "1");
	cache_ref_unref(m);
	rig_reopen(g);
	g_auto(GStrv) ids = cache_find_named(g->c, "cache-dir:x");
	g_assert_cmpuint(g_strv_length(ids), ==, 1);
	g_assert_cmpstr(ids[0], ==, id);
	m = cache_get_mutable(g->c, id, NULL);
	g_assert_nonnull(m);
	g_autoptr(GBytes) value = cache_ref_get_value(m, "k");
	g_assert_cmpmem(g_bytes_get_data(value, NULL), g_bytes_get_size(value), "v\0w", 3);
	rig_expect(g, m, "x", "1");
	/* no-cache: the running build keeps it, the next does not find it */
	cache_forget_named(g->c, "cache-dir:", true);
	g_auto(GStrv) none = cache_find_named(g->c, "cache-dir:x");
	g_assert_cmpuint(g_strv_length(none), ==, 0);
	rig_expect(g, m, "x", "1");
	cache_ref_unref(m);
	g_assert_null(cache_get_mutable(g->c, id, NULL));
	/* one that is made to stay later */
	m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, "internal");
	assert_succeeds(cache_ref_set_policy(m, CACHE_POLICY_RETAIN, &failure));
	rig_write(g, m, "x", "2");
	g_autofree char *kept = g_strdup(cache_ref_id(m));
	cache_ref_unref(m);
	rig_reopen(g);
	m = cache_get_mutable(g->c, kept, NULL);
	rig_expect(g, m, "x", "2");
	cache_ref_unref(m);
}

static void test_names(struct rig *g, gconstpointer unused)
{
	g_autoptr(cache_ref) a = rig_record(g, NULL, "x", "1");
	g_autoptr(cache_ref) b = rig_record(g, NULL, "x", "2");
	cache_ref_set_name(a, "n", NULL);
	cache_ref_set_name(b, "n", NULL);
	cache_ref_set_name(b, "n", NULL);
	g_auto(GStrv) both = cache_find_named(g->c, "n");
	g_assert_cmpuint(g_strv_length(both), ==, 2);
	g_assert_cmpstr(both[0], ==, cache_ref_id(b));
	cache_ref_clear_names(b);
	g_auto(GStrv) one = cache_find_named(g->c, "n");
	g_assert_cmpuint(g_strv_length(one), ==, 1);
	g_auto(GStrv) none = cache_find_named(g->c, "m");
	g_assert_cmpuint(g_strv_length(none), ==, 0);
}

static void test_checksum(struct rig *g, gconstpointer unused)
{
	struct digest d, e;
	GError *error = NULL;
	const struct contenthash_selector all = {.path = "/"}, one = {.path = "x"};
	const struct contenthash_selector two[] = {one, all};
	g_assert_true(cache_ref_checksum(g->c, NULL, &all, 1, NULL, &d, &error));
	digest_of("", 0, &e);
	g_assert_cmpstr(d.text, ==, e.text);
	g_assert_false(cache_ref_checksum(g->c, NULL, &one, 1, NULL, &d, &error));
	g_assert_cmpstr(error->message, ==, "x: no such file or directory");
	g_clear_error(&error);
	g_autoptr(cache_ref) a = rig_record(g, NULL, "x", "data0");
	g_autoptr(cache_ref) b = rig_record(g, a, "y", "data1");
	g_assert_true(cache_ref_checksum(g->c, b, &one, 1, NULL, &d, &error));
	g_assert_cmpstr(d.text, ==, "sha256:cd8e75bca50f2d695f220d0cb0997d8ead387e4f926e8669a92d7f104cc9885b");
	g_autoptr(GString) text = g_string_new(d.text);
	g_string_append_c(text, '\0');
	g_assert_true(cache_ref_checksum(g->c, b, &all, 1, NULL, &e, &error));
	g_string_append(text, e.text);
	struct digest want;
	digest_of(text->str, text->len, &want);
	g_assert_true(cache_ref_checksum(g->c, b, two, 2, NULL, &d, &error));
	g_assert_cmpstr(d.text, ==, want.text);
}

static void test_commit_is_fast(struct rig *g, gconstpointer unused)
{
	gint64 total = 0, worst = 0;
	for (int i = 0; i < 200; i++) {
		cache_ref *m = rig_mutable(g, NULL, CACHE_POLICY_DEFAULT, NULL);
		rig_write(g, m, "x", "1");
		gint64 start = g_get_monotonic_time();
		cache_ref_unref(rig_commit(m));
		gint64 took = g_get_monotonic_time() - start;
		total += took;
		worst = MAX(worst, took);
	}
	g_test_message("commit: %" G_GINT64_FORMAT " us on average, %" G_GINT64_FORMAT " us at worst", total / 200,
		       worst);
}

int main(int argc, char **argv)
{
	static const char *const snapshotters[] = {"auto", "native"};
	static const struct {
		const char *name;
		void (*fn)(struct rig *g, gconstpointer unused);
	} tests[] = {
		{"commit", test_commit},
		{"untouched", test_untouched_child},
		{"temporary", test_temporary},
		{"mounts", test_mounts},
		{"forgotten", test_forgotten_mutable},
		{"twins", test_twins},
		{"retained", test_retained},
		{"names", test_names},
		{"checksum", test_checksum},
		{"speed", test_commit_is_fast},
		{"wait-release", test_wait_release},
	};
	g_test_init(&argc, &argv, NULL);
	for (size_t s = 0; s < G_N_ELEMENTS(snapshotters); s++)
		for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
			g_autofree char *path = g_strdup_printf("/record/%s/%s", snapshotters[s], tests[i].name);
			g_test_add(path, struct rig, snapshotters[s], rig_set_up, tests[i].fn, rig_tear_down);
		}
	return g_test_run();
}
