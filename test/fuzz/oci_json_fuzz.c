/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct platform host;
	platform_host(&host);
	g_autofree char *type = oci_media_type_detect(data, size);
	g_autoptr(oci_config) config = oci_config_parse(data, size, NULL);
	g_autoptr(oci_index) index = oci_index_parse(data, size, OCI_INDEX, NULL);
	g_autoptr(oci_manifest) manifest = oci_manifest_parse(data, size, OCI_MANIFEST, NULL);
	g_assert(!index || !manifest || !manifest->config); /* a document has one meaning only */
	if (index) {
		oci_index_select(index, &host);
		size_t n;
		g_autofree char *text = oci_index_write(index, &n);
		g_autoptr(oci_index) again = oci_index_parse(text, n, OCI_INDEX, NULL);
		g_assert(again && again->manifests->len == index->manifests->len);
	}
	if (manifest) {
		size_t n;
		g_autofree char *text = oci_manifest_write(manifest, &n);
		g_autoptr(oci_manifest) again = oci_manifest_parse(text, n, OCI_MANIFEST, NULL);
		g_assert(again && again->layers->len == manifest->layers->len);
	}
	return 0;
}
