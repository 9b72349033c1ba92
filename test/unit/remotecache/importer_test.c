/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/importer.h"
#include "lib/outcome.h"
#include "solver/import.h"
#include "solver/key_walk.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROOT "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static bool no_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		     GError **error)
{
	return error_set(error, ERROR_NOT_FOUND, "no blobs here");
}

static const struct blob_provider_class none_class = {.fetch = no_fetch};

static void layer_free(gpointer layer)
{
	oci_layer_free(layer);
}

static char *output_digest(const char *of)
{
	g_autofree char *text = g_strconcat(of, "@0", NULL);
	struct digest digest;
	digest_of_text(text, &digest);
	return g_strdup(digest.text);
}

/*
 * Creates a config: ROOT, followed by a chain of steps (NULL-terminated list); the last step has a result of one layer.
 */
static void add_config(remote_import *r, const char *layer_text, const char *const *steps)
{
	struct digest layer;
	assert_succeeds(digest_parse(layer_text, &layer, &failure));
	cache_config *c = cache_config_new();
	guint blob = cache_config_add_layer(c, &layer, -1);
	guint from = key_graph_add(c->keys, ROOT, 0);
	for (; *steps; steps++) {
		g_autofree char *digest = output_digest(*steps);
		guint step = key_graph_add(c->keys, digest, 1);
		key_graph_link(c->keys, step, 0, "", from);
		from = step;
	}
	cache_config_add_result(c, from, false, &blob, 1, 7);
	GPtrArray *layers = g_ptr_array_new_with_free_func(layer_free);
	oci_layer *l = g_new0(oci_layer, 1);
	l->descriptor = oci_descriptor_new(OCI_LAYER_GZIP, &layer, 1);
	l->diff_id = layer;
	g_ptr_array_add(layers, l);
	g_autoptr(blob_provider) provider = blob_provider_new(&none_class, NULL);
	remote_import_add(r, c, layers, provider);
}

/* Returns the key that follows from a key through a step, or NULL if there is none. */
static char *follow(const solver_import *i, const char *from, const char *step)
{
	g_autoptr(GHashTable) targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct key_link link = {.digest = (char *)step, .selector = (char *)"", .input = 0, .output = 0};
	import_find(i, from, &link, targets);
	g_assert_cmpuint(g_hash_table_size(targets), <=, 1);
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, targets);
	return g_hash_table_iter_next(&iter, &key, NULL) ? g_strdup(key) : NULL;
}

static guint results_of(const solver_import *i, const char *key)
{
	int64_t record = import_record(i, key);
	g_assert_cmpint(record, >=, 0);
	return import_results(i, (guint)record)->len;
}

/* An image for two platforms has a config for each: keys that follow from their common key are found in both. */
static void test_common_root(void)
{
	struct remotecache_context context = {0};
	g_autoptr(remote_import) r = remote_import_new(&context, false);
	add_config(r, A, (const char *const[]){"amd64", NULL});
	add_config(r, B, (const char *const[]){"arm64", NULL});
	g_autoptr(solver_import) i = remote_import_finish(&r);
	g_autofree char *amd64 = follow(i, ROOT, "amd64"), *arm64 = follow(i, ROOT, "arm64");
	g_assert_nonnull(amd64);
	g_assert_nonnull(arm64);
	g_assert_cmpuint(results_of(i, amd64), ==, 1);
	g_assert_cmpuint(results_of(i, arm64), ==, 1);
}

/* Keys that follow from a common step are found, too, and the step has the results of both. */
static void test_common_step(void)
{
	struct remotecache_context context = {0};
	g_autoptr(remote_import) r = remote_import_new(&context, false);
	add_config(r, A, (const char *const[]){"base", "amd64", NULL});
	add_config(r, B, (const char *const[]){"base", "arm64", NULL});
	add_config(r, A, (const char *const[]){"base", NULL});
	add_config(r, B, (const char *const[]){"base", NULL});
	g_autoptr(solver_import) i = remote_import_finish(&r);
	g_autofree char *base = follow(i, ROOT, "base");
	g_assert_nonnull(base);
	g_assert_cmpuint(results_of(i, base), ==, 2);
	g_autofree char *amd64 = follow(i, base, "amd64"), *arm64 = follow(i, base, "arm64");
	g_assert_cmpuint(results_of(i, amd64), ==, 1);
	g_assert_cmpuint(results_of(i, arm64), ==, 1);
}

/* Records of a config that occur in any order, and twice, become one record each. */
static void test_one_config(void)
{
	struct remotecache_context context = {0};
	g_autoptr(remote_import) r = remote_import_new(&context, false);
	g_autofree char *one = output_digest("one"), *two = output_digest("two");
	cache_config *c = cache_config_new();
	guint late = key_graph_add(c->keys, two, 1), step = key_graph_add(c->keys, one, 1);
	guint root = key_graph_add(c->keys, ROOT, 0), again = key_graph_add(c->keys, ROOT, 0);
	guint twin = key_graph_add(c->keys, one, 1);
	key_graph_link(c->keys, late, 0, "", twin);
	key_graph_link(c->keys, step, 0, "", root);
	key_graph_link(c->keys, twin, 0, "", again);
	assert_succeeds(key_graph_check(c->keys, &failure));
	g_autoptr(blob_provider) provider = blob_provider_new(&none_class, NULL);
	remote_import_add(r, c, g_ptr_array_new(), provider);
	g_autoptr(solver_import) i = remote_import_finish(&r);
	g_autofree char *first = follow(i, ROOT, "one");
	g_autofree char *second = first ? follow(i, first, "two") : NULL;
	g_assert_nonnull(second);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/importer/common_root", test_common_root);
	g_test_add_func("/importer/common_step", test_common_step);
	g_test_add_func("/importer/one_config", test_one_config);
	return g_test_run();
}
