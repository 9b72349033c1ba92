/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversion of a Dockerfile: input is Dockerfile, NUL, option lines (key=value), NUL, ignore file. The result must
 * be LLB that a daemon accepts.
 */
#include "frontend/dockerfile/dockerfile.h"
#include "llb/definition.h"
#include "lib/mock_bridge.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Returns the text up to the next NUL and advances *bytes and *n behind it. */
static char *next_part(const uint8_t **bytes, size_t *n)
{
	const uint8_t *nul = *n ? memchr(*bytes, 0, *n) : NULL;
	size_t size = nul ? (size_t)(nul - *bytes) : *n;
	char *part = g_strndup((const char *)*bytes, size);
	*bytes += nul ? size + 1 : size;
	*n -= nul ? size + 1 : size;
	return part;
}

/* Options of a frontend are valid UTF-8: other messages are refused earlier. */
static GHashTable *read_options(const char *text)
{
	GHashTable *options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", 16);
	for (char **line = lines; *line; line++) {
		char *equals = strchr(*line, '=');
		if (equals && g_utf8_validate(*line, -1, NULL))
			g_hash_table_replace(options, g_strndup(*line, (gsize)(equals - *line)), g_strdup(equals + 1));
	}
	return options;
}

static void check_definitions(const struct mock_bridge *m)
{
	struct llb_load_options all = {.allow_network_host = true, .allow_security_insecure = true};
	for (guint i = 0; i < m->definitions->len; i++) {
		const Pb__Definition *wire = g_ptr_array_index(m->definitions, i);
		g_autoptr(GError) error = NULL;
		llb_definition *definition = wire->n_def ? llb_load(wire, &all, &error) : NULL;
		g_assert_no_error(error);
		if (definition)
			llb_definition_unref(definition);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 16384)
		return 0;
	g_autofree char *dockerfile = next_part(&bytes, &n), *options_text = next_part(&bytes, &n),
			*ignore = next_part(&bytes, &n);
	g_autoptr(GHashTable) options = read_options(options_text);
	g_autoptr(GError) error = NULL;
	build_result *result = NULL;
	struct mock_bridge *m = mock_bridge_new();
	mock_bridge_file(m, "Dockerfile", dockerfile);
	if (*ignore)
		mock_bridge_file(m, ".dockerignore", ignore);
	if (dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, &error))
		build_result_unref(result);
	else
		g_assert_nonnull(error);
	check_definitions(m);
	mock_bridge_free(m);
	return 0;
}
