/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/key_store.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <glib/gstdio.h>

static char *root;
static int root_fd;

static void setup(void)
{
	root = g_dir_make_tmp("keys-XXXXXX", NULL);
	root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(root_fd, >=, 0);
}

static guint count_files(const char *prefix)
{
	guint n = 0;
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
		n += g_str_has_prefix(name, prefix);
	return n;
}

static void teardown(void)
{
	g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir)) {
		g_autofree char *path = g_build_filename(root, name, NULL);
		g_unlink(path);
	}
	g_rmdir(root);
	close(root_fd);
	g_free(root);
}

static key_store *open_store(void)
{
	g_autoptr(GError) error = NULL;
	key_store *k = key_store_open(root_fd, &error);
	g_assert_no_error(error);
	return k;
}

static const struct key_link link_a = {.input = 0, .output = 0, .digest = "sha256:a", .selector = ""};
static const struct key_link link_b = {.input = 1, .output = 0, .digest = "sha256:a", .selector = "sha256:s"};

static guint find_count(key_store *k, const char *from, const struct key_link *link)
{
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	key_store_find(k, from, link, found);
	return g_hash_table_size(found);
}

static guint result_count(key_store *k, const char *key)
{
	g_autoptr(GArray) results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
	key_store_results(k, key, results);
	for (guint i = 0; i < results->len; i++)
		g_free(g_array_index(results, struct key_result, i).id);
	return results->len;
}

/* Ids of the solver as upstream computes them. */
static void test_ids(void)
{
	g_autofree char *key = key_root("sha256:a", 0), *content = key_root("sha256:a", -1),
			*session = key_root("random:a", 0);
	struct digest d;
	digest_of_text("sha256:a@0", &d);
	g_assert_cmpstr(key, ==, d.text);
	digest_of_text("sha256:a@-1", &d);
	g_assert_cmpstr(content, ==, d.text);
	digest_of_text("random:a@0", &d);
	g_assert_true(key_is_session_only(session));
	g_assert_cmpstr(session + strlen("random:"), ==, digest_hex(&d));
	g_autofree char *fresh = key_new(false), *fresh_session = key_new(true);
	g_assert_false(key_is_session_only(fresh));
	g_assert_true(key_is_session_only(fresh_session));
}

static void test_survives(void)
{
	setup();
	key_store *k = open_store();
	key_store_add_link(k, "x", &link_a, "y");
	key_store_add_link(k, "x", &link_a, "z");
	key_store_add_link(k, "random:s", &link_a, "y");
	key_store_add_result(k, "y", "w::1", 5);
	key_store_add_result(k, "y", "w::2", 6);
	key_store_add_result(k, "random:s", "w::3", 7);
	g_assert_true(key_store_needs_flush(k));
	g_assert_cmpuint(find_count(k, "x", &link_a), ==, 2);
	g_assert_cmpuint(find_count(k, "random:s", &link_a), ==, 1);
	assert_succeeds(key_store_flush(k, true, &failure));
	g_assert_false(key_store_needs_flush(k));
	key_store_close(k);
	k = open_store();
	g_assert_cmpuint(find_count(k, "x", &link_a), ==, 2);
	g_assert_cmpuint(find_count(k, "x", &link_b), ==, 0);
	g_assert_true(key_store_has_link(k, "x", &link_a, "z"));
	g_assert_cmpuint(result_count(k, "y"), ==, 2);
	g_assert_cmpuint(find_count(k, "random:s", &link_a), ==, 0);
	g_assert_cmpuint(result_count(k, "random:s"), ==, 0);
	key_store_close(k);
	teardown();
}

