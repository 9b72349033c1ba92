/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "oci/descriptor.h"
#include <string.h>

#define SCHEMA1_PREFIX "application/vnd.docker.distribution.manifest.v1+"

static void descriptor_free(gpointer d)
{
	oci_descriptor_free(d);
}

oci_manifest *oci_manifest_new(const char *media_type)
{
	oci_manifest *m = g_new0(oci_manifest, 1);
	m->media_type = g_strdup(media_type);
	m->layers = g_ptr_array_new_with_free_func(descriptor_free);
	return m;
}

void oci_manifest_free(oci_manifest *m)
{
	if (!m)
		return;
	g_free(m->media_type);
	g_free(m->artifact_type);
	oci_descriptor_free(m->config);
	g_clear_pointer(&m->layers, g_ptr_array_unref);
	oci_descriptor_free(m->subject);
	g_clear_pointer(&m->annotations, g_hash_table_unref);
	g_free(m);
}

oci_index *oci_index_new(const char *media_type)
{
	oci_index *i = g_new0(oci_index, 1);
	i->media_type = g_strdup(media_type);
	i->manifests = g_ptr_array_new_with_free_func(descriptor_free);
	return i;
}

void oci_index_free(oci_index *i)
{
	if (!i)
		return;
	g_free(i->media_type);
	g_clear_pointer(&i->manifests, g_ptr_array_unref);
	g_clear_pointer(&i->annotations, g_hash_table_unref);
	g_free(i);
}

/* ---- reading */

static bool has_list(const json_t *json, const char *key)
{
	const json_t *value = json_object_get(json, key);
	return value && !json_is_null(value);
}

/*
 * A document must be unambiguous: its media types outside and inside must agree, and members of the other kind are
 * refused (GHSA-5j5w-g665-5m35).
 */
static bool document_check(const json_t *json, const char *media_type, bool is_index, GError **error)
{
	const char *what = is_index ? "index" : "manifest";
	if (!json_is_object(json))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s: not an object", what);
	if (g_str_has_prefix(media_type, SCHEMA1_PREFIX) ||
	    json_integer_value(json_object_get(json, "schemaVersion")) == 1)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no "
				 "longer supported "
				 "since containerd v2.0, please rebuild the image as \"" DOCKER_MANIFEST
				 "\" or \"" OCI_MANIFEST "\"");
	bool ambiguous = is_index ? has_list(json, "layers") || has_list(json, "config") : has_list(json, "manifests");
	if (ambiguous || has_list(json, "fsLayers"))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid %s: it contains members of another kind of document", what);
	const char *said = json_string_value(json_object_get(json, "mediaType"));
	if (said && said[0] && !g_str_equal(said, media_type))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid %s: media type \"%.200s\" does not match \"%.200s\"", what, said, media_type);
	return true;
}

static bool descriptors_read(const json_t *json, const char *key, size_t max, GPtrArray *to, GError **error)
{
	const json_t *list = json_object_get(json, key);
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid document: wrong type of \"%s\"", key);
	if (json_array_size(list) > max)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "invalid document: %zu %s, at most %zu are supported",
				 json_array_size(list), key, max);
	for (size_t i = 0; i < json_array_size(list); i++) {
		oci_descriptor *d = oci_descriptor_read(json_array_get(list, i), error);
		if (!d)
			return false;
		g_ptr_array_add(to, d);
	}
	return true;
}

static bool manifest_members_read(const json_t *json, oci_manifest *m, GError **error)
{
	if (!oci_read_string(json, "artifactType", &m->artifact_type, error) ||
	    !oci_read_annotations(json, &m->annotations, error))
		return false;
	const json_t *config = json_object_get(json, "config");
	m->config = oci_descriptor_read(config, error);
	if (!m->config)
		return error_prefix(error, "invalid manifest config: ");
	/* A build cache lists the layers of many images. */
	bool is_cache = g_str_equal(m->config->media_type, BUILDKIT_CACHE_CONFIG);
	if (!descriptors_read(json, "layers", is_cache ? LIMIT_INDEX_MANIFESTS : LIMIT_LAYERS, m->layers, error))
		return false;
	const json_t *subject = json_object_get(json, "subject");
	if (!subject || json_is_null(subject))
		return true;
	m->subject = oci_descriptor_read(subject, error);
	return m->subject != NULL;
}

