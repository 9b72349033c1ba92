/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "export/writer.h"
#include <string.h>

static void result_platform_free(gpointer data)
{
	struct result_platform *p = data;
	g_free(p->id);
	g_strfreev(p->os_features);
	g_free(p);
}

GBytes *result_metadata(GHashTable *metadata, const char *key, const char *platform_id)
{
	if (platform_id) {
		g_autofree char *own = g_strconcat(key, "/", platform_id, NULL);
		GBytes *bytes = g_hash_table_lookup(metadata, own);
		if (bytes)
			return bytes;
	}
	return g_hash_table_lookup(metadata, key);
}

static struct result_platform *add(GPtrArray *list, const char *id)
{
	struct result_platform *p = g_new0(struct result_platform, 1);
	p->id = g_strdup(id);
	g_ptr_array_add(list, p);
	return p;
}

static bool entry_read(const json_t *entry, GPtrArray *to, GError **error)
{
	const char *id = json_string_value(json_object_get(entry, "ID"));
	if (!id || !*id)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid empty platform key for exporter");
	struct result_platform *p = add(to, id);
	if (!oci_platform_read(json_object_get(entry, "Platform"), &p->platform, &p->os_features, error))
		return false;
	if (!p->platform.os[0] || !p->platform.architecture[0])
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid platform value of %s for exporter", id);
	platform_normalize(&p->platform);
	return true;
}

static bool mapping_read(GBytes *bytes, GPtrArray *to, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	g_autoptr(json_t) json = json_read(data, n, MIB(1), "platforms passed to provenance processor", error);
	if (!json)
		return false;
	const json_t *list = json_object_get(json, "Platforms");
	if (json_array_size(list) == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid empty platforms index for exporter");
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!entry_read(json_array_get(list, i), to, error))
			return false;
	return true;
}

/* Returns the platform of a single result: from its image config, else the host's. */
static bool single_read(GHashTable *metadata, GPtrArray *to, GError **error)
{
	GBytes *config = g_hash_table_lookup(metadata, "containerimage.config");
	struct result_platform *p = add(to, "");
	platform_host(&p->platform);
	if (config) {
		gsize n;
		const void *data = g_bytes_get_data(config, &n);
		g_autoptr(json_t) json = json_read(data, n, LIMIT_CONFIG_BYTES, "image config for export", error);
		struct platform own = {0};
		/* "null" is valid here; exporters that need a config report the error (image, not directory). */
		if (!json || (!json_is_null(json) && !oci_platform_read(json, &own, &p->os_features, error)))
			return false;
		if (!own.os[0] != !own.architecture[0])
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid image config: os and architecture must be specified together");
		p->platform = own;
	}
	platform_normalize(&p->platform);
	g_free(p->id);
	p->id = platform_format_all(&p->platform);
	return true;
}

GPtrArray *result_platforms(GHashTable *metadata, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(result_platform_free);
	GBytes *mapping = g_hash_table_lookup(metadata, "refs.platforms");
	bool ok = mapping ? mapping_read(mapping, list, error) : single_read(metadata, list, error);
	return ok ? g_steal_pointer(&list) : NULL;
}
