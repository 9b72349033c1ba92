/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pull.h"
#include "base/limits.h"
#include <string.h>

#define SCHEMA1_PREFIX "application/vnd.docker.distribution.manifest.v1+"

/* ---- documents */

static size_t document_max(const char *media_type)
{
	if (oci_media_type_is_index(media_type))
		return LIMIT_INDEX_BYTES;
	return oci_media_type_is_manifest(media_type) ? LIMIT_MANIFEST_BYTES
						      : MAX(LIMIT_CONFIG_BYTES, LIMIT_INDEX_BYTES);
}

/* Returns a document without a request: from memory, a cache record, or an image that only containerd has. */
static GBytes *document_find(blob_store *blobs, const struct digest *digest, size_t max)
{
	GBytes *bytes = blob_store_recall(blobs, digest);
	if (bytes || !blob_store_adopt(blobs, digest))
		return bytes;
	return blob_store_read(blobs, digest, max, NULL);
}

GBytes *pull_document(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
		      struct work *work, GError **error)
{
	GBytes *bytes = document_find(o->blobs, &d->digest, max);
	if (!bytes)
		bytes = o->fetch(o, ref, d, max, work, error);
	if (bytes)
		blob_store_remember(o->blobs, &d->digest, bytes);
	return bytes;
}

/* Returns a document and adds it to documents. */
static GBytes *document(const struct pull_origin *o, const reference *ref, const oci_descriptor *d,
			GPtrArray *documents, struct work *work, GError **error)
{
	GBytes *bytes = pull_document(o, ref, d, document_max(d->media_type), work, error);
	if (bytes)
		g_ptr_array_add(documents, g_bytes_ref(bytes));
	return bytes;
}

static bool root_find(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
		      GError **error)
{
	struct digest digest;
	if (ref->digest && !digest_parse(ref->digest, &digest, error))
		return false;
	g_autoptr(GBytes) here = ref->digest && o->is_known(o, ref, digest.text)
					 ? document_find(o->blobs, &digest, document_max(""))
					 : NULL;
	if (here) {
		*ret = oci_descriptor_new("", &digest, (int64_t)g_bytes_get_size(here));
		return true;
	}
	if (!o->resolve(o, ref, work, ret, error))
		return false;
	o->learn(o, ref, (*ret)->digest.text);
	return true;
}

/* Detects the type of a document without a usable media type. */
static bool type_settle(oci_descriptor *d, GBytes *bytes, GError **error)
{
	if (g_str_has_prefix(d->media_type, SCHEMA1_PREFIX))
		return error_set(
			error, ERROR_FAILED_PRECONDITION,
			"support Docker Image manifest version 2, schema 1 has been removed. More information at "
			"https://docs.docker.com/go/deprecated-image-specs/");
	if (oci_media_type_is_index(d->media_type) || oci_media_type_is_manifest(d->media_type))
		return true;
	g_autofree char *found = oci_media_type_detect(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	if (!found || !(oci_media_type_is_index(found) || oci_media_type_is_manifest(found)))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "encountered unknown type %.200s; children may not be fetched",
				 found ? found : d->media_type);
	g_free(d->media_type);
	d->media_type = g_steal_pointer(&found);
	return true;
}

bool pull_root_document(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			GBytes **ret_bytes, GError **error)
{
	g_autoptr(oci_descriptor) root = NULL;
	if (!root_find(o, ref, work, &root, error))
		return false;
	g_autoptr(GBytes) bytes = pull_document(o, ref, root, document_max(root->media_type), work, error);
	if (!bytes || !type_settle(root, bytes, error))
		return false;
	root->size = (int64_t)g_bytes_get_size(bytes);
	*ret = g_steal_pointer(&root);
	*ret_bytes = g_steal_pointer(&bytes);
	return true;
}

static bool no_match(GError **error)
{
	return error_set(error, ERROR_NOT_FOUND, "no match for platform in manifest: not found");
}

