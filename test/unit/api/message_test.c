/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"
#include "control.pb-c.h"
#include "gateway.pb-c.h"

/* Through the encoding, so that the entries must be right for protobuf-c, too. */
static void *reencoded(const void *message, const ProtobufCMessageDescriptor *descriptor)
{
	g_autoptr(GBytes) bytes = message_pack(message);
	gsize n;
	const uint8_t *data = g_bytes_get_data(bytes, &n);
	g_autoptr(GError) error = NULL;
	void *again = guard_unpack(descriptor, data, n, &error);
	g_assert_no_error(error);
	return again;
}

static void test_text_map(void)
{
	g_autoptr(GHashTable) table = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(table, (void *)"name", (void *)"value");
	g_hash_table_insert(table, (void *)"empty", (void *)"");
	Control__Exporter *e = message_new(Control__Exporter, control__exporter);
	g_assert_true(e->base.descriptor == &control__exporter__descriptor);
	message_set_map(e, attrs, table);
	g_assert_cmpuint(e->n_attrs, ==, 2);
	Control__Exporter *again = reencoded(e, &control__exporter__descriptor);
	guard_free(e);
	g_autoptr(GHashTable) got = message_map(again, attrs);
	guard_free(again); /* the table owns what it has */
	g_assert_cmpuint(g_hash_table_size(got), ==, 2);
	g_assert_cmpstr(g_hash_table_lookup(got, "name"), ==, "value");
	g_assert_cmpstr(g_hash_table_lookup(got, "empty"), ==, "");
}

static void test_empty_map(void)
{
	Control__Exporter *e = message_new(Control__Exporter, control__exporter);
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	message_set_map(e, attrs, none);
	message_set_map(e, attrs, NULL);
	g_assert_null(e->attrs);
	g_assert_cmpuint(e->n_attrs, ==, 0);
	g_autoptr(GHashTable) got = message_map(e, attrs);
	g_assert_cmpuint(g_hash_table_size(got), ==, 0);
	guard_free(e);
}

static void test_last_key_counts(void)
{
	Control__Exporter__AttrsEntry entries[] = {CONTROL__EXPORTER__ATTRS_ENTRY__INIT,
						   CONTROL__EXPORTER__ATTRS_ENTRY__INIT};
	Control__Exporter__AttrsEntry *list[] = {&entries[0], &entries[1]};
	Control__Exporter e = CONTROL__EXPORTER__INIT;
	entries[0].key = entries[1].key = (char *)"k";
	entries[0].value = (char *)"first";
	entries[1].value = (char *)"last";
	e.attrs = list;
	e.n_attrs = 2;
	g_autoptr(GHashTable) got = message_map(&e, attrs);
	g_assert_cmpuint(g_hash_table_size(got), ==, 1);
	g_assert_cmpstr(g_hash_table_lookup(got, "k"), ==, "last");
	g_assert_cmpstr(message_map_find(&e, attrs, "k"), ==, "first");
	g_assert_null(message_map_find(&e, attrs, "K"));
}

static void test_bytes_map(void)
{
	g_autoptr(GHashTable) table =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_bytes_unref);
	g_hash_table_insert(table, (void *)"binary", g_bytes_new("a\0b", 3));
	g_hash_table_insert(table, (void *)"empty", g_bytes_new(NULL, 0));
	Gateway__Result *r = message_new(Gateway__Result, gateway__result);
	message_set_map(r, metadata, table);
	Gateway__Result *again = reencoded(r, &gateway__result__descriptor);
	guard_free(r);
	g_autoptr(GHashTable) got = message_map(again, metadata);
	guard_free(again);
	gsize n;
	const void *data = g_bytes_get_data(g_hash_table_lookup(got, "binary"), &n);
	g_assert_cmpmem(data, n, "a\0b", 3);
	g_assert_cmpuint(g_bytes_get_size(g_hash_table_lookup(got, "empty")), ==, 0);
}

static void test_message_map(void)
{
	Pb__Definition definition = PB__DEFINITION__INIT;
	ProtobufCBinaryData op = {3, (uint8_t *)"abc"};
	definition.def = &op;
	definition.n_def = 1;
	g_autoptr(GHashTable) table = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(table, (void *)"base", &definition);
	g_hash_table_insert(table, (void *)"none", NULL);
	Gateway__InputsResponse *m = message_new(Gateway__InputsResponse, gateway__inputs_response);
	message_set_map(m, definitions, table);
	Gateway__InputsResponse *again = reencoded(m, &gateway__inputs_response__descriptor);
	guard_free(m);
	g_autoptr(GHashTable) got = message_map(again, definitions);
	const Pb__Definition *found = g_hash_table_lookup(got, "base");
	g_assert_cmpuint(found->n_def, ==, 1);
	g_assert_cmpmem(found->def[0].data, found->def[0].len, "abc", 3);
	g_assert_true(g_hash_table_contains(got, "none"));
	g_assert_null(g_hash_table_lookup(got, "none"));
	guard_free(again);
}

