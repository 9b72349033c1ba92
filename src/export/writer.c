/* SPDX-License-Identifier: Apache-2.0 */
#include "export/writer.h"
#include "format/compress.h"
#include "trace/trace.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "export/attestation.h"
#include "export/attestation_manifest.h"
#include "export/config.h"
#include "export/rewrite.h"
#include "export/attestation_sbom.h"
#include "format/json_writer.h"
#include "progress/progress.h"
#include <string.h>

#define OCI_COMPAT 30 /* from this version on, OCI media types are the default */
#define SOURCE_PREFIX "containerd.io/distribution.source."

void image_document_free(void *document)
{
	struct image_document *d = document;
	oci_descriptor_free(d->descriptor);
	g_clear_pointer(&d->bytes, g_bytes_unref);
	g_free(d);
}

struct image_manifest *image_manifest_new(void)
{
	return g_new0(struct image_manifest, 1);
}

void image_manifest_free(void *manifest)
{
	struct image_manifest *m = manifest;
	g_clear_pointer(&m->statements, g_ptr_array_unref);
	oci_descriptor_free(m->descriptor);
	g_clear_pointer(&m->bytes, g_bytes_unref);
	oci_descriptor_free(m->config);
	g_clear_pointer(&m->config_bytes, g_bytes_unref);
	g_clear_pointer(&m->layers, g_ptr_array_unref);
	g_free(m);
}

void image_tree_free(image_tree *t)
{
	if (!t)
		return;
	oci_descriptor_free(t->root);
	g_clear_pointer(&t->index_bytes, g_bytes_unref);
	g_clear_pointer(&t->manifests, g_ptr_array_unref);
	g_free(t);
}

/* ---- options and metadata of an export */

GHashTable *export_metadata(const struct export_input *input, GHashTable *rest)
{
	GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	for (struct hash_walk it = hash_walk(input->metadata); hash_walk_next(&it);)
		g_hash_table_replace(all, g_strdup(it.key), g_bytes_ref(it.value));
	for (struct hash_walk it = hash_walk(rest); hash_walk_next(&it);)
		g_hash_table_replace(all, g_strdup(it.key), g_bytes_new(it.value, strlen(it.value)));
	return all;
}

char *export_names(const struct image_options *o, GHashTable *metadata)
{
	GBytes *said = g_str_equal(o->name, "*") ? g_hash_table_lookup(metadata, "image.name") : NULL;
	return said ? text_from_bytes(said) : g_strdup(o->name);
}

bool export_options_settle(struct image_options *o, const struct exporter_context *context,
			   const struct export_input *input, GHashTable *metadata, bool always_oci, GError **error)
{
	for (struct hash_walk it = hash_walk(metadata); hash_walk_next(&it);) {
		g_autofree char *text = text_from_bytes(it.value);
		bool is_annotation;
		if (!annotation_group_add(o->annotations, it.key, text, &is_annotation, error))
			return false;
	}
	bool is_new = context->compat_version == 0 || context->compat_version >= OCI_COMPAT;
	if (o->oci_types < 0)
		o->oci_types = always_oci || is_new || input->n_attestations > 0;
	if (o->oci_artifact < 0)
		o->oci_artifact = is_new && o->oci_types > 0;
	return image_options_validate(o, error);
}

void export_respond(const image_tree *t, GHashTable *response)
{
	g_hash_table_replace(response, g_strdup("containerimage.digest"), g_strdup(t->root->digest.text));
	if (!t->index_bytes) {
		const struct image_manifest *m = g_ptr_array_index(t->manifests, 0);
		g_hash_table_replace(response, g_strdup("containerimage.config.digest"),
				     g_strdup(m->config->digest.text));
	}
	json_writer *w = json_writer_new(0);
	oci_descriptor_write(w, t->root);
	size_t n;
	g_autofree char *json = json_writer_take(&w, &n);
	g_hash_table_replace(response, g_strdup("containerimage.descriptor"), g_base64_encode((const guchar *)json, n));
}

void export_kept_clear(struct export_kept *k)
{
	g_clear_pointer(&k->root, oci_descriptor_free);
	g_clear_pointer(&k->documents, g_ptr_array_unref);
}

static void keep(struct export_kept *kept, GBytes *bytes)
{
	if (bytes)
		g_ptr_array_add(kept->documents, g_bytes_ref(bytes));
}

