/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"
#include "lib/outcome.h"
#include <string.h>

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static const char manifest_golden[] = "{\n"
				      "  \"schemaVersion\": 2,\n"
				      "  \"mediaType\": \"" OCI_MANIFEST "\",\n"
				      "  \"artifactType\": \"application/x\",\n"
				      "  \"config\": {\n"
				      "    \"mediaType\": \"" OCI_EMPTY "\",\n"
				      "    \"digest\": \"" EMPTY "\",\n"
				      "    \"size\": 2,\n"
				      "    \"data\": \"e30=\"\n"
				      "  },\n"
				      "  \"layers\": [\n"
				      "    {\n"
				      "      \"mediaType\": \"" OCI_LAYER_GZIP "\",\n"
				      "      \"digest\": \"" A "\",\n"
				      "      \"size\": 5,\n"
				      "      \"annotations\": {\n"
				      "        \"a\": \"1\",\n"
				      "        \"b\": \"\\u003c\"\n"
				      "      }\n"
				      "    }\n"
				      "  ],\n"
				      "  \"subject\": {\n"
				      "    \"mediaType\": \"" OCI_MANIFEST "\",\n"
				      "    \"digest\": \"" B "\",\n"
				      "    \"size\": 7\n"
				      "  },\n"
				      "  \"annotations\": {\n"
				      "    \"k\": \"v\"\n"
				      "  }\n"
				      "}";

