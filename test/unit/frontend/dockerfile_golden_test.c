/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden tests: test/golden/dockerfile/NAME/Dockerfile in, its LLB, image config and warnings as text out (`expect`).
 * Optional files: `options` (key=value lines), `dockerignore` and `images` (ref, space, config JSON). GOLDEN_UPDATE=1
 * writes `expect`.
 */
#include "frontend/dockerfile/dockerfile.h"
#include "lib/outcome.h"
#include "llb/definition.h"
#include "lib/mock_bridge.h"

/* Beside this file, as the compiler was given it (relative to the build directory, where tests run). */
static const char *golden_root(void)
{
	static char *root;
	const char *given = g_getenv("GOLDEN_ROOT");
	if (!root) {
		g_autofree char *here = g_path_get_dirname(__FILE__);
		root = g_build_filename(here, "../../golden/dockerfile", NULL);
	}
	return given ? given : root;
}

static char *read_text(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	char *text = NULL;
	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static void print_metadata(GString *out, const Pb__Definition *d, const char *digest)
{
	for (size_t i = 0; i < d->n_metadata; i++) {
		if (strcmp(d->metadata[i]->key, digest) != 0)
			continue;
		const Pb__OpMetadata *m = d->metadata[i]->value;
		for (size_t k = 0; k < m->n_description; k++)
			g_string_append_printf(out, "   %s: %s\n", m->description[k]->key, m->description[k]->value);
		if (m->ignore_cache)
			g_string_append(out, "   ignore_cache\n");
		if (m->progress_group)
			g_string_append_printf(out, "   group: %s%s\n", m->progress_group->name,
					       m->progress_group->weak ? " (weak)" : "");
		g_string_append(out, "   caps:");
		for (size_t k = 0; k < m->n_caps; k++)
			g_string_append_printf(out, " %s", m->caps[k]->key);
		g_string_append(out, "\n");
	}
	for (size_t i = 0; d->source && i < d->source->n_locations; i++) {
		if (strcmp(d->source->locations[i]->key, digest) != 0)
			continue;
		const Pb__Locations *l = d->source->locations[i]->value;
		for (size_t k = 0; k < l->n_locations; k++)
			for (size_t n = 0; n < l->locations[k]->n_ranges; n++)
				g_string_append_printf(out, "   line %d\n", l->locations[k]->ranges[n]->start->line);
	}
}

/* Prints the ops in order, with numbers instead of digests for inputs. */
static void print_definition(GString *out, const Pb__Definition *d)
{
	g_autoptr(GHashTable) numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < d->n_def; i++) {
		struct digest digest;
		digest_of(d->def[i].data, d->def[i].len, &digest);
		g_hash_table_insert(numbers, g_strdup(digest.text), GSIZE_TO_POINTER(i));
		Pb__Op *op = guard_unpack(&pb__op__descriptor, d->def[i].data, d->def[i].len, NULL);
		g_assert_nonnull(op);
		g_string_append_printf(out, "%zu", i);
		for (size_t k = 0; k < op->n_inputs; k++)
			g_string_append_printf(out, " <- %zu:%d",
					       GPOINTER_TO_SIZE(g_hash_table_lookup(numbers, op->inputs[k]->digest)),
					       (int)op->inputs[k]->index);
		size_t n_inputs = op->n_inputs;
		op->n_inputs = 0; /* printed above */
		g_autofree char *json = llb_op_json(op);
		op->n_inputs = n_inputs;
		guard_free(op);
		g_string_append_printf(out, " %s\n", json);
		print_metadata(out, d, digest.text);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_sorted(GString *out, GPtrArray *texts)
{
	g_ptr_array_sort(texts, by_text);
	for (guint i = 0; i < texts->len; i++)
		g_string_append(out, g_ptr_array_index(texts, i));
}

/* Sorts lines, so that their order does not depend on threads. */
static void print_lines(GString *out, const char *text)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit(text, "\n", -1);
	for (size_t i = 0; parts[i]; i++)
		if (*parts[i])
			g_ptr_array_add(lines, g_strdup_printf("%s\n", parts[i]));
	print_sorted(out, lines);
}

/* Prints the last definition; with several platforms all that do not load a Dockerfile or ignore file. */
static void print_definitions(GString *out, const struct mock_bridge *m, bool all)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	for (guint i = all ? 1 : m->definitions->len - 1; i < m->definitions->len; i++) {
		GString *text = g_string_new(NULL);
		print_definition(text, g_ptr_array_index(m->definitions, i));
		g_ptr_array_add(texts, g_string_free(text, FALSE));
	}
	print_sorted(out, texts);
}

