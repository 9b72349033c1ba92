/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/origin.h"
#include "provenance/predicate.h"
#include "api/guard.h"
#include <string.h>

/* A definition that ends with the vertex of this digest. */
struct ending {
	Pb__Definition definition;
	ProtobufCBinaryData last;
	GBytes *bytes;
};

static void ending_init(struct ending *e, const char *digest)
{
	Pb__Op op = PB__OP__INIT;
	Pb__Input input = PB__INPUT__INIT, *inputs[] = {&input};
	input.digest = (char *)(uintptr_t)digest;
	op.inputs = inputs;
	op.n_inputs = 1;
	e->bytes = message_pack(&op);
	gsize n;
	const void *data = g_bytes_get_data(e->bytes, &n);
	e->last = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data, .len = n};
	pb__definition__init(&e->definition);
	e->definition.def = &e->last;
	e->definition.n_def = 1;
}

static GHashTable *args_of(const char *key, const char *value)
{
	GHashTable *args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_insert(args, g_strdup(key), g_strdup(value));
	return args;
}

static provenance_origin *origin_of(const char *key, const char *value, GHashTable *inputs)
{
	g_autoptr(GHashTable) args = args_of(key, value);
	struct provenance_request r = {.frontend = (char *)"dockerfile.v0", .args = args, .inputs = inputs};
	return provenance_origin_new(&r);
}

static void test_table(void)
{
	provenance_origins *o = provenance_origins_new();
	struct ending e, other;
	int first = 0, second = 0;
	ending_init(&e, "sha256:a");
	ending_init(&other, "sha256:b");
	provenance_origin *x = origin_of("target", "base", NULL), *same = origin_of("target", "base", NULL),
			  *y = origin_of("target", "else", NULL);
	g_assert_null(provenance_origins_find(o, &e.definition));
	provenance_origins_add(o, &e.definition, x, &first);
	provenance_origin *found = provenance_origins_find(o, &e.definition);
	g_assert_true(found == x);
	provenance_origin_unref(found);
	g_assert_null(provenance_origins_find(o, &other.definition));
	/* Two that say the same are one; two that do not are none. */
	provenance_origins_add(o, &e.definition, same, &second);
	found = provenance_origins_find(o, &e.definition);
	g_assert_nonnull(found);
	provenance_origin_unref(found);
	provenance_origins_add(o, &e.definition, y, &second);
	g_assert_null(provenance_origins_find(o, &e.definition));
	provenance_origins_drop(o, &second);
	g_autoptr(GHashTable) inputs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(inputs, (char *)"in", &e.definition);
	g_hash_table_insert(inputs, (char *)"unknown", &other.definition);
	g_autoptr(GHashTable) of = provenance_origins_of(o, inputs);
	g_assert_cmpuint(g_hash_table_size(of), ==, 1);
	g_assert_true(g_hash_table_lookup(of, "in") == x);
	provenance_origins_drop(o, &first);
	g_assert_null(provenance_origins_find(o, &e.definition));
	provenance_origin_unref(x);
	provenance_origin_unref(same);
	provenance_origin_unref(y);
	g_bytes_unref(e.bytes);
	g_bytes_unref(other.bytes);
	provenance_origins_free(o);
}

/* Each has the one before it twice: what it tells of is bounded. */
static void test_weight(void)
{
	provenance_origin *o = origin_of("n", "0", NULL);
	for (int i = 1; i < 40; i++) {
		g_autoptr(GHashTable) inputs =
			g_hash_table_new_full(g_str_hash, g_str_equal, g_free, provenance_origin_unref);
		g_hash_table_insert(inputs, g_strdup("a"), provenance_origin_ref(o));
		g_hash_table_insert(inputs, g_strdup("b"), o);
		o = origin_of("n", "x", inputs);
		g_assert_cmpuint(o->weight, <=, ORIGIN_WEIGHT_MAX);
	}
	provenance_origin_unref(o);
}

static void test_written(void)
{
	g_autoptr(provenance_capture) c = provenance_capture_new();
	struct provenance_predicate p = {.capture = c,
					 .builder_id = "",
					 .builder_platform = "linux/amd64",
					 .dockerfile_version = "1",
					 .invocation_id = "id"};
	c->request.frontend = g_strdup("dockerfile.v0");
	c->request.args = args_of("context:linked", "input:base");
	c->request.inputs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, provenance_origin_unref);
	g_hash_table_insert(c->request.inputs, g_strdup("base"), origin_of("build-arg:SECRET", "x", NULL));
	size_t n;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = provenance_predicate_write(&p, &n, &error);
	g_assert_no_error(error);
	g_assert_nonnull(strstr(
		text, "\"inputs\":{\"base\":{\"configSource\":{},\"request\":{\"frontend\":\"dockerfile.v0\"}}}"));
	g_assert_null(strstr(text, "SECRET")); /* mode=min */
	g_assert_nonnull(strstr(text, "\"request\":false"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/provenance-origin/table", test_table);
	g_test_add_func("/provenance-origin/weight", test_weight);
	g_test_add_func("/provenance-origin/written", test_written);
	return g_test_run();
}
