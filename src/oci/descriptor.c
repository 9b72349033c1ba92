/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include <string.h>

#define ANNOTATIONS_MAX 10000
#define STRINGS_MAX 1000

static bool wrong_type(const char *key, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid document: wrong type of \"%s\"", key);
}

bool oci_read_string(const json_t *object, const char *key, char **ret, GError **error)
{
	const json_t *value = json_object_get(object, key);
	if (!value || json_is_null(value)) {
		*ret = NULL;
		return true;
	}
	if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
		return wrong_type(key, error);
	*ret = json_string_length(value) > 0 ? g_strdup(json_string_value(value)) : NULL;
	return true;
}

static bool oci_read_strings(const json_t *object, const char *key, char ***ret, GError **error)
{
	const json_t *list = json_object_get(object, key);
	*ret = NULL;
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list) || json_array_size(list) > STRINGS_MAX)
		return wrong_type(key, error);
	g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			return wrong_type(key, error);
		g_ptr_array_add(strings, g_strdup(text));
	}
	if (strings->len == 0)
		return true;
	g_ptr_array_add(strings, NULL);
	*ret = (char **)g_ptr_array_free(g_steal_pointer(&strings), FALSE);
	return true;
}

static GHashTable *oci_annotations_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

bool oci_read_annotations(const json_t *object, GHashTable **ret, GError **error)
{
	json_t *map = json_object_get(object, "annotations");
	*ret = NULL;
	if (!map || json_is_null(map))
		return true;
	if (!json_is_object(map) || json_object_size(map) > ANNOTATIONS_MAX)
		return wrong_type("annotations", error);
	g_autoptr(GHashTable) annotations = oci_annotations_new();
	const char *key;
	json_t *value;
	json_object_foreach(map, key, value)
	{
		if (!json_is_string(value))
			return wrong_type("annotations", error);
		g_hash_table_insert(annotations, g_strdup(key), g_strdup(json_string_value(value)));
	}
	if (g_hash_table_size(annotations) > 0)
		*ret = g_steal_pointer(&annotations);
	return true;
}

static GHashTable *oci_annotations_copy(GHashTable *from)
{
	if (!from)
		return NULL;
	GHashTable *to = oci_annotations_new();
	for (struct hash_walk it = hash_walk(from); hash_walk_next(&it);)
		g_hash_table_insert(to, g_strdup(it.key), g_strdup(it.value));
	return to;
}

/* ---- platform */

static bool read_fixed(const json_t *object, const char *key, char *to, size_t size, GError **error)
{
	g_autofree char *text = NULL;
	if (!oci_read_string(object, key, &text, error))
		return false;
	if (text && strlen(text) >= size)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid platform: \"%s\" is too long", key);
	g_strlcpy(to, text ? text : "", size);
	return true;
}

bool oci_platform_read(const json_t *json, struct platform *ret, char ***ret_features, GError **error)
{
	struct platform p = {0};
	g_auto(GStrv) features = NULL;
	if (!json_is_object(json))
		return wrong_type("platform", error);
	if (!read_fixed(json, "architecture", p.architecture, sizeof p.architecture, error) ||
	    !read_fixed(json, "os", p.os, sizeof p.os, error) ||
	    !read_fixed(json, "os.version", p.os_version, sizeof p.os_version, error) ||
	    !read_fixed(json, "variant", p.variant, sizeof p.variant, error) ||
	    !oci_read_strings(json, "os.features", &features, error))
		return false;
	p.os_features = features;
	*ret = p;
	*ret_features = g_steal_pointer(&features);
	return true;
}

void oci_platform_write(json_writer *w, const struct platform *p)
{
	json_object_begin(w);
	json_put_string_member(w, "architecture", p->architecture);
	json_put_string_member(w, "os", p->os);
	json_put_string_member_nonempty(w, "os.version", p->os_version);
	json_put_strings_member_nonempty(w, "os.features", p->os_features,
					 p->os_features ? g_strv_length((char **)p->os_features) : 0);
	json_put_string_member_nonempty(w, "variant", p->variant);
	json_object_end(w);
}

/* ---- descriptor */

oci_descriptor *oci_descriptor_new(const char *media_type, const struct digest *digest, int64_t size)
{
	oci_descriptor *d = g_new0(oci_descriptor, 1);
	d->media_type = g_strdup(media_type);
	if (digest)
		d->digest = *digest;
	d->size = size;
	return d;
}