void export_keep(const image_tree *t, struct export_kept *kept)
{
	if (!kept)
		return;
	export_kept_clear(kept);
	kept->root = oci_descriptor_copy(t->root);
	kept->documents = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	keep(kept, t->index_bytes);
	for (guint i = 0; i < t->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(t->manifests, i);
		keep(kept, m->bytes);
		keep(kept, m->config_bytes);
		for (guint k = 0; m->statements && k < m->statements->len; k++)
			keep(kept, ((const struct image_document *)g_ptr_array_index(m->statements, k))->bytes);
	}
}

/* ---- one manifest */

struct writing {
	const struct image_write_input *in;
	struct work *work;
	GPtrArray *platforms; /* element type: struct result_platform *, owned */
};

/*
 * Removes annotations of a layer that its manifest must not have: all for Docker's media types, internal ones for OCI.
 */
static void annotations_clean(oci_descriptor *d, bool oci)
{
	for (struct hash_walk it = hash_walk(d->annotations); hash_walk_next(&it);) {
		bool internal = g_str_equal(it.key, "containerd.io/uncompressed") ||
				g_str_equal(it.key, "buildkit/createdat") || g_str_has_prefix(it.key, SOURCE_PREFIX);
		if (!oci || internal)
			g_hash_table_iter_remove(&it.iter);
	}
}

static GPtrArray *layer_descriptors(const struct writing *s, const GPtrArray *layers)
{
	const struct image_options *o = s->in->options;
	bool oci = image_options_oci(o);
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)oci_descriptor_free);
	for (guint i = 0; i < layers->len; i++) {
		const struct cache_layer_result *r = g_ptr_array_index(layers, i);
		oci_descriptor *d = oci_descriptor_copy(r->layer->descriptor);
		const char *type = oci_media_type_convert(d->media_type, oci, o->prefer_nondist);
		if (!g_str_equal(type, d->media_type)) {
			g_free(d->media_type);
			d->media_type = g_strdup(type);
		}
		if (!oci_media_type_is_foreign(type))
			g_clear_pointer(&d->urls, g_strfreev);
		annotations_clean(d, oci);
		g_ptr_array_add(list, d);
	}
	return list;
}

static GBytes *store_document(struct writing *s, char *text, size_t n, const char *media_type, const char *what,
			      oci_descriptor **ret, GError **error)
{
	g_autoptr(GBytes) bytes = g_bytes_new_take(text, n);
	struct digest digest;
	digest_of(text, n, &digest);
	g_autofree char *id = g_strdup_printf("exporting %s %s", what, digest.text);
	int64_t started_ns = 0;
	progress_status_start(s->work->progress, id, NULL, &started_ns);
	if (!blob_holds_put(s->in->context->holds, text, n, &digest, error))
		return error_prefix_null(error, "error writing %s blob: ", what);
	progress_status_end(s->work->progress, id, NULL, started_ns);
	*ret = oci_descriptor_new(media_type, &digest, (int64_t)n);
	return g_steal_pointer(&bytes);
}

static bool config_make(struct writing *s, struct image_manifest *m, const char *platform_id, const char *inline_cache,
			bool epoch_set, int64_t epoch_s, char **ret_text, size_t *ret_len, GError **error)
{
	GHashTable *metadata = s->in->metadata;
	g_autofree struct config_layer *layers = g_new0(struct config_layer, m->layers->len + 1);
	for (guint i = 0; i < m->layers->len; i++) {
		const struct cache_layer_result *r = g_ptr_array_index(m->layers, i);
		layers[i] = (struct config_layer){r->layer->diff_id.text, r->layer->description, r->layer->created_ns};
	}
	struct config_input input = {
		.config = result_metadata(metadata, "containerimage.config", platform_id),
		.base = result_metadata(metadata, "containerimage.base.config", platform_id),
		.layers = layers,
		.n_layers = m->layers->len,
		.inline_cache = inline_cache,
		.epoch_set = epoch_set,
		.epoch_s = epoch_s,
	};
	*ret_text = config_write(&input, ret_len, error);
	return *ret_text != NULL;
}

