/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "oci/descriptor.h"
#include <string.h>

static bool diff_ids_read(const json_t *json, GPtrArray *to, GError **error)
{
	const json_t *rootfs = json_object_get(json, "rootfs");
	const json_t *list = json_object_get(rootfs, "diff_ids");
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid image config: wrong type of \"diff_ids\"");
	if (json_array_size(list) > (size_t)LIMIT_LAYERS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "image has %zu layers, at most %lld are supported",
				 json_array_size(list), LIMIT_LAYERS);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		struct digest digest;
		if (!digest_parse(text ? text : "", &digest, error))
			return false;
		g_ptr_array_add(to, g_strdup(digest.text));
	}
	return true;
}

oci_config *oci_config_parse(const void *bytes, size_t n, GError **error)
{
	g_autoptr(oci_config) c = g_new0(oci_config, 1);
	c->diff_ids = g_ptr_array_new_with_free_func(g_free);
	c->json = json_read(bytes, n, LIMIT_CONFIG_BYTES, "image config", error);
	if (!c->json)
		return NULL;
	if (!oci_platform_read(c->json, &c->platform, &c->os_features, error) ||
	    !diff_ids_read(c->json, c->diff_ids, error))
		return NULL;
	return g_steal_pointer(&c);
}

void oci_config_free(oci_config *c)
{
	if (!c)
		return;
	g_clear_pointer(&c->diff_ids, g_ptr_array_unref);
	g_clear_pointer(&c->json, json_decref);
	g_strfreev(c->os_features);
	g_free(c);
}

oci_layer *oci_layer_copy(const oci_layer *l)
{
	oci_layer *copy = g_new0(oci_layer, 1);
	copy->descriptor = l->descriptor ? oci_descriptor_copy(l->descriptor) : NULL;
	copy->diff_id = l->diff_id;
	copy->created_ns = l->created_ns;
	copy->description = g_strdup(l->description);
	return copy;
}

void oci_layer_free(oci_layer *l)
{
	if (!l)
		return;
	oci_descriptor_free(l->descriptor);
	g_free(l->description);
	g_free(l);
}

void oci_chain_id(const struct digest *a, const struct digest *b, struct digest *ret)
{
	if (!a || !digest_is_set(a)) {
		*ret = *b;
		return;
	}
	g_autofree char *pair = g_strconcat(a->text, " ", b->text, NULL);
	digest_of_text(pair, ret);
}