oci_descriptor *oci_descriptor_copy(const oci_descriptor *d)
{
	oci_descriptor *copy = oci_descriptor_new(d->media_type, &d->digest, d->size);
	copy->annotations = oci_annotations_copy(d->annotations);
	if (d->has_platform)
		oci_descriptor_set_platform(copy, &d->platform);
	copy->artifact_type = g_strdup(d->artifact_type);
	copy->urls = g_strdupv(d->urls);
	copy->data = d->data ? g_bytes_ref(d->data) : NULL;
	return copy;
}

void oci_descriptor_free(oci_descriptor *d)
{
	if (!d)
		return;
	g_free(d->media_type);
	g_clear_pointer(&d->annotations, g_hash_table_unref);
	g_strfreev((char **)d->platform.os_features);
	g_free(d->artifact_type);
	g_strfreev(d->urls);
	g_clear_pointer(&d->data, g_bytes_unref);
	g_free(d);
}

void oci_descriptor_set_platform(oci_descriptor *d, const struct platform *platform)
{
	char **old = (char **)d->platform.os_features;
	d->platform = *platform;
	d->platform.os_features = g_strdupv((char **)platform->os_features);
	d->has_platform = true;
	g_strfreev(old);
}

void oci_descriptor_annotate(oci_descriptor *d, const char *key, const char *value)
{
	if (!d->annotations)
		d->annotations = oci_annotations_new();
	g_hash_table_insert(d->annotations, g_strdup(key), g_strdup(value));
}

const char *oci_descriptor_annotation(const oci_descriptor *d, const char *key)
{
	return d->annotations ? g_hash_table_lookup(d->annotations, key) : NULL;
}

static bool data_read(const json_t *json, oci_descriptor *d, GError **error)
{
	g_autofree char *text = NULL;
	if (!oci_read_string(json, "data", &text, error))
		return false;
	if (!text)
		return true;
	gsize n;
	guchar *bytes = g_base64_decode(text, &n);
	d->data = g_bytes_new_take(bytes, n);
	struct digest digest;
	digest_of(bytes, n, &digest);
	/* Only sha256 can be verified here, so data with any other algorithm is ignored. */
	if ((int64_t)n != d->size ||
	    (g_str_has_prefix(d->digest.text, "sha256:") && !digest_equal(&digest, &d->digest)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid descriptor: data of %s does not match",
				 d->digest.text);
	return true;
}

static bool identity_read(const json_t *json, oci_descriptor *d, GError **error)
{
	g_autofree char *digest = NULL;
	if (!oci_read_string(json, "mediaType", &d->media_type, error) ||
	    !oci_read_string(json, "digest", &digest, error))
		return false;
	if (!d->media_type)
		d->media_type = g_strdup("");
	if (!digest_parse(digest ? digest : "", &d->digest, error))
		return false;
	const json_t *size = json_object_get(json, "size");
	if (!json_is_integer(size))
		return wrong_type("size", error);
	d->size = json_integer_value(size);
	if (d->size < 0 || d->size > LIMIT_LAYER_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid size %" G_GINT64_FORMAT " of %s", d->size,
				 d->digest.text);
	return true;
}

oci_descriptor *oci_descriptor_read(const json_t *json, GError **error)
{
	if (!json_is_object(json)) {
		wrong_type("descriptor", error);
		return NULL;
	}
	g_autoptr(oci_descriptor) d = g_new0(oci_descriptor, 1);
	if (!identity_read(json, d, error) || !oci_read_annotations(json, &d->annotations, error) ||
	    !oci_read_string(json, "artifactType", &d->artifact_type, error) ||
	    !oci_read_strings(json, "urls", &d->urls, error) || !data_read(json, d, error))
		return NULL;
	const json_t *platform = json_object_get(json, "platform");
	if (platform && !json_is_null(platform)) {
		char **features;
		if (!oci_platform_read(platform, &d->platform, &features, error))
			return NULL;
		d->has_platform = true; /* and d owns the features through platform */
	}
	return g_steal_pointer(&d);
}

void oci_descriptor_write(json_writer *w, const oci_descriptor *d)
{
	json_object_begin(w);
	json_put_string_member(w, "mediaType", d->media_type);
	json_put_string_member(w, "digest", d->digest.text);
	json_put_int_member(w, "size", d->size);
	json_put_strings_member_nonempty(w, "urls", d->urls, d->urls ? g_strv_length((char **)d->urls) : 0);
	json_put_map_member_nonempty(w, "annotations", d->annotations);
	if (d->data && g_bytes_get_size(d->data) > 0) {
		json_key(w, "data");
		json_put_base64(w, g_bytes_get_data(d->data, NULL), g_bytes_get_size(d->data));
	}
	if (d->has_platform) {
		json_key(w, "platform");
		oci_platform_write(w, &d->platform);
	}
	json_put_string_member_nonempty(w, "artifactType", d->artifact_type);
	json_object_end(w);
}