oci_manifest *oci_manifest_parse(const void *bytes, size_t n, const char *media_type, GError **error)
{
	g_autoptr(json_t) json = json_read(bytes, n, LIMIT_MANIFEST_BYTES, "manifest", error);
	if (!json || !document_check(json, media_type, false, error))
		return NULL;
	g_autoptr(oci_manifest) m = oci_manifest_new(media_type);
	if (!manifest_members_read(json, m, error))
		return NULL;
	return g_steal_pointer(&m);
}

oci_index *oci_index_parse(const void *bytes, size_t n, const char *media_type, GError **error)
{
	g_autoptr(json_t) json = json_read(bytes, n, LIMIT_INDEX_BYTES, "index", error);
	if (!json || !document_check(json, media_type, true, error))
		return NULL;
	g_autoptr(oci_index) i = oci_index_new(media_type);
	if (!oci_read_annotations(json, &i->annotations, error) ||
	    !descriptors_read(json, "manifests", LIMIT_INDEX_MANIFESTS, i->manifests, error))
		return NULL;
	return g_steal_pointer(&i);
}

/* ---- selection */

static bool is_attestation(const oci_descriptor *d)
{
	return oci_descriptor_annotation(d, "vnd.docker.reference.type") ||
	       (d->has_platform && g_str_equal(d->platform.os, "unknown") &&
		g_str_equal(d->platform.architecture, "unknown"));
}

static bool is_image(const oci_descriptor *d)
{
	return oci_media_type_is_manifest(d->media_type) || oci_media_type_is_index(d->media_type);
}

/* 1 for a manifest without a platform: the lowest priority; its config decides. */
static int descriptor_rank(const oci_descriptor *d, const struct platform *want)
{
	if (!is_image(d) || is_attestation(d))
		return 0;
	return d->has_platform ? platform_match(want, &d->platform) : 1;
}

const oci_descriptor *oci_index_select(const oci_index *index, const struct platform *want)
{
	const oci_descriptor *best = NULL;
	int best_rank = 0;
	for (guint i = 0; i < index->manifests->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(index->manifests, i);
		int rank = descriptor_rank(d, want);
		if (rank > best_rank) {
			best = d;
			best_rank = rank;
		}
	}
	return best;
}

/* ---- writing */

static void descriptors_write(json_writer *w, const char *key, const GPtrArray *list)
{
	json_key(w, key);
	if (!list || list->len == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (guint i = 0; i < list->len; i++)
		oci_descriptor_write(w, g_ptr_array_index(list, i));
	json_array_end(w);
}

static json_writer *document_begin(const char *media_type, const char *artifact_type)
{
	json_writer *w = json_writer_new(2);
	json_object_begin(w);
	json_put_int_member(w, "schemaVersion", 2);
	json_put_string_member_nonempty(w, "mediaType", media_type);
	json_put_string_member_nonempty(w, "artifactType", artifact_type);
	return w;
}

char *oci_manifest_write(const oci_manifest *m, size_t *ret_len)
{
	json_writer *w = document_begin(m->media_type, m->artifact_type);
	json_key(w, "config");
	oci_descriptor_write(w, m->config);
	descriptors_write(w, "layers", m->layers);
	if (m->subject) {
		json_key(w, "subject");
		oci_descriptor_write(w, m->subject);
	}
	json_put_map_member_nonempty(w, "annotations", m->annotations);
	json_object_end(w);
	return json_writer_take(&w, ret_len);
}

char *oci_index_write(const oci_index *i, size_t *ret_len)
{
	json_writer *w = document_begin(i->media_type, NULL);
	descriptors_write(w, "manifests", i->manifests);
	json_put_map_member_nonempty(w, "annotations", i->annotations);
	json_object_end(w);
	return json_writer_take(&w, ret_len);
}
