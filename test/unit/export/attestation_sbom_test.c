/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation_sbom.h"
#include "base/version.h"
#include <string.h>

#define CREATOR "\"Tool: buildkit-" BUILDKIT_VERSION "\""

static void check(const char *text, const char *want)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
	g_autoptr(GHashTable) files = attestation_sbom_files(bytes);
	if (!want) {
		g_assert_null(files);
		return;
	}
	g_assert_nonnull(files);
	gpointer key;
	if (g_hash_table_lookup_extended(files, "/bin/sh", &key, NULL))
		g_hash_table_insert(files, g_strdup("/bin/sh"), g_strdup("sha256:aa"));
	g_autoptr(GBytes) complete = attestation_sbom_complete(bytes, files);
	g_autofree char *got = g_strndup(g_bytes_get_data(complete, NULL), g_bytes_get_size(complete));
	g_assert_cmpstr(got, ==, want);
}

static void test_complete(void)
{
	check("{\"spdxVersion\":\"SPDX-2.3\",\"files\":[{\"fileName\":\"bin/sh\"},{\"fileName\":\"/none\"},"
	      "{\"fileName\":\"//bin/../bin/sh\",\"comment\":\"\",\"x\":1},{\"fileName\":\"/bin/"
	      "sh\",\"comment\":\"mine\"},"
	      "{},7],\"creationInfo\":{\"creators\":[\"Tool: t\"],\"created\":\"c\"},\"name\":\"n\"}",
	      "{\"spdxVersion\":\"SPDX-2.3\",\"files\":[{\"fileName\":\"bin/sh\",\"comment\":\"layerID: sha256:aa\"},"
	      "{\"fileName\":\"/none\"},{\"fileName\":\"//bin/../bin/sh\",\"x\":1,\"comment\":\"layerID: sha256:aa\"},"
	      "{\"fileName\":\"/bin/sh\",\"comment\":\"mine\"},{},7],\"name\":\"n\",\"creationInfo\":"
	      "{\"created\":\"c\",\"creators\":[\"Tool: t\"," CREATOR "]}}");
	check("{\"spdxVersion\":\"SPDX-2.2\"}",
	      "{\"spdxVersion\":\"SPDX-2.2\",\"creationInfo\":{\"creators\":[" CREATOR "],\"created\":\"\"}}");
	check("{\"files\":null,\"creationInfo\":{},\"spdxVersion\":\"SPDX-2.1\"}",
	      "{\"files\":null,\"spdxVersion\":\"SPDX-2.1\",\"creationInfo\":{\"creators\":[" CREATOR "]}}");
}

/* Other documents are not changed. */
static void test_unchanged(void)
{
	static const char *const rows[] = {
		"null",
		"[]",
		"{}",
		"{\"name\":\"x\"}",
		"{\"spdxVersion\":\"SPDX-3.0\"}",
		"{\"spdxVersion\":2}",
		"{\"spdxVersion\":\"SPDX-2.3\",\"files\":[],\"files\":[]}",
		"{\"spdxVersion\":\"SPDX-2.3\",\"spdxVersion\":\"SPDX-2.3\"}",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		check(rows[i], NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sbom/complete", test_complete);
	g_test_add_func("/sbom/unchanged", test_unchanged);
	return g_test_run();
}