static void test_manifest(void)
{
	GError *error = NULL;
	g_autoptr(oci_manifest) m = oci_manifest_parse(manifest_golden, strlen(manifest_golden), OCI_MANIFEST, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(m->layers->len, ==, 1);
	size_t n;
	g_autofree char *text = oci_manifest_write(m, &n);
	g_assert_cmpstr(text, ==, manifest_golden);
	g_assert_cmpuint(n, ==, strlen(manifest_golden));
}

static void test_no_layers(void)
{
	struct digest digest;
	assert_succeeds(digest_parse(A, &digest, &failure));
	g_autoptr(oci_manifest) m = oci_manifest_new(OCI_MANIFEST);
	m->config = oci_descriptor_new(OCI_CONFIG, &digest, 1);
	g_autofree char *text = oci_manifest_write(m, NULL);
	g_assert_nonnull(strstr(text, "\"layers\": null\n"));
}

#define CONFIG(size) "\"config\":{\"mediaType\":\"x\",\"digest\":\"" A "\",\"size\":" size "}"

static void test_refused(void)
{
	static const struct {
		const char *text, *type, *error;
	} rows[] = {
		{"", OCI_MANIFEST, "failed to parse manifest: line 1 column 0: unexpected token near end of file"},
		{"[]", OCI_MANIFEST, "invalid manifest: not an object"},
		{"{}", OCI_MANIFEST, "invalid manifest config: invalid document: wrong type of \"descriptor\""},
		{"{" CONFIG("1") ",\"manifests\":[]}", OCI_MANIFEST,
		 "invalid manifest: it contains members of another kind of document"},
		{"{" CONFIG("-1") "}", OCI_MANIFEST, "invalid manifest config: invalid size -1 of " A},
		{"{" CONFIG("1152921504606846976") "}", OCI_MANIFEST,
		 "invalid manifest config: invalid size 1152921504606846976 of " A},
		{"{\"config\":{\"mediaType\":\"x\",\"digest\":\"sha256:../../x\",\"size\":1}}", OCI_MANIFEST,
		 "invalid manifest config: invalid digest \"sha256:../../x\""},
		{"{" CONFIG("\"1\"") "}", OCI_MANIFEST,
		 "invalid manifest config: invalid document: wrong type of \"size\""},
		{"{" CONFIG("1") ",\"config\":{}}", OCI_MANIFEST,
		 "failed to parse manifest: line 1 column 128: duplicate object key near '\"config\"'"},
		{"{\"mediaType\":\"" OCI_INDEX "\"," CONFIG("1") "}", OCI_MANIFEST,
		 "invalid manifest: media type \"" OCI_INDEX "\" does not match \"" OCI_MANIFEST "\""},
		{"{\"schemaVersion\":1,\"fsLayers\":[]}", DOCKER_MANIFEST,
		 "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported "
		 "since "
		 "containerd v2.0, please rebuild the image as \"" DOCKER_MANIFEST "\" or \"" OCI_MANIFEST "\""},
		{"{\"manifests\":[],\"layers\":[]}", OCI_INDEX,
		 "invalid index: it contains members of another kind of document"},
		{"{\"manifests\":[{}]}", OCI_INDEX, "invalid digest \"\""},
		{"{\"manifests\":[]} x", OCI_INDEX,
		 "failed to parse index: line 1 column 18: end of file expected near 'x'"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		size_t n = strlen(rows[i].text);
		if (strcmp(rows[i].type, OCI_INDEX) == 0)
			g_assert_null(oci_index_parse(rows[i].text, n, rows[i].type, &error));
		else
			g_assert_null(oci_manifest_parse(rows[i].text, n, rows[i].type, &error));
		g_assert_nonnull(error);
		g_assert_cmpstr(error->message, ==, rows[i].error);
	}
}

static const char index_text[] =
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":["
	"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" A
	"\",\"size\":1,\"platform\":{\"architecture\":\"386\",\"os\":\"linux\"}},"
	"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" B
	"\",\"size\":1,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\",\"os.features\":[\"f\"]}},"
	"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" B
	"\",\"size\":2,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}},"
	"{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" EMPTY
	"\",\"size\":3,\"annotations\":{\"vnd.docker.reference.type\":"
	"\"attestation-manifest\"},\"platform\":{\"architecture\":\"unknown\",\"os\":\"unknown\"}}]}";

static void test_index(void)
{
	GError *error = NULL;
	g_autoptr(oci_index) index = oci_index_parse(index_text, strlen(index_text), OCI_INDEX, &error);
	g_assert_no_error(error);
	struct platform amd64, arm64, unknown = {.os = "unknown", .architecture = "unknown"};
	assert_succeeds(platform_parse("linux/amd64", &amd64, &failure));
	assert_succeeds(platform_parse("linux/arm64", &arm64, &failure));
	g_assert_cmpint(oci_index_select(index, &amd64)->size, ==, 2);
	g_assert_null(oci_index_select(index, &arm64));
	g_assert_null(oci_index_select(index, &unknown));
	/* A copy owns all of its members, features too. */
	g_autoptr(oci_descriptor) copy = oci_descriptor_copy(g_ptr_array_index(index->manifests, 1));
	g_assert_cmpstr(copy->platform.os_features[0], ==, "f");
}

static void test_config(void)
{
	static const char text[] =
		"{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[\"" A "\",\"" B "\"]}}";
	GError *error = NULL;
	g_autoptr(oci_config) c = oci_config_parse(text, strlen(text), &error);
	g_assert_no_error(error);
	g_assert_cmpuint(c->diff_ids->len, ==, 2);
	g_assert_cmpstr(c->platform.variant, ==, "v7");
	static const char bad[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:x\"]}}";
	g_assert_null(oci_config_parse(bad, strlen(bad), &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, "invalid digest \"sha256:x\"");
	g_clear_error(&error);
}

static void test_chain_id(void)
{
	struct digest a, b, chain, unset = {0};
	assert_succeeds(digest_parse(A, &a, &failure));
	assert_succeeds(digest_parse(B, &b, &failure));
	oci_chain_id(&unset, &a, &chain);
	g_assert_cmpstr(chain.text, ==, A);
	oci_chain_id(&a, &b, &chain);
	struct digest expected;
	digest_of_text(A " " B, &expected);
	g_assert_cmpstr(chain.text, ==, expected.text);
}

static void test_media_types(void)
{
	g_assert_cmpstr(oci_media_type_convert(DOCKER_LAYER_GZIP, true, false), ==, OCI_LAYER_GZIP);
	g_assert_cmpstr(oci_media_type_convert(OCI_LAYER_ZSTD, false, false), ==, DOCKER_LAYER_ZSTD);
	const char *foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
	g_assert_true(oci_media_type_is_foreign(foreign));
	g_assert_cmpstr(oci_media_type_convert(foreign, false, false), ==, DOCKER_LAYER_GZIP);
	g_assert_cmpstr(oci_media_type_convert(foreign, true, true), ==,
			"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
	g_assert_cmpstr(oci_media_type_convert("x/y", true, false), ==, "x/y");
	g_autofree char *found = oci_media_type_detect(index_text, strlen(index_text));
	g_assert_cmpstr(found, ==, OCI_INDEX);
	g_assert_null(oci_media_type_detect("{}", 2));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/oci/manifest", test_manifest);
	g_test_add_func("/oci/no-layers", test_no_layers);
	g_test_add_func("/oci/refused", test_refused);
	g_test_add_func("/oci/index", test_index);
	g_test_add_func("/oci/config", test_config);
	g_test_add_func("/oci/chain-id", test_chain_id);
	g_test_add_func("/oci/media-types", test_media_types);
	return g_test_run();
}