static void print_result(GString *out, const build_result *r)
{
	guint n;
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(r->metadata, &n);
	qsort(keys, n, sizeof *keys, by_text);
	for (guint i = 0; i < n; i++) {
		size_t len;
		const char *text = g_bytes_get_data(g_hash_table_lookup(r->metadata, keys[i]), &len);
		g_string_append_printf(out, "%s = %.*s\n", keys[i], (int)len, text);
	}
	if (r->refs)
		g_string_append_printf(out, "refs: %u\n", g_hash_table_size(r->refs));
}

static void print_error(GString *out, const GError *error)
{
	g_string_append_printf(out, "error %s: %s\n", error_code_name(error_get_code(error)), error->message);
	const GPtrArray *details = error_get_details(error);
	for (guint i = 0; details && i < details->len; i++) {
		const struct error_detail *d = g_ptr_array_index(details, i);
		const char *ranges = strstr(d->json, "\"ranges\"");
		g_string_append_printf(out, "detail %s %s\n", d->type, ranges ? ranges : d->json);
	}
}

static GHashTable *read_options(const char *dir)
{
	GHashTable *options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *text = read_text(dir, "options");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (size_t i = 0; lines[i]; i++) {
		char *equals = strchr(lines[i], '=');
		if (equals)
			g_hash_table_insert(options, g_strndup(lines[i], (size_t)(equals - lines[i])),
					    g_strdup(equals + 1));
	}
	return options;
}

static void read_images(struct mock_bridge *m, const char *dir)
{
	g_autofree char *text = read_text(dir, "images");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (size_t i = 0; lines[i]; i++) {
		char *space = strchr(lines[i], ' ');
		if (space)
			g_hash_table_insert(m->images, g_strndup(lines[i], (size_t)(space - lines[i])),
					    g_strdup(space + 1));
	}
}

static char *run_case(const char *dir)
{
	struct mock_bridge *m = mock_bridge_new();
	g_autofree char *dockerfile = read_text(dir, "Dockerfile"), *ignore = read_text(dir, "dockerignore");
	g_autoptr(GHashTable) options = read_options(dir);
	g_autoptr(GError) error = NULL;
	build_result *result = NULL;
	read_images(m, dir);
	if (dockerfile)
		mock_bridge_file(m, "Dockerfile", dockerfile);
	if (ignore)
		mock_bridge_file(m, ".dockerignore", ignore);
	bool ok = dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, &error);
	GString *out = g_string_new(NULL);
	print_lines(out, m->requests->str);
	g_string_append(out, m->warnings->str);
	if (ok) {
		bool resolved = !g_hash_table_contains(options, "requestid");
		if (resolved && m->definitions->len > 1)
			print_definitions(out, m, result->refs != NULL);
		print_result(out, result);
		build_result_unref(result);
	} else {
		g_assert_nonnull(error);
		print_error(out, error);
	}
	mock_bridge_free(m);
	return g_string_free(out, FALSE);
}

static void test_case(const void *data)
{
	g_autofree char *dir = g_build_filename(golden_root(), data, NULL);
	g_autofree char *path = g_build_filename(dir, "expect", NULL), *expect = read_text(dir, "expect");
	g_autofree char *got = run_case(dir);
	if (g_getenv("GOLDEN_UPDATE")) {
		assert_succeeds(g_file_set_contents(path, got, -1, &failure));
		return;
	}
	g_assert_cmpstr(got, ==, expect);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	/* The cases were recorded there. */
	platform_set_host(&(struct platform){.os = "linux", .architecture = "amd64"});
	GDir *dir = g_dir_open(golden_root(), 0, NULL);
	if (!dir) {
		g_printerr("no golden files at %s\n", golden_root());
		return 1;
	}
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
		g_ptr_array_add(names, g_strdup(name));
	g_dir_close(dir);
	g_ptr_array_sort(names, by_text);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_strdup_printf("/dockerfile/%s", (char *)g_ptr_array_index(names, i));
		g_test_add_data_func(path, g_ptr_array_index(names, i), test_case);
	}
	return g_test_run();
}
