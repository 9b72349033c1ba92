/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/cache_config.h"
#include "base/limits.h"
#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define TIME "2026-11-26T13:09:05.375052671Z"

/*
 * Written by upstream's daemon. Parsing and writing it again gives equal bytes where the order is determined by the
 * content (layers that share a blob are listed in arbitrary order).
 */
static void test_recorded(void)
{
	static const char *const names[] = {"max.json", "min.json", "s3.json"};
	static const guint records[] = {7, 7, 7}, layers[] = {6, 4, 5};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		/* Beside this file, as the compiler was given it (relative to the build directory, where tests run). */
		g_autofree char *here = g_path_get_dirname(__FILE__);
		g_autofree char *path = g_build_filename(here, "../../fuzz/corpus/cache_config", names[i], NULL);
		g_autofree char *text = NULL;
		gsize n;
		g_autoptr(GError) error = NULL;
		g_assert_true(g_file_get_contents(path, &text, &n, &error));
		g_autoptr(cache_config) c = cache_config_parse(text, n, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(c->keys->records->len, ==, records[i]);
		g_assert_cmpuint(c->layers->len, ==, layers[i]);
		size_t n_again;
		g_autofree char *again = cache_config_write(c, &n_again, NULL);
		if (g_str_equal(names[i], "min.json"))
			g_assert_cmpmem(again, n_again, text, n);
		g_autoptr(cache_config) back = cache_config_parse(again, n_again, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(back->results->len, ==, c->results->len);
	}
}

static void test_made(void)
{
	g_autoptr(cache_config) c = cache_config_new();
	struct digest a, b;
	digest_parse(A, &a, NULL);
	digest_parse(B, &b, NULL);
	guint low = cache_config_add_layer(c, &b, -1), top = cache_config_add_layer(c, &a, low);
	guint root = key_graph_add(c->keys, C, 0), step = key_graph_add(c->keys, A, 1);
	key_graph_link(c->keys, step, 0, B, root);
	key_graph_link(c->keys, step, 0, "", root);
	cache_config_add_result(c, step, false, &top, 1, 0);
	g_autoptr(GArray) order = NULL;
	g_autofree char *text = cache_config_write(c, NULL, &order);
	g_assert_cmpstr(
		text, ==,
		"{\"layers\":[{\"blob\":\"" A "\",\"parent\":1},{\"blob\":\"" B "\",\"parent\":-1}],"
		"\"records\":[{\"layers\":[{\"layer\":0,\"createdAt\":\"0001-01-01T00:00:00Z\"}],\"digest\":\"" A
		"\",\"inputs\":[[{\"link\":1},{\"selector\":\"" B "\",\"link\":1}]]},{\"digest\":\"" C "\"}]}");
	g_assert_cmpuint(g_array_index(order, guint, 0), ==, top);
	g_autofree char *records = cache_config_write_records(c, NULL);
	g_assert_nonnull(strstr(records, "\"layer\":1")); /* layers keep their indices in the image */
}

/* Two layers and two records, added in either order. */
static char *written(bool backwards)
{
	g_autoptr(cache_config) c = cache_config_new();
	struct digest a, b;
	digest_parse(A, &a, NULL);
	digest_parse(B, &b, NULL);
	guint low = cache_config_add_layer(c, &a, -1), top = cache_config_add_layer(c, &b, low);
	guint root = backwards ? 0 : key_graph_add(c->keys, C, 0);
	guint step = key_graph_add(c->keys, A, 1);
	if (backwards)
		root = key_graph_add(c->keys, C, 0);
	key_graph_link(c->keys, step, 0, backwards ? "" : B, root);
	key_graph_link(c->keys, step, 0, backwards ? B : "", root);
	cache_config_add_result(c, step, false, &top, 1, 0);
	cache_config_add_result(c, root, false, &low, 1, 0);
	return cache_config_write(c, NULL, NULL);
}

/* Parent 0 is omitted as by Go's omitempty, -1 is written. */
static void test_trap_53(void)
{
	g_autofree char *text = written(false);
	g_assert_true(g_str_has_prefix(text, "{\"layers\":[{\"blob\":\"" A "\",\"parent\":-1},{\"blob\":\"" B "\"}],"));
}

/* Equal bytes for every order in which the graph was built. */
static void test_trap_54(void)
{
	g_autofree char *one = written(false), *other = written(true);
	g_assert_cmpstr(one, ==, other);
}

static void test_inline(void)
{
	static const char text[] = "[{\"digest\":\"" A "\",\"layers\":[{\"layer\":1,\"createdAt\":\"" TIME "\"}],"
				   "\"chains\":[{\"layers\":[1,0],\"createdAt\":\"" TIME "\"}]}]";
	struct digest blobs[2];
	digest_parse(B, &blobs[0], NULL);
	digest_parse(C, &blobs[1], NULL);
	g_autoptr(cache_config) c = cache_config_parse_records(text, strlen(text), blobs, 2, NULL);
	g_assert_nonnull(c);
	g_autoptr(GArray) under = cache_config_chain(c, cache_config_result(c, 0, 0));
	g_autoptr(GArray) listed = cache_config_chain(c, cache_config_result(c, 0, 1));
	g_assert_cmpuint(under->len, ==, 2);
	g_assert_cmpuint(g_array_index(under, guint, 0), ==, 0);
	g_assert_cmpuint(g_array_index(listed, guint, 0), ==, 1);
	g_assert_cmpint(cache_config_result(c, 0, 0)->created_ns % 1000, ==, 671);
}

static void test_refused(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"[]", "cache config: not an object"},
		{"{\"layers\":{}}", "cache config: layers is not an array"},
		{"{\"layers\":[{\"blob\":\"sha256:../../x\",\"parent\":-1}]}", "invalid digest"},
		{"{\"layers\":[{\"blob\":\"" A "\"}]}", "invalid looping layer"},
		{"{\"layers\":[{\"blob\":\"" A "\",\"parent\":1},{\"blob\":\"" B "\"}]}", "invalid looping layer"},
		{"{\"layers\":[{\"blob\":\"" A "\",\"parent\":7}]}", "invalid layer index 7"},
		{"{\"layers\":[{\"blob\":\"" A "\",\"parent\":-2}]}", "invalid layer index -2"},
		{"{\"records\":[{\"digest\":\"" A "\",\"layers\":[{\"layer\":0}]}]}", "invalid layer index 0"},
		{"{\"records\":[{\"digest\":\"" A "\",\"chains\":[{\"layers\":[3]}]}]}", "invalid layer index 3"},
		{"{\"records\":[{\"digest\":\"" A "\",\"inputs\":[[{\"link\":4}]]}]}", "invalid record ID: 4"},
		{"{\"records\":[{\"digest\":\"" A "\",\"inputs\":[[{\"link\":-1}]]}]}", "invalid record ID: -1"},
		{"{\"records\":[{\"digest\":\"" A "\",\"inputs\":[[]]}]}", "invalid empty input for record 0"},
		{"{\"records\":[{\"digest\":\"" A "\",\"inputs\":[[{\"link\":0}]]}]}", "invalid looping record"},
		{"{\"records\":[{\"digest\":\"" A "\",\"inputs\":[[{\"link\":1}]]},{\"digest\":\"" B
		 "\",\"inputs\":[[{\"link\":0}]]}]}",
		 "invalid looping record"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(cache_config_parse(rows[i].text, strlen(rows[i].text), &error));
		if (!strstr(error->message, rows[i].error))
			g_error("%s: \"%s\" is not about \"%s\"", rows[i].text, error->message, rows[i].error);
	}
}

