/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_holds.h"
#include "base/limits.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

static char *root_path;
static blob_store *store;

static void set_up(void)
{
	root_path = g_dir_make_tmp("blob_holds-XXXXXX", NULL);
	scoped_fd fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store = blob_store_open(fd, NULL);
	g_assert_nonnull(store);
}

static bool keep_none(const struct digest *digest, void *unused)
{
	return false;
}

static void tear_down(void)
{
	blob_store_sweep(store, keep_none, NULL);
	blob_store_close(store);
	static const char *const dirs[] = {
		"content/blobs/sha256", "content/blobs/sha384", "content/blobs/sha512", "content/blobs", "content", ""};
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
		g_autofree char *path = g_build_filename(root_path, dirs[i], NULL);
		g_assert_cmpint(g_rmdir(path), ==, 0);
	}
	g_free(root_path);
}

/* Held by two builds: it is kept until both have ended. */
static void test_two_builds(void)
{
	set_up();
	blob_holds *one = blob_holds_new(store);
	g_autoptr(blob_holds) two = blob_holds_new(store);
	struct digest digest, popped;
	assert_succeeds(blob_holds_put(one, "manifest", 8, &digest, &failure));
	assert_succeeds(blob_holds_put(one, "manifest", 8, NULL, &failure));
	assert_succeeds(blob_holds_put(two, "manifest", 8, NULL, &failure));
	blob_holds_free(one);
	blob_store_sweep(store, keep_none, NULL);
	blob_store_remove(store, &digest);
	g_assert_true(blob_store_has(store, &digest));
	g_assert_true(blob_holds_pop(two, &popped));
	g_assert_cmpstr(popped.text, ==, digest.text);
	g_assert_false(blob_holds_pop(two, &popped));
	blob_store_remove(store, &digest);
	g_assert_false(blob_store_has(store, &digest));
	tear_down();
}

/* Blobs in memory are not on disk, and their total is limited. */
static void test_memory(void)
{
	set_up();
	size_t n = MIB(1);
	struct digest first = {""}, digest = {""};
	for (int i = 0; i < LIMIT_MEMORY_BLOBS_BYTES / MIB(1) + 1; i++) {
		g_autofree char *text = g_malloc(n);
		memset(text, 'a' + i, n);
		g_autoptr(GBytes) bytes = g_bytes_new(text, n);
		digest_of(text, n, &digest);
		blob_store_remember(store, &digest, bytes);
		blob_store_remember(store, &digest, bytes);
		if (i == 0)
			first = digest;
	}
	g_autoptr(GBytes) newest = blob_store_recall(store, &digest);
	g_assert_nonnull(newest);
	g_assert_null(blob_store_recall(store, &first));
	g_assert_false(blob_store_has(store, &digest));
	tear_down();
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/blob_holds/two_builds", test_two_builds);
	g_test_add_func("/blob_holds/memory", test_memory);
	return g_test_run();
}
