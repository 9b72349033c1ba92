/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"
#include <string.h>

#define OCI_FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define DOCKER_FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar"

/* Every supported layer type, with its counterpart. A row is the same type in both families. */
static const struct layer_type {
	const char *oci, *docker;
	bool foreign;
	size_t ordinary; /* row of the same compression that is not foreign */
} layer_types[] = {
	{OCI_LAYER, DOCKER_LAYER, false, 0},
	{OCI_LAYER_GZIP, DOCKER_LAYER_GZIP, false, 1},
	{OCI_LAYER_ZSTD, DOCKER_LAYER_ZSTD, false, 2},
	{OCI_FOREIGN, DOCKER_FOREIGN, true, 0},
	{OCI_FOREIGN "+gzip", DOCKER_FOREIGN ".gzip", true, 1},
	{OCI_FOREIGN "+zstd", DOCKER_FOREIGN ".zstd", true, 2},
};

static const struct layer_type *layer_type_find(const char *media_type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layer_types); i++)
		if (g_str_equal(media_type, layer_types[i].oci) || g_str_equal(media_type, layer_types[i].docker))
			return &layer_types[i];
	return NULL;
}

bool oci_media_type_is_index(const char *media_type)
{
	return g_str_equal(media_type, OCI_INDEX) || g_str_equal(media_type, DOCKER_INDEX);
}

bool oci_media_type_is_manifest(const char *media_type)
{
	return g_str_equal(media_type, OCI_MANIFEST) || g_str_equal(media_type, DOCKER_MANIFEST);
}

bool oci_media_type_is_config(const char *media_type)
{
	return g_str_equal(media_type, OCI_CONFIG) || g_str_equal(media_type, DOCKER_CONFIG_TYPE);
}

bool oci_media_type_is_layer(const char *media_type)
{
	return layer_type_find(media_type) != NULL;
}

bool oci_media_type_is_foreign(const char *media_type)
{
	const struct layer_type *t = layer_type_find(media_type);
	return t && t->foreign;
}

const char *oci_media_type_convert(const char *media_type, bool oci, bool keep_foreign)
{
	const struct layer_type *t = layer_type_find(media_type);
	if (!t)
		return media_type;
	if (!keep_foreign)
		t = &layer_types[t->ordinary];
	return oci ? t->oci : t->docker;
}

char *oci_media_type_detect(const void *bytes, size_t n)
{
	g_autoptr(json_t) json = json_read(bytes, n, n, "manifest", NULL);
	const char *said = json_string_value(json_object_get(json, "mediaType"));
	if (said)
		return g_strdup(said);
	if (json_object_get(json, "manifests"))
		return g_strdup(OCI_INDEX);
	if (json_object_get(json, "config") && json_object_get(json, "layers"))
		return g_strdup(OCI_MANIFEST);
	return NULL;
}
