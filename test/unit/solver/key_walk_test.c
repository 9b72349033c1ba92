/* SPDX-License-Identifier: Apache-2.0 */
/* Exports keys from a store and imports them into a build. */
#include "solver/import.h"
#include "lib/outcome.h"
#include "solver/key_walk.h"

static char *digest_text(const char *text)
{
	struct digest d;
	digest_of_text(text, &d);
	return g_strdup(d.text);
}

static void link_keys(key_store *k, const char *from, int64_t input, const char *digest, const char *to)
{
	struct key_link link = {.input = input, .output = 0, .digest = digest, .selector = ""};
	key_store_add_link(k, from, &link, to);
}

static key_graph *walk_from(key_store *k, const char *key)
{
	g_autoptr(key_walk) w = key_walk_new();
	key_walk_from(w, key);
	while (key_walk_step(w, k, 1))
		;
	return key_walk_graph(w);
}

static const struct key_record *find(const key_graph *g, const char *digest)
{
	for (guint i = 0; i < g->records->len; i++)
		if (g_str_equal(key_graph_get(g, i)->digest, digest))
			return key_graph_get(g, i);
	return NULL;
}

/* base -> one -> two, and two from a content as well; keys that lack an input or lead away are left out. */
static void test_walk(void)
{
	key_store *k = key_store_open(-1, NULL);
	g_autofree char *base = key_root("sha256:base", 0), *content = key_root("sha256:content", -1);
	g_autofree char *two_digest = digest_text("sha256:two@0");
	link_keys(k, base, 0, "sha256:one", "one");
	link_keys(k, "one", 0, "sha256:two", "two");
	link_keys(k, content, 0, "sha256:two", "two");
	link_keys(k, "two", 0, "sha256:away", "away");
	link_keys(k, "gone", 1, "sha256:half", "two"); /* input 0 is missing */
	key_store_add_result(k, "two", "old", 1);
	key_store_add_result(k, "two", "new", 2);
	g_autoptr(key_graph) g = walk_from(k, "two");
	g_assert_cmpuint(g->records->len, ==, 4);
	const struct key_record *two = find(g, two_digest);
	g_assert_true(two->is_target);
	g_assert_cmpuint(two->n_inputs, ==, 1);
	g_assert_cmpuint(two->inputs[0]->len, ==, 2);
	g_assert_cmpuint(two->results->len, ==, 2);
	g_assert_cmpstr(g_array_index(two->results, struct key_result, 0).id, ==, "new");
	g_assert_nonnull(find(g, base));
	g_assert_nonnull(find(g, content));
	assert_succeeds(key_graph_check(g, &failure));
	key_store_close(k);
}

/* A step whose result is its own input, and two steps that lead to each other. */
static void test_circles(void)
{
	key_store *k = key_store_open(-1, NULL);
	g_autofree char *base = key_root("sha256:base", 0);
	link_keys(k, base, 0, "sha256:step", "a");
	link_keys(k, "a", 0, "sha256:step", "a");
	link_keys(k, "b", 0, "sha256:back", "a");
	link_keys(k, "a", 0, "sha256:forth", "b");
	g_autoptr(key_graph) g = walk_from(k, "b");
	assert_succeeds(key_graph_check(g, &failure));
	g_autofree char *forth = digest_text("sha256:forth@0"), *step = digest_text("sha256:step@0");
	g_assert_cmpuint(find(g, forth)->inputs[0]->len, ==, 1);
	g_assert_cmpuint(find(g, step)->inputs[0]->len, ==, 1);
	key_store_close(k);
}

static bool load(void *self, guint record, guint result, struct work *work, void **ret_result, GError **error)
{
	*ret_result = self;
	return true;
}

static void *part(void *self, guint of_record, guint of_result, void *loaded, guint record, guint result)
{
	return NULL;
}

static void nothing(void *self)
{
}

static void test_import(void)
{
	static const struct solver_import_class class = {.load = load, .part = part, .free = nothing};
	key_graph *g = key_graph_new();
	g_autofree char *base = key_root("sha256:base", 0), *step = digest_text("sha256:step@0");
	guint root = key_graph_add(g, base, 0), after = key_graph_add(g, step, 1), last = key_graph_add(g, step, 1);
	key_graph_link(g, after, 0, "", root);
	key_graph_link(g, last, 0, "", after);
	key_graph_add_result(g, after, "r", 5);
	g_autoptr(solver_import) i = solver_import_new(g, &class, &g);
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct key_link link = {.input = 0, .output = 0, .digest = "sha256:step", .selector = ""};
	import_find(i, base, &link, found);
	g_assert_cmpuint(g_hash_table_size(found), ==, 1);
	g_autoptr(GList) keys = g_hash_table_get_keys(found);
	g_assert_true(key_is_import(keys->data));
	g_assert_cmpint(import_record(i, keys->data), ==, after);
	g_assert_cmpint(import_record(i, "import:4000000000:0"), ==, -1);
	g_assert_cmpint(import_record(i, "import:x"), ==, -1);
	link.selector = "sha256:other";
	g_autoptr(GHashTable) none = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	import_find(i, base, &link, none);
	import_find(i, "sha256:unknown", &link, none);
	g_assert_cmpuint(g_hash_table_size(none), ==, 0);
	g_autofree char *id = import_result_id(i, after, 0);
	guint record = 0, index = 9;
	g_assert_true(import_parse_id(i, id, &record, &index));
	g_assert_cmpuint(record, ==, after);
	g_assert_cmpuint(index, ==, 0);
	g_assert_false(import_parse_id(i, "import:4000000000:1:0", &record, &index));
	g_assert_false(import_parse_id(i, keys->data, &record, &index));
	void *result = NULL;
	struct work work = {0};
	assert_succeeds(import_load(i, record, index, &work, &result, &failure));
	g_assert_true(result == &g);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/key_walk/walk", test_walk);
	g_test_add_func("/key_walk/circles", test_circles);
	g_test_add_func("/key_walk/import", test_import);
	return g_test_run();
}