/* Writes the config and the manifest, and starts their statuses in upstream's order (manifest first). */
static bool documents_make(struct writing *s, struct image_manifest *m, const char *platform_id, char *config,
			   size_t n_config, GError **error)
{
	const struct image_options *o = s->in->options;
	bool oci = image_options_oci(o);
	g_autoptr(GBytes) config_bytes = g_bytes_new_take(config, n_config);
	struct digest config_digest;
	digest_of(config, n_config, &config_digest);
	const char *config_type = oci ? OCI_CONFIG : DOCKER_CONFIG_TYPE;
	oci_manifest document = {
		.media_type = (char *)(oci ? OCI_MANIFEST : DOCKER_MANIFEST),
		.config = oci_descriptor_new(config_type, &config_digest, (int64_t)n_config),
		.layers = layer_descriptors(s, m->layers),
		.annotations = annotation_group_get(o->annotations, ANNOTATION_MANIFEST, platform_id),
	};
	size_t n;
	char *text = oci_manifest_write(&document, &n);
	oci_descriptor_free(document.config);
	g_ptr_array_unref(document.layers);
	g_clear_pointer(&document.annotations, g_hash_table_unref);
	m->bytes = store_document(s, text, n, oci ? OCI_MANIFEST : DOCKER_MANIFEST, "manifest", &m->descriptor, error);
	if (!m->bytes)
		return false;
	m->descriptor->annotations = annotation_group_get(o->annotations, ANNOTATION_MANIFEST_DESCRIPTOR, platform_id);
	m->config_bytes =
		store_document(s, g_memdup2(config, n_config), n_config, config_type, "config", &m->config, error);
	return m->config_bytes != NULL;
}

static bool epoch_of(struct writing *s, const char *platform_id, bool *ret_set, int64_t *ret_s, GError **error)
{
	const struct image_options *o = s->in->options;
	if (!o->has_epoch)
		return epoch_from_metadata(s->in->metadata, platform_id, ret_set, ret_s, error);
	*ret_set = o->epoch_set;
	*ret_s = o->epoch_s;
	return true;
}

/* Uses the layers in the form that the cache has; layers with rewritten timestamps have other diff ids. */
static bool inline_cache_make(struct writing *s, const struct image_manifest *m, const char *platform_id,
			      char **ret_records, GError **error)
{
	const struct inline_cache *of = s->in->input->inline_cache;
	*ret_records = NULL;
	if (!of)
		return true;
	int64_t started_ns = 0;
	progress_status_start(s->work->progress, "preparing layers for inline cache", NULL, &started_ns);
	if (!of->records(of->data, s->in->input->is_map ? platform_id : "", m->layers, s->in->options->compression,
			 s->work, ret_records, error))
		return false;
	progress_status_end(s->work->progress, "preparing layers for inline cache", NULL, started_ns);
	return true;
}

static bool manifest_make(struct writing *s, struct image_manifest *m, const struct result_platform *p,
			  const char *annotation_platform, GError **error)
{
	bool epoch_set;
	int64_t epoch_s = 0;
	if (!epoch_of(s, p->id, &epoch_set, &epoch_s, error))
		return false;
	g_autofree char *inline_cache = NULL;
	if (!inline_cache_make(s, m, p->id, &inline_cache, error))
		return false;
	if (s->in->options->rewrite_timestamp && epoch_set) {
		GBytes *base = result_metadata(s->in->metadata, "containerimage.base.config", p->id);
		struct rewrite_options r = {
			.cache = s->in->context->cache,
			.blobs = s->in->context->blobs,
			.holds = s->in->context->holds,
			.base = base,
			.epoch_s = epoch_s,
			.compression = s->in->options->compression,
			.level = s->in->options->level,
		};
		if (!rewrite_layers(m->layers, &r, s->work, error))
			return false;
	}
	char *config;
	size_t n;
	if (!config_make(s, m, p->id, inline_cache, epoch_set, epoch_s, &config, &n, error) ||
	    !documents_make(s, m, annotation_platform, config, n, error))
		return false;
	return true;
}

/* ---- layers */

static bool find_ref(const struct writing *s, const char *id, cache_ref **ret)
{
	const struct export_input *input = s->in->input;
	if (!input->is_map) {
		*ret = input->n_refs > 0 ? input->refs[0].ref : NULL;
		return true;
	}
	for (size_t i = 0; i < input->n_refs; i++) {
		if (g_str_equal(input->refs[i].platform_id, id)) {
			*ret = input->refs[i].ref;
			return true;
		}
	}
	return false;
}

