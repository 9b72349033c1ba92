/* SPDX-License-Identifier: Apache-2.0 */
#include "export/options.h"
#include "export/writer.h"
#include "lib/outcome.h"
#include <string.h>

static GHashTable *attrs(const char *key, const char *value)
{
	GHashTable *t = g_hash_table_new(g_str_hash, g_str_equal);
	if (key)
		g_hash_table_insert(t, (gpointer)key, (gpointer)value);
	return t;
}

static void test_errors(void)
{
	static const struct {
		const char *key, *value, *error;
	} rows[] = {
		{"compression", "x", "unsupported compression type x"},
		{"compression-level", "x",
		 "non-integer value x specified for compression-level: strconv.ParseInt: parsing \"x\": "
		 "invalid syntax"},
		{"force-compression", "x",
		 "non-bool value x specified for force-compression: strconv.ParseBool: parsing \"x\": "
		 "invalid syntax"},
		{"oci-mediatypes", "x",
		 "non-bool value specified for oci-mediatypes: strconv.ParseBool: parsing \"x\": invalid syntax"},
		{"source-date-epoch", "x",
		 "invalid source-date-epoch: strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"annotation-foo.i", "2", "unrecognized annotation type foo"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GHashTable) t = attrs(rows[i].key, rows[i].value);
		struct image_options o;
		g_autoptr(GError) error = NULL;
		g_assert_false(image_options_load(&o, t, &error));
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
}

static void test_values(void)
{
	g_autoptr(GHashTable) t = attrs("name", "a,b");
	g_hash_table_insert(t, (gpointer) "compression", (gpointer) "zstd");
	g_hash_table_insert(t, (gpointer) "force-compression", (gpointer) "");
	g_hash_table_insert(t, (gpointer) "source-date-epoch", (gpointer) "");
	g_hash_table_insert(t, (gpointer) "push", (gpointer) "");
	g_hash_table_insert(t, (gpointer) "other", (gpointer) "x");
	struct image_options o;
	GError *error = NULL;
	g_assert_true(image_options_load(&o, t, &error));
	g_assert_cmpstr(o.name, ==, "a,b");
	g_assert_cmpint(o.compression, ==, COMPRESSION_ZSTD);
	g_assert_true(o.force && o.has_epoch && !o.epoch_set);
	bool push = false;
	g_assert_true(image_options_take_bool(&o, "push", &push, &error));
	g_assert_true(push);
	g_assert_cmpuint(g_hash_table_size(o.rest), ==, 1);
	image_options_clear(&o);
}

static void test_conflicts(void)
{
	g_autoptr(GHashTable) t = attrs("oci-mediatypes", "false");
	g_hash_table_insert(t, (gpointer) "compression", (gpointer) "estargz");
	struct image_options o;
	g_autoptr(GError) error = NULL;
	g_assert_false(image_options_load(&o, t, &error));
	g_assert_cmpstr(error->message, ==,
			"exporter option \"compression=estargz\" conflicts with \"oci-mediatypes=false\"");
}

static void add(annotation_group *g, const char *key, const char *value)
{
	bool is_annotation;
	assert_succeeds(annotation_group_add(g, key, value, &is_annotation, &failure));
	g_assert_true(is_annotation);
}

static void test_annotations(void)
{
	g_autoptr(annotation_group) g = annotation_group_new();
	add(g, "annotation.all", "x");
	add(g, "annotation[linux/arm64].only", "arm");
	add(g, "annotation-manifest[linux/arm64].all", "y");
	add(g, "annotation-index[linux/amd64].i", "1");
	add(g, "annotation-manifest-descriptor.d", "2");
	g_autoptr(GHashTable) arm = annotation_group_get(g, ANNOTATION_MANIFEST, "linux/arm64");
	g_assert_cmpstr(g_hash_table_lookup(arm, "all"), ==, "y");
	g_assert_cmpstr(g_hash_table_lookup(arm, "only"), ==, "arm");
	g_autoptr(GHashTable) amd = annotation_group_get(g, ANNOTATION_MANIFEST, "linux/amd64");
	g_assert_cmpuint(g_hash_table_size(amd), ==, 1);
	g_autoptr(GHashTable) index = annotation_group_get(g, ANNOTATION_INDEX, NULL);
	g_assert_cmpstr(g_hash_table_lookup(index, "i"), ==, "1");
	g_assert_null(annotation_group_get(g, ANNOTATION_INDEX_DESCRIPTOR, NULL));
	static const char *const others[] = {
		"annotation",    "annotations.x",  "annotation[].x",          "annotation.",
		"annotation-.x", "annotation.a b", "annotation[linux/amd64]x"};
	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		bool is_annotation = true;
		assert_succeeds(annotation_group_add(g, others[i], "v", &is_annotation, &failure));
		g_assert_false(is_annotation);
	}
}

/* A frontend may return metadata without a value. */
static void test_empty_metadata(void)
{
	g_autoptr(GHashTable) none = attrs("name", "*");
	g_autoptr(GHashTable) metadata =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_bytes_unref);
	static const char *const keys[] = {"source.date.epoch", "image.name", "annotation.x"};
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		g_hash_table_insert(metadata, (gpointer)keys[i], g_bytes_new(NULL, 0));
	g_autoptr(GError) error = NULL;
	bool is_set = true;
	int64_t epoch_s = 0;
	g_assert_true(epoch_from_metadata(metadata, "linux/amd64", &is_set, &epoch_s, &error));
	g_assert_false(is_set);
	struct image_options o;
	g_assert_true(image_options_load(&o, none, &error));
	g_autofree char *names = export_names(&o, metadata);
	g_assert_cmpstr(names, ==, "");
	struct exporter_context context = {0};
	struct export_input input = {0};
	g_assert_true(export_options_settle(&o, &context, &input, metadata, true, &error));
	g_autoptr(GHashTable) found = annotation_group_get(o.annotations, ANNOTATION_MANIFEST, "linux/amd64");
	g_assert_cmpstr(g_hash_table_lookup(found, "x"), ==, "");
	image_options_clear(&o);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/options/errors", test_errors);
	g_test_add_func("/options/values", test_values);
	g_test_add_func("/options/conflicts", test_conflicts);
	g_test_add_func("/options/empty-metadata", test_empty_metadata);
	g_test_add_func("/options/annotations", test_annotations);
	return g_test_run();
}
