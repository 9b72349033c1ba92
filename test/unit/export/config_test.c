/* SPDX-License-Identifier: Apache-2.0 */
#include "export/config.h"
#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define S INT64_C(1000000000)

static const struct config_layer two[] = {
	{A, "first", 1000 * S},
	{B, NULL, 2000 * S + 500000000},
};

static char *run(const char *config, const char *base, size_t n_layers, int64_t epoch_s, GError **error)
{
	g_autoptr(GBytes) bytes = config ? g_bytes_new(config, strlen(config)) : NULL;
	g_autoptr(GBytes) base_bytes = base ? g_bytes_new(base, strlen(base)) : NULL;
	struct config_input in = {
		.config = bytes,
		.base = base_bytes,
		.layers = two,
		.n_layers = n_layers,
		.epoch_set = epoch_s >= 0,
		.epoch_s = epoch_s,
	};
	return config_write(&in, NULL, error);
}

static void golden(const char *config, const char *base, size_t n_layers, int64_t epoch_s, const char *expected)
{
	GError *error = NULL;
	g_autofree char *text = run(config, base, n_layers, epoch_s, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(text, ==, expected);
}

/* Missing entries are added from the records; order and texts of the input are kept. */
static void test_history_added(void)
{
	golden("{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"b\":\"<\",\"a\":1}}", NULL, 2, -1,
	       "{\"architecture\":\"amd64\",\"config\":{\"b\":\"\\u003c\",\"a\":1},\"created\":\"1970-01-01T00:33:20."
	       "5Z\","
	       "\"history\":[{\"created\":\"1970-01-01T00:16:40Z\",\"created_by\":\"first\",\"comment\":"
	       "\"buildkit.exporter.image.v0\"},{\"created\":\"1970-01-01T00:33:20.5Z\",\"created_by\":\"created by "
	       "buildkit\","
	       "\"comment\":\"buildkit.exporter.image.v0\"}],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_"
	       "ids\":[\"" A "\",\"" B "\"]}}");
}

/* A command before the first new layer gets that layer's time, not the base image's; surplus layers become empty. */
static void test_history_times(void)
{
	golden("{\"os\":\"linux\",\"architecture\":\"amd64\",\"history\":[{\"created\":\"1970-01-01T00:00:01Z\","
	       "\"created_by\":\"b\"},"
	       "{\"created_by\":\"ENV\",\"empty_layer\":true},{\"created_by\":\"RUN\"},{\"created_by\":\"surplus\"}]}",
	       NULL, 2, -1,
	       "{\"architecture\":\"amd64\",\"created\":\"1970-01-01T00:33:20.5Z\",\"history\":[{\"created\":"
	       "\"1970-01-01T00:00:01Z\",\"created_by\":\"b\"},{\"created\":\"1970-01-01T00:33:20.5Z\",\"created_by\":"
	       "\"ENV\","
	       "\"empty_layer\":true},{\"created\":\"1970-01-01T00:33:20.5Z\",\"created_by\":\"RUN\"},{\"created\":"
	       "\"1970-01-01T00:33:20.5Z\",\"created_by\":\"surplus\",\"empty_layer\":true}],\"os\":\"linux\","
	       "\"rootfs\":{\"type\":"
	       "\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]}}");
}

static void test_epoch(void)
{
	static const char base[] = "{\"history\":[{\"created\":\"2020-01-01T00:00:00Z\",\"created_by\":\"b\"}]}";
	golden("{\"os\":\"linux\",\"architecture\":\"amd64\",\"created\":\"2030-01-01T00:00:00+02:00\",\"history\":["
	       "{\"created\":\"2020-01-01T00:00:00Z\",\"created_by\":\"b\"},{\"created\":\"2020-01-01T00:00:00Z\","
	       "\"created_by\":"
	       "\"c\"}]}",
	       base, 2, 10,
	       "{\"architecture\":\"amd64\",\"created\":\"1970-01-01T00:00:10Z\",\"history\":[{\"created\":"
	       "\"2020-01-01T00:00:00Z\",\"created_by\":\"b\"},{\"created\":\"1970-01-01T00:00:10Z\",\"created_by\":"
	       "\"c\"}],"
	       "\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\",\"" B "\"]}}");
	/* Beyond the range of nanoseconds: all times are earlier. */
	golden("{\"os\":\"l\",\"architecture\":\"a\"}", NULL, 1, INT64_MAX,
	       "{\"architecture\":\"a\",\"created\":\"1970-01-01T00:16:40Z\",\"history\":[{\"created\":"
	       "\"1970-01-01T00:16:40Z\",\"created_by\":\"first\",\"comment\":\"buildkit.exporter.image.v0\"}],"
	       "\"os\":\"l\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A "\"]}}");
}

static void test_empty(void)
{
	golden("{\"os\":\"linux\",\"architecture\":\"amd64\"}", NULL, 0, -1,
	       "{\"architecture\":\"amd64\",\"created\":null,\"history\":null,\"os\":\"linux\",\"rootfs\":{\"type\":"
	       "\"layers\","
	       "\"diff_ids\":null}}");
	GError *error = NULL;
	g_autofree char *text = run(NULL, NULL, 0, -1, &error);
	g_assert_no_error(error);
	g_assert_nonnull(strstr(text, "\"config\":{\"Env\":[\"PATH=/usr/local/sbin:"));
	g_assert_nonnull(strstr(text, "\"WorkingDir\":\"/\"}"));
}

static void test_bad(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"null", "invalid null image config for export"},
		{"{\"architecture\":\"amd64\"}", "invalid image config for export: missing os"},
		{"{\"os\":\"linux\"}", "invalid image config for export: missing architecture"},
		{"{\"os\":\"l\",\"architecture\":\"a\",\"history\":[{\"created\":\"x\"}]}",
		 "invalid image config for export: parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(run(rows[i].text, NULL, 0, -1, &error));
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/history-added", test_history_added);
	g_test_add_func("/config/history-times", test_history_times);
	g_test_add_func("/config/epoch", test_epoch);
	g_test_add_func("/config/empty", test_empty);
	g_test_add_func("/config/bad", test_bad);
	return g_test_run();
}