static bool layers_make(struct writing *s, GPtrArray *manifests, GError **error)
{
	const struct image_options *o = s->in->options;
	struct cache_layer_options options = {
		.compression = o->compression,
		.level = o->level,
		.force = o->force,
		.oci_media_types = image_options_oci(o),
		.prefer_nondist = o->prefer_nondist,
	};
	int64_t started_ns = 0;
	g_auto(trace_scope) scope = trace_scope_begin("export layers", TRACE_INTERNAL);
	trace_put_text(scope.span, "exportLayers.compressionType", compression_name(options.compression));
	trace_put_bool(scope.span, "exportLayers.forceCompression", options.force);
	if (options.level >= 0)
		trace_put_int(scope.span, "exportLayers.compressionLevel", options.level);
	progress_status_start(s->work->progress, "exporting layers", NULL, &started_ns);
	for (guint i = 0; i < s->platforms->len; i++) {
		const struct result_platform *p = g_ptr_array_index(s->platforms, i);
		cache_ref *ref;
		if (!find_ref(s, p->id, &ref))
			return error_set(error, ERROR_INVALID_ARGUMENT, "failed to find ref for ID %s", p->id);
		struct image_manifest *m = image_manifest_new();
		g_ptr_array_add(manifests, m);
		/* The layers of an SBOM's files are looked up in the blobs. */
		options.fetch = s->in->fetch || o->rewrite_timestamp || attestations_have_sbom(s->in->input, p->id);
		m->layers = cache_ref_layers(s->in->context->cache, ref, &options, s->work, error);
		if (!m->layers) {
			trace_fail(scope.span, error ? *error : NULL);
			return false;
		}
	}
	progress_status_end(s->work->progress, "exporting layers", NULL, started_ns);
	return true;
}

/* ---- image and index */

static bool request_check(const struct writing *s, GError **error)
{
	g_autofree const char **named = annotation_group_platforms(s->in->options->annotations);
	for (size_t i = 0; named[i]; i++) {
		cache_ref *unused;
		if (!find_ref(s, named[i], &unused))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "invalid annotation: no platform %s found in source", named[i]);
	}
	return true;
}

/* Refuses annotations that only OCI media types, or only an index, can have. */
static bool annotations_check(const struct writing *s, bool is_index, GError **error)
{
	const struct image_options *o = s->in->options;
	for (int kind = ANNOTATION_MANIFEST_DESCRIPTOR; kind < ANNOTATION_KINDS; kind++) {
		for (guint i = 0; i < s->platforms->len; i++) {
			const struct result_platform *p = g_ptr_array_index(s->platforms, i);
			g_autoptr(GHashTable) found =
				annotation_group_get(o->annotations, (enum annotation_kind)kind, p->id);
			if (found && !image_options_oci(o))
				return error_set(error, ERROR_INVALID_ARGUMENT,
						 "cannot export annotations with \"oci-mediatypes=false\"");
			if (found && !is_index && kind != ANNOTATION_MANIFEST_DESCRIPTOR)
				return error_set(error, ERROR_INVALID_ARGUMENT,
						 "index annotations not supported for single platform export");
		}
	}
	return true;
}

/* Adds the layers of files to the SBOM of the image. */
static bool sbom_settle(struct writing *s, struct attestation *a, const struct image_manifest *image, GError **error)
{
	if (!attestation_is_core(a) || strcmp(a->predicate_type, EXPORT_PREDICATE_SPDX) != 0 || image->layers->len == 0)
		return true;
	g_autoptr(GHashTable) files = attestation_sbom_files(a->predicate);
	if (!files)
		return true;
	if (!attestation_sbom_layers(files, image->layers, s->in->context->blobs, s->work, error))
		return false;
	GBytes *complete = attestation_sbom_complete(a->predicate, files);
	g_bytes_unref(a->predicate);
	a->predicate = complete;
	return true;
}

/* An index contains the attestations of all its images, including those marked inline_only. */
static GPtrArray *attestations_settle(struct writing *s, const struct result_platform *p,
				      const struct image_manifest *image, GError **error)
{
	g_autoptr(GPtrArray) list = attestations_load(s->in->context, s->in->input, p->id, true, s->work, error);
	for (guint i = 0; list && i < list->len; i++)
		if (!sbom_settle(s, list->pdata[i], image, error) || !attestations_check_bytes(list, error))
			return NULL;
	return g_steal_pointer(&list);
}

