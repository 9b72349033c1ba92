/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of SBOM generators: what is accepted is written as JSON that jansson reads, with and without layers. */
#include "export/attestation_sbom.h"
#include "export/statement.h"
#include "format/json_writer.h"
#include <string.h>

static void check_json(GBytes *bytes)
{
	gsize n;
	const char *text = g_bytes_get_data(bytes, &n);
	/* Numbers beyond those of jansson are valid JSON: JSON_DECODE_INT_AS_REAL does not help for 1e999. */
	json_error_t why;
	json_t *value = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (!value && !strstr(why.text, "overflow") && !strstr(why.text, "too big"))
		g_error("%s: %.*s", why.text, (int)n, text);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	g_autoptr(GPtrArray) subjects = g_ptr_array_new();
	struct attestation *a = attestation_read(bytes, "x", NULL);
	if (!a)
		return 0;
	struct statement_budget budget = {.left = 1 << 30};
	for (int indent = 0; indent <= 2; indent += 2) {
		g_autoptr(GBytes) statement = attestation_statement(a, subjects, indent, &budget, NULL);
		check_json(statement);
	}
	g_autoptr(GHashTable) files = attestation_sbom_files(a->predicate);
	if (files) {
		GHashTableIter iter;
		gpointer path;
		g_hash_table_iter_init(&iter, files);
		while (g_hash_table_iter_next(&iter, &path, NULL))
			g_hash_table_iter_replace(&iter, g_strdup("sha256:aa"));
		g_autoptr(GBytes) complete = attestation_sbom_complete(a->predicate, files);
		check_json(complete);
	}
	attestation_free(a);
	return 0;
}
