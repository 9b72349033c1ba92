/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/env.h"
#include "lib/outcome.h"
#include <glib/gstdio.h>
#include <string.h>

struct dir {
	char *path;
	GPtrArray *files; /* of owned paths */
};

static void dir_init(struct dir *d)
{
	d->path = g_dir_make_tmp("provenance-XXXXXX", NULL);
	d->files = g_ptr_array_new_with_free_func(g_free);
}

static void dir_put(struct dir *d, const char *name, const char *text)
{
	char *path = g_build_filename(d->path, name, NULL);
	assert_succeeds(g_file_set_contents(path, text, -1, &failure));
	g_ptr_array_add(d->files, path);
}

static void dir_clear(struct dir *d)
{
	for (guint i = 0; i < d->files->len; i++)
		g_remove(d->files->pdata[i]);
	g_rmdir(d->path);
	g_ptr_array_unref(d->files);
	g_free(d->path);
}

static void test_load(void)
{
	struct dir d;
	g_autoptr(GError) error = NULL;
	dir_init(&d);
	dir_put(&d, "b.json", "{\"numbers\":[1,2,3],\"same\":2}");
	dir_put(&d, "a.json", "{\"foo\":\"bar\",\"same\":1}");
	dir_put(&d, "c.txt", "no JSON");
	g_autoptr(json_t) env = provenance_env_load(d.path, &error);
	g_assert_no_error(error);
	g_autoptr(json_writer) w = json_writer_new(0);
	size_t at = 0;
	json_object_begin(w);
	provenance_env_write(w, env, &at, "m");
	json_put_string_member(w, "m", "own");
	provenance_env_write(w, env, &at, "other");
	provenance_env_write(w, env, &at, NULL);
	json_object_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	g_assert_cmpstr(text, ==, "{\"foo\":\"bar\",\"m\":\"own\",\"numbers\":[1,2,3],\"same\":2}");
	dir_clear(&d);
}

static void test_faults(void)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"{\"a\":", "failed to parse"},
		{"[1]", "failed to parse"},
		{"{\"builderPlatform\":\"x\"}", "key \"builderPlatform\" is builtin"},
		{"{\"buildConfig\":1}", "key \"buildConfig\" is builtin"},
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) none = provenance_env_load("/nonexistent/provenance.d", &error);
	g_assert_no_error(error);
	g_assert_cmpuint(json_object_size(none), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct dir d;
		dir_init(&d);
		dir_put(&d, "x.json", rows[i].text);
		g_assert_null(provenance_env_load(d.path, &error));
		g_assert_nonnull(strstr(error->message, rows[i].error));
		g_assert_nonnull(strstr(error->message, "x.json"));
		g_clear_error(&error);
		dir_clear(&d);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/provenance-env/load", test_load);
	g_test_add_func("/provenance-env/faults", test_faults);
	return g_test_run();
}