static bool attestations_make(struct writing *s, image_tree *t, GError **error)
{
	for (guint i = 0; i < s->platforms->len; i++) {
		const struct result_platform *p = g_ptr_array_index(s->platforms, i);
		const struct image_manifest *image = g_ptr_array_index(t->manifests, i);
		g_autoptr(GPtrArray) list = attestations_settle(s, p, image, error);
		if (!list)
			return false;
		struct attestation_request r = {
			.context = s->in->context,
			.attestations = list,
			.image = image->descriptor,
			.platform = &p->platform,
			.names = s->in->names,
			.artifact = s->in->options->oci_artifact > 0,
		};
		if (list->len == 0)
			continue;
		struct image_manifest *m = attestation_manifest_write(&r, s->work, error);
		if (!m)
			return false;
		g_ptr_array_add(t->manifests, m);
	}
	return true;
}

static bool index_make(struct writing *s, image_tree *t, GError **error)
{
	const struct image_options *o = s->in->options;
	const char *type = image_options_oci(o) ? OCI_INDEX : DOCKER_INDEX;
	g_autoptr(oci_index) index = oci_index_new(type);
	index->annotations = annotation_group_get(o->annotations, ANNOTATION_INDEX, NULL);
	for (guint i = 0; i < t->manifests->len; i++) {
		struct image_manifest *m = g_ptr_array_index(t->manifests, i);
		if (!m->statements) {
			const struct result_platform *p = g_ptr_array_index(s->platforms, i);
			oci_descriptor_set_platform(m->descriptor, &p->platform);
		}
		g_ptr_array_add(index->manifests, oci_descriptor_copy(m->descriptor));
	}
	size_t n;
	char *text = oci_index_write(index, &n);
	t->index_bytes = store_document(s, text, n, type, "manifest list", &t->root, error);
	if (!t->index_bytes)
		return false;
	t->root->annotations = annotation_group_get(o->annotations, ANNOTATION_INDEX_DESCRIPTOR, NULL);
	return true;
}

/* Reports whether an index is needed: for several images, or for an image with attestations. */
static bool wants_index(const struct writing *s)
{
	bool with_inline = s->in->options->inline_attestations > 0, any = s->in->input->is_map;
	for (guint i = 0; !any && i < s->platforms->len; i++) {
		const struct result_platform *p = g_ptr_array_index(s->platforms, i);
		any = attestations_exist(s->in->input, p->id, with_inline);
	}
	return any;
}

static bool write_all(struct writing *s, image_tree *t, GError **error)
{
	bool is_map = s->in->input->is_map, is_index = wants_index(s);
	if (is_index && s->in->input->n_attestations > 0 && !image_options_oci(s->in->options))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot export attestations with \"oci-mediatypes=false\"");
	if (!request_check(s, error) || !annotations_check(s, is_index, error))
		return false;
	if (!is_map && s->platforms->len > 1)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot export multiple platforms without multi-platform enabled");
	if (!layers_make(s, t->manifests, error))
		return false;
	for (guint i = 0; i < t->manifests->len; i++) {
		const struct result_platform *p = g_ptr_array_index(s->platforms, i);
		/* Without an index, only annotations for all platforms apply, as upstream. */
		if (!manifest_make(s, g_ptr_array_index(t->manifests, i), p, is_index ? p->id : NULL, error))
			return false;
	}
	if (is_index)
		return attestations_make(s, t, error) && index_make(s, t, error);
	const struct image_manifest *only = g_ptr_array_index(t->manifests, 0);
	const struct result_platform *p = g_ptr_array_index(s->platforms, 0);
	t->root = oci_descriptor_copy(only->descriptor);
	oci_descriptor_set_platform(t->root, &p->platform);
	return true;
}

image_tree *image_write(const struct image_write_input *in, struct work *work, GError **error)
{
	if (in->input->is_map && !g_hash_table_contains(in->metadata, "refs.platforms"))
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "unable to export multiple refs, missing platforms mapping");
	g_autoptr(GPtrArray) platforms = result_platforms(in->metadata, error);
	if (!platforms)
		return NULL;
	g_autoptr(image_tree) t = g_new0(image_tree, 1);
	t->manifests = g_ptr_array_new_with_free_func(image_manifest_free);
	struct writing s = {in, work, platforms};
	return write_all(&s, t, error) ? g_steal_pointer(&t) : NULL;
}