/* Removing a result removes the keys that led only to it. */
static void test_forget(void)
{
	setup();
	key_store *k = open_store();
	key_store_add_link(k, "a", &link_a, "b");
	key_store_add_link(k, "b", &link_a, "c");
	key_store_add_link(k, "a", &link_b, "d");
	key_store_add_result(k, "c", "w::1", 1);
	key_store_add_result(k, "d", "w::2", 2);
	key_store_add_result(k, "d", "w::3", 3);
	assert_succeeds(key_store_flush(k, false, &failure));
	key_store_forget(k, "w::1");
	key_store_forget_pair(k, "d", "w::2");
	g_assert_cmpuint(result_count(k, "c"), ==, 0);
	g_assert_cmpuint(result_count(k, "d"), ==, 1);
	key_store_close(k);
	k = open_store();
	g_assert_cmpuint(find_count(k, "b", &link_a), ==, 0);
	g_assert_cmpuint(find_count(k, "a", &link_a), ==, 0);
	g_assert_cmpuint(find_count(k, "a", &link_b), ==, 1);
	g_assert_cmpuint(result_count(k, "d"), ==, 1);
	key_store_close(k);
	teardown();
}

/* A damaged or foreign file is renamed, the store starts empty. */
static void test_damaged(void)
{
	setup();
	g_autofree char *path = g_build_filename(root, "keys.db", NULL);
	assert_succeeds(g_file_set_contents(path, "this is no database, though it is long enough to be looked at", -1,
					    &failure));
	key_store *k = open_store();
	key_store_add_result(k, "a", "w::1", 1);
	assert_succeeds(key_store_flush(k, true, &failure));
	key_store_close(k);
	k = open_store();
	g_assert_cmpuint(result_count(k, "a"), ==, 1);
	key_store_close(k);
	teardown();
}

static void test_foreign_version(void)
{
	setup();
	key_store *k = open_store();
	key_store_close(k);
	g_autofree char *path = g_build_filename(root, "keys.db", NULL);
	g_autofree char *bytes = NULL;
	gsize n;
	assert_succeeds(g_file_get_contents(path, &bytes, &n, &failure));
	bytes[60] = 0x7f; /* user_version of the header: another format version */
	assert_succeeds(g_file_set_contents(path, bytes, (gssize)n, &failure));
	k = open_store();
	g_assert_cmpuint(result_count(k, "a"), ==, 0);
	key_store_close(k);
	g_assert_cmpuint(count_files("keys.db.foreign-"), >=, 1);
	teardown();
}

static void fill(key_store *k, guint n)
{
	for (guint i = 0; i < n; i++) {
		char from[32], to[32], result[32];
		g_snprintf(from, sizeof from, "key-%u", i);
		g_snprintf(to, sizeof to, "key-%u", i + 1);
		g_snprintf(result, sizeof result, "w::%u", i);
		key_store_add_link(k, from, &link_a, to);
		key_store_add_result(k, from, result, i);
		if (i % 20000 == 0)
			assert_succeeds(key_store_flush(k, false, &failure));
	}
}

/* Lookups stay below a millisecond with many keys on disk (a million with -m slow). */
static void test_many(void)
{
	guint n = g_test_slow() ? 1000000 : 50000;
	setup();
	key_store *k = open_store();
	fill(k, n);
	key_store_close(k);
	k = open_store();
	gint64 start = g_get_monotonic_time();
	guint found = 0, tries = 1000;
	for (guint i = 0; i < tries; i++) {
		char from[32];
		g_snprintf(from, sizeof from, "key-%u", (i * 7919u) % n);
		found += find_count(k, from, &link_a) + result_count(k, from);
	}
	double us = (double)(g_get_monotonic_time() - start) / tries;
	g_assert_cmpuint(found, ==, 2 * tries);
	g_test_message("%u keys, %.1f us a lookup of links and results", n, us);
	g_assert_cmpfloat(us, <, 1000);
	key_store_close(k);
	teardown();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/keys/ids", test_ids);
	g_test_add_func("/keys/survives", test_survives);
	g_test_add_func("/keys/forget", test_forget);
	g_test_add_func("/keys/damaged", test_damaged);
	g_test_add_func("/keys/foreign-version", test_foreign_version);
	g_test_add_func("/keys/many", test_many);
	return g_test_run();
}