/* Many records and links: the limit is accepted, one more is refused. */
static void test_limit(void)
{
	for (int over = 0; over < 2; over++) {
		g_autoptr(GString) text =
			g_string_new("{\"records\":[{\"digest\":\"" A "\"},{\"digest\":\"" B "\",\"inputs\":[[");
		/* The graph already has two records and one input. */
		for (long long i = 0; i < LIMIT_CACHE_RECORDS - 3 + over; i++)
			g_string_append(text, i == 0 ? "{\"link\":0}" : ",{\"link\":0}");
		g_string_append(text, "]]}]}");
		g_autoptr(GError) error = NULL;
		g_autoptr(cache_config) c = cache_config_parse(text->str, text->len, &error);
		g_assert_true((c != NULL) == (over == 0));
		g_assert_true(over == 0 || error_is(error, ERROR_RESOURCE_EXHAUSTED));
	}
}

/* A chain of the maximum length is accepted, one more layer is refused, for every numbering. */
static void test_chain_limit(void)
{
	for (int over = 0; over < 2; over++) {
		long long n = LIMIT_LAYERS + over;
		g_autoptr(GString) text = g_string_new("{\"layers\":[");
		for (long long i = 0; i < n; i++)
			g_string_append_printf(text, "%s{\"blob\":\"" A "\",\"parent\":%lld}", i ? "," : "",
					       i + 1 < n ? i + 1 : -1);
		g_string_append(text, "]}");
		g_autoptr(cache_config) c = cache_config_parse(text->str, text->len, NULL);
		g_assert_true((c != NULL) == (over == 0));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cache_config/recorded", test_recorded);
	g_test_add_func("/cache_config/made", test_made);
	g_test_add_func("/cache_config/trap-53", test_trap_53);
	g_test_add_func("/cache_config/trap-54", test_trap_54);
	g_test_add_func("/cache_config/inline", test_inline);
	g_test_add_func("/cache_config/refused", test_refused);
	g_test_add_func("/cache_config/limit", test_limit);
	g_test_add_func("/cache_config/chain-limit", test_chain_limit);
	return g_test_run();
}