static void test_texts(void)
{
	static const char *const list[] = {"a", "b", NULL};
	Pb__WorkerConstraints *m = message_new(Pb__WorkerConstraints, pb__worker_constraints);
	message_set_texts(m, filter, NULL);
	g_assert_cmpuint(m->n_filter, ==, 0);
	message_set_texts(m, filter, list);
	g_assert_cmpuint(m->n_filter, ==, 2);
	g_autofree const char **texts = message_texts(m->filter, m->n_filter);
	g_assert_true(texts[0] == m->filter[0]); /* borrowed */
	g_assert_cmpstr(texts[1], ==, "b");
	g_assert_null(texts[2]);
	message_append(m, filter, g_strdup("c"));
	g_assert_cmpuint(m->n_filter, ==, 3);
	g_assert_cmpstr(m->filter[2], ==, "c");
	guard_free(m);
	g_autofree const char **none = message_texts(NULL, 0);
	g_assert_null(none[0]);
}

static void test_bytes(void)
{
	g_autoptr(GBytes) bytes = g_bytes_new("xy", 2);
	ProtobufCBinaryData copy = message_bytes(bytes), none = message_bytes(NULL);
	g_assert_cmpmem(copy.data, copy.len, "xy", 2);
	g_assert_true(copy.data != g_bytes_get_data(bytes, NULL));
	g_assert_null(none.data);
	g_assert_cmpuint(none.len, ==, 0);
	g_free(copy.data);
}

static void test_replace_text(void)
{
	Pb__Platform *p = message_new(Pb__Platform, pb__platform);
	message_replace_text(&p->os, "linux"); /* instead of the shared empty string */
	message_replace_text(&p->os, "other");
	g_assert_cmpstr(p->os, ==, "other");
	guard_free(p);
}

static void test_unpack(void)
{
	Pb__Platform wire = PB__PLATFORM__INIT;
	wire.os = (char *)"linux";
	g_autoptr(GBytes) bytes = message_pack(&wire), bad = g_bytes_new("\x0a\x05x", 3);
	g_autoptr(GError) error = NULL;
	Pb__Platform *p = message_unpack(&pb__platform__descriptor, bytes, &error);
	g_assert_cmpstr(p->os, ==, "linux");
	guard_free(p);
	g_assert_null(message_unpack(&pb__platform__descriptor, NULL, &error));
	g_assert_no_error(error);
	g_assert_null(message_unpack(&pb__platform__descriptor, bad, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

static void test_time(void)
{
	g_assert_null(message_time_new(0));
	g_assert_cmpint(message_time_ns(NULL), ==, 0);
	/* Times of a peer that do not fit. */
	Google__Timestamp far = GOOGLE__TIMESTAMP__INIT;
	far.seconds = INT64_MAX;
	g_assert_cmpint(message_time_ns(&far), ==, INT64_MAX);
	far.seconds = INT64_MIN;
	g_assert_cmpint(message_time_ns(&far), ==, INT64_MIN);
	far.seconds = INT64_MAX / 1000000000;
	far.nanos = 999999999;
	g_assert_cmpint(message_time_ns(&far), ==, INT64_MAX);
	static const int64_t rows[] = {1, 1700000000123456789, -1500000000};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		Google__Timestamp *t = message_time_new(rows[i]);
		g_assert_cmpint(t->seconds, ==, rows[i] / 1000000000);
		g_assert_cmpint(t->nanos, ==, rows[i] % 1000000000);
		g_assert_cmpint(message_time_ns(t), ==, rows[i]);
		guard_free(t);
	}
}

static void test_platform(void)
{
	Pb__Platform wire = PB__PLATFORM__INIT;
	wire.os = (char *)"Linux";
	wire.architecture = (char *)"aarch64";
	wire.variant = (char *)"v8";
	wire.osversion = (char *)"1.2";
	struct platform p;
	message_platform_read(&wire, &p);
	g_assert_cmpstr(p.os, ==, "linux");
	g_assert_cmpstr(p.architecture, ==, "arm64");
	g_assert_cmpstr(p.variant, ==, "");
	g_assert_cmpstr(p.os_version, ==, "1.2");
	g_assert_null(p.os_features);
	Pb__Platform *back = message_platform_new(&p);
	g_assert_cmpstr(back->architecture, ==, "arm64");
	g_assert_cmpstr(back->osversion, ==, "1.2");
	guard_free(back);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/map/text", test_text_map);
	g_test_add_func("/map/empty", test_empty_map);
	g_test_add_func("/map/last-key", test_last_key_counts);
	g_test_add_func("/map/bytes", test_bytes_map);
	g_test_add_func("/map/messages", test_message_map);
	g_test_add_func("/texts", test_texts);
	g_test_add_func("/bytes", test_bytes);
	g_test_add_func("/replace-text", test_replace_text);
	g_test_add_func("/unpack", test_unpack);
	g_test_add_func("/time", test_time);
	g_test_add_func("/platform", test_platform);
	return g_test_run();
}