/* Follows indexes down to the manifest of the platform. *ret_platform_open: the manifest's descriptor names no platform. */
static oci_manifest *manifest_find(const struct pull_origin *o, const reference *ref, const oci_descriptor *root,
				   const struct platform *want, GPtrArray *documents, struct work *work,
				   bool *ret_platform_open, GError **error)
{
	g_autoptr(oci_descriptor) d = oci_descriptor_copy(root);
	*ret_platform_open = false;
	for (unsigned depth = 0; depth <= LIMIT_INDEX_NESTING; depth++) {
		g_autoptr(GBytes) bytes = document(o, ref, d, documents, work, error);
		if (!bytes || !type_settle(d, bytes, error))
			return NULL;
		gsize n;
		const void *data = g_bytes_get_data(bytes, &n);
		if (oci_media_type_is_manifest(d->media_type))
			return oci_manifest_parse(data, n, d->media_type, error);
		g_autoptr(oci_index) index = oci_index_parse(data, n, d->media_type, error);
		const oci_descriptor *best = index ? oci_index_select(index, want) : NULL;
		if (!best) {
			if (index)
				no_match(error);
			return NULL;
		}
		*ret_platform_open = !best->has_platform;
		oci_descriptor *next = oci_descriptor_copy(best);
		oci_descriptor_free(d);
		d = next;
	}
	return error_null(error, ERROR_INVALID_ARGUMENT, "indexes are nested more than %lld levels deep",
			  LIMIT_INDEX_NESTING);
}

void pulled_free(pulled *p)
{
	if (!p)
		return;
	oci_manifest_free(p->manifest);
	g_clear_pointer(&p->config_bytes, g_bytes_unref);
	g_clear_pointer(&p->documents, g_ptr_array_unref);
	oci_config_free(p->config);
	g_free(p);
}

pulled *pull(const struct pull_origin *o, const reference *ref, const struct platform *want, struct work *work,
	     GError **error)
{
	g_autoptr(oci_descriptor) root = NULL;
	if (!root_find(o, ref, work, &root, error))
		return NULL;
	g_autoptr(pulled) p = g_new0(pulled, 1);
	p->root = root->digest;
	p->documents = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	bool platform_open;
	p->manifest = manifest_find(o, ref, root, want, p->documents, work, &platform_open, error);
	if (!p->manifest)
		return NULL;
	p->config_bytes = document(o, ref, p->manifest->config, p->documents, work, error);
	if (!p->config_bytes)
		return NULL;
	p->config = oci_config_parse(g_bytes_get_data(p->config_bytes, NULL), g_bytes_get_size(p->config_bytes), NULL);
	if (platform_open && p->config && !platform_match(want, &p->config->platform)) {
		no_match(error);
		return NULL;
	}
	return g_steal_pointer(&p);
}

bool pull_root(const struct pull_origin *o, const reference *ref, struct work *work, struct digest *ret, GError **error)
{
	g_autoptr(oci_descriptor) root = NULL;
	if (!root_find(o, ref, work, &root, error))
		return false;
	*ret = root->digest;
	return true;
}

static void layer_free(gpointer data)
{
	oci_layer_free(data);
}

GPtrArray *pulled_layers(const pulled *p, GError **error)
{
	const GPtrArray *blobs = p->manifest->layers;
	guint n = p->config ? p->config->diff_ids->len : 0;
	if (!p->config)
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "failed to resolve rootfs: config %s is not an image config",
				  p->manifest->config->digest.text);
	if (n != blobs->len)
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "mismatched image rootfs and manifest layers: %u diff ids, %u layers", n, blobs->len);
	g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func(layer_free);
	for (guint i = 0; i < n; i++) {
		oci_layer *l = g_new0(oci_layer, 1);
		g_ptr_array_add(layers, l);
		l->descriptor = oci_descriptor_copy(g_ptr_array_index(blobs, i));
		if (!digest_parse(g_ptr_array_index(p->config->diff_ids, i), &l->diff_id, error))
			return NULL;
	}
	return g_steal_pointer(&layers);
}
