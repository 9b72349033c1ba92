/* SPDX-License-Identifier: Apache-2.0 */
#include "export/store.h"
#include <string.h>
#include "oci/image_store.h"
#include "progress/progress.h"

struct storing {
	const struct image_store *images;
	const image_tree *tree;
	const struct store_options *options;
	struct work *work;
};

/* ---- references for garbage collection: index to manifests, config to layers */
static bool refer_manifest(const struct storing *s, const struct image_manifest *m, GError **error)
{
	g_autoptr(GArray) children = g_array_new(FALSE, FALSE, sizeof(struct digest));
	g_array_append_val(children, m->config->digest);
	for (guint i = 0; i < m->layers->len; i++) {
		const struct cache_layer_result *r = g_ptr_array_index(m->layers, i);
		g_array_append_val(children, r->layer->descriptor->digest);
	}
	for (guint i = 0; m->statements && i < m->statements->len; i++)
		g_array_append_val(
			children,
			((const struct image_document *)g_ptr_array_index(m->statements, i))->descriptor->digest);
	return s->images->class->refer(s->images->self, &m->descriptor->digest,
				       (const struct digest *)(const void *)children->data, children->len, error);
}

static bool refer_all(const struct storing *s, GError **error)
{
	g_autoptr(GArray) manifests = g_array_new(FALSE, FALSE, sizeof(struct digest));
	for (guint i = 0; i < s->tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(s->tree->manifests, i);
		g_array_append_val(manifests, m->descriptor->digest);
		if (!refer_manifest(s, m, error))
			return false;
	}
	return !s->tree->index_bytes ||
	       s->images->class->refer(s->images->self, &s->tree->root->digest,
				       (const struct digest *)(const void *)manifests->data, manifests->len, error);
}

/* ---- trees */
static const struct image_manifest *manifest_of_host(const image_tree *tree)
{
	struct platform host;
	platform_host(&host);
	if (!tree->index_bytes)
		return g_ptr_array_index(tree->manifests, 0);
	g_autoptr(oci_index) index = oci_index_new(OCI_INDEX);
	for (guint i = 0; i < tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(tree->manifests, i);
		g_ptr_array_add(index->manifests, oci_descriptor_copy(m->descriptor));
	}
	const oci_descriptor *best = oci_index_select(index, &host);
	for (guint i = 0; best && i < tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(tree->manifests, i);
		if (digest_equal(&m->descriptor->digest, &best->digest))
			return m;
	}
	return NULL;
}

static bool unpack(const struct storing *s, const char *name, GError **error)
{
	const struct image_manifest *m = manifest_of_host(s->tree);
	if (!m)
		return true; /* no platform of this host */
	g_autofree char *id = g_strdup_printf("unpacking to %s", name);
	int64_t started_ns = 0;
	progress_status_start(s->work->progress, id, NULL, &started_ns);
	g_autoptr(GPtrArray) layers = g_ptr_array_new();
	for (guint i = 0; i < m->layers->len; i++)
		g_ptr_array_add(layers, ((const struct cache_layer_result *)g_ptr_array_index(m->layers, i))->layer);
	if (!s->images->class->unpack(s->images->self, layers, &m->config->digest, s->work->cancel, error))
		return false;
	progress_status_end(s->work->progress, id, NULL, started_ns);
	return true;
}

/* ---- names */
static bool set_name(const struct storing *s, const char *name, GError **error)
{
	return s->images->class->name(s->images->self, name, s->tree->root, s->options->has_epoch, s->options->epoch_s,
				      s->work->cancel, error);
}

static bool name_one(const struct storing *s, const char *name, GError **error)
{
	g_autofree char *id = g_strdup_printf("naming to %s", name);
	int64_t started_ns = 0;
	progress_status_start(s->work->progress, id, NULL, &started_ns);
	bool ok = set_name(s, name, error);
	if (ok && s->options->canonical && !strchr(name, '@')) {
		g_autofree char *canonical = g_strconcat(name, "@", s->tree->root->digest.text, NULL);
		ok = set_name(s, canonical, error);
	}
	if (ok)
		progress_status_end(s->work->progress, id, NULL, started_ns);
	return ok && (!s->options->unpack || unpack(s, name, error));
}

bool store_image(const struct exporter_context *context, const image_tree *tree, char *const *names,
		 const struct store_options *options, struct work *work, GError **error)
{
	struct storing s = {context->images, tree, options, work};
	if (!refer_all(&s, error))
		return false;
	for (; *names; names++)
		if (!name_one(&s, *names, error))
			return false;
	return true;
}
