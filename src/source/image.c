/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "api/message.h"
#include "format/json_writer.h"
#include "progress/progress.h"
#include "registry/known.h"
#include "source/attestation.h"
#include "source/source.h"
#include <string.h>

#define LAYERS_LABEL_BYTES 3800 /* a label has at most 4096, with its name and one more digest */

bool source_layer_limit_parse(const char *text, int64_t *ret, GError **error)
{
	*ret = -1;
	if (!text)
		return true;
	gint64 value;
	if (!g_ascii_string_to_signed(text, 10, 1, G_MAXINT32, &value, NULL))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid layer limit %.100s", text);
	*ret = value;
	return true;
}

/* ---- registry sources */

static bool registry_is_known(const struct pull_origin *o, const reference *ref, const char *digest)
{
	return registry_known_has_manifest(o->registry, ref, digest);
}

static void registry_learn(const struct pull_origin *o, const reference *ref, const char *digest)
{
	registry_known_add_manifest(o->registry, ref, digest);
}

/*
 * Returns the root of the image with that name in the worker's image store. A name with tag and digest may be stored
 * with its tag only.
 */
static bool store_find(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
		       GError **error)
{
	g_autofree char *name = reference_text(ref);
	GError *why = NULL;
	if (o->images->class->find(o->images->self, name, work->cancel, ret, &why))
		return true;
	if (!error_is(why, ERROR_NOT_FOUND) || !ref->tag || !ref->digest)
		return error_propagate(error, why);
	g_clear_error(&why);
	g_autofree char *tagged = g_strdup_printf("%s/%s:%s", ref->domain, ref->path, ref->tag);
	g_autoptr(oci_descriptor) found = NULL;
	if (!o->images->class->find(o->images->self, tagged, work->cancel, &found, error))
		return false;
	if (!g_str_equal(found->digest.text, ref->digest))
		return error_set(error, ERROR_NOT_FOUND, "image %s: not found", name);
	*ret = g_steal_pointer(&found);
	return true;
}

static bool origin_resolve(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			   GError **error)
{
	GError *why = NULL;
	if (o->images && o->mode == IMAGE_RESOLVE_LOCAL) {
		if (store_find(o, ref, work, ret, &why))
			return true;
		if (!error_is(why, ERROR_NOT_FOUND))
			return error_propagate(error, why);
		g_clear_error(&why);
	}
	if (registry_resolve(o->registry, ref, &source_registry_auth, work, ret, NULL, &why))
		return true;
	bool found = o->images && o->mode == IMAGE_RESOLVE_DEFAULT && !cancel_is_set(work->cancel) &&
		     store_find(o, ref, work, ret, NULL);
	if (found)
		g_error_free(why);
	else
		g_propagate_error(error, why);
	return found;
}

static GBytes *origin_fetch(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
			    struct work *work, GError **error)
{
	GError *why = NULL;
	GBytes *bytes = registry_fetch_small(o->registry, ref, d, max, &source_registry_auth, work, &why);
	if (bytes)
		return bytes;
	/* Prefix of upstream, which copies documents into its content store. */
	bool copying = g_str_has_prefix(why->message, "httpReadSeeker: ");
	g_propagate_prefixed_error(error, why, "%s", copying ? "failed to copy: " : "");
	return NULL;
}

static void pull_origin_registry(struct pull_origin *ret, const struct source_context *context,
				 enum image_resolve_mode mode)
{
	*ret = (struct pull_origin){
		.blobs = context->blobs,
		.resolve = origin_resolve,
		.fetch = origin_fetch,
		.is_known = registry_is_known,
		.learn = registry_learn,
		.registry = context->registry,
		.images = context->images,
		.mode = mode,
	};
}

/* ---- common to all image sources */

void image_request_free(void *self)
{
	struct image_request *q = self;
	if (!q)
		return;
	reference_free(q->ref);
	g_free(q->text);
	g_strfreev(q->os_features);
	g_free(q->record_type);
	g_free(q->checksum);
	g_free(q->session_id);
	g_free(q->store);
	pulled_free(q->pulled);
	g_clear_pointer(&q->layers, g_ptr_array_unref);
	g_free(q);
}

static bool limit_apply(struct image_request *q, GError **error)
{
	if (q->layer_limit < 0)
		return true;
	if (q->layer_limit > q->layers->len)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "layer limit %" G_GINT64_FORMAT
				 " is greater than the number of layers in the image %u",
				 q->layer_limit, q->layers->len);
	g_ptr_array_set_size(q->layers, (int)q->layer_limit);
	return true;
}

static bool request_pull(struct image_request *q, struct work *work, GError **error)
{
	g_autoptr(pulled) p = pull(&q->origin, q->ref, &q->platform, work, error);
	if (!p)
		return false;
	if (q->checksum && !g_str_equal(q->checksum, p->root.text))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "image digest %s for %s does not match expected checksum %s", p->root.text, q->text,
				 q->checksum);
	q->layers = pulled_layers(p, error);
	if (!q->layers || !limit_apply(q, error))
		return false;
	q->pulled = g_steal_pointer(&p);
	return true;
}

/* Resolves once per instance, displayed as "resolve REF". */
static bool request_ensure(struct image_request *q, struct work *work, GError **error)
{
	if (q->pulled)
		return true;
	g_autofree char *id = g_strconcat("resolve ", q->text, NULL);
	int64_t started_ns = 0;
	progress_status_start(work->progress, id, NULL, &started_ns);
	g_clear_pointer(&q->layers, g_ptr_array_unref);
	if (!request_pull(q, work, error))
		return false;
	progress_status_end(work->progress, id, NULL, started_ns);
	return true;
}

static char *manifest_key(const struct image_request *q)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "Digest", q->pulled->root.text);
	json_put_string_member(w, "OS", q->platform.os);
	json_put_string_member(w, "Arch", q->platform.architecture);
	json_put_string_member_nonempty(w, "Variant", q->platform.variant);
	json_put_string_member_nonempty(w, "OSVersion", q->platform.os_version);
	char *const *features = q->platform.os_features;
	json_put_strings_member_nonempty(w, "OSFeatures", features, features ? g_strv_length((char **)features) : 0);
	if (q->layer_limit >= 0) {
		json_put_int_member(w, "Limit", q->layer_limit);
	}
	json_object_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	struct digest digest;
	digest_of_text(text, &digest);
	return g_strdup(digest.text);
}

/*
 * Returns a chain over the blobs and diff ids of the layers, or NULL if there are none. Upstream uses the diff ids
 * alone; but these are claims of the config, so an image could pass for another one before its layers are verified.
 */
static char *layers_key(const struct image_request *q)
{
	struct digest chain = {0};
	for (guint i = 0; i < q->layers->len; i++) {
		const oci_layer *l = g_ptr_array_index(q->layers, i);
		struct digest one, next;
		oci_chain_id(&l->descriptor->digest, &l->diff_id, &one);
		oci_chain_id(&chain, &one, &next);
		chain = next;
	}
	const json_t *rootfs = json_object_get(q->pulled->config->json, "rootfs");
	bool is_layers = g_strcmp0(json_string_value(json_object_get(rootfs, "type")), "layers") == 0;
	return is_layers && digest_is_set(&chain) ? g_strdup(chain.text) : NULL;
}

bool image_request_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			     GError **error)
{
	struct image_request *q = self;
	if (!request_ensure(q, work, error))
		return false;
	char *key = phase > 0 ? layers_key(q) : NULL;
	*ret_key = key ? key : manifest_key(q);
	*ret_last = phase > 0;
	return true;
}

/* Digests of the layers from i on, joined by commas, as far as they fit into a label of a snapshot. */
static char *layers_from(const GPtrArray *layers, guint i)
{
	GString *text = g_string_new(NULL);
	for (; i < layers->len && text->len < LAYERS_LABEL_BYTES; i++) {
		const oci_layer *l = layers->pdata[i];
		g_string_append_printf(text, "%s%s", text->len ? "," : "", l->descriptor->digest.text);
	}
	return g_string_free(text, FALSE);
}

bool image_request_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error)
{
	struct image_request *q = self;
	*ret_ref = NULL;
	if (!request_ensure(q, work, error))
		return false;
	if (q->layers->len == 0)
		return true;
	g_autofree char *description = g_strconcat("pulled from ", q->text, NULL);
	struct cache_record_options options = {
		.description = description, .record_type = q->record_type, .progress = work->progress};
	g_autoptr(blob_provider) provider = q->provider(q, q->pulled->manifest);
	g_autoptr(cache_ref) current = NULL;
	bool is_windows = g_str_equal(q->platform.os, "windows");
	bool is_registry = q->origin.registry != NULL;
	for (guint i = 0; i < q->layers->len; i++) {
		g_autofree char *layers = is_registry ? layers_from(q->layers, i) : NULL;
		options.image_reference = is_registry ? q->text : NULL;
		options.image_layers = layers;
		cache_ref *next =
			cache_add_layer(q->cache, current, g_ptr_array_index(q->layers, i), provider, &options, error);
		if (!next)
			return false;
		cache_ref_unref(current);
		current = next;
		if (is_windows &&
		    !cache_ref_set_value(current, CACHE_LAYER_OS, CACHE_OS_WINDOWS, strlen(CACHE_OS_WINDOWS), error))
			return false;
	}
	for (guint i = 0; i < q->pulled->documents->len; i++)
		if (!cache_ref_add_document(current, q->pulled->documents->pdata[i], error))
			return false;
	*ret_ref = g_steal_pointer(&current);
	return true;
}

char *image_request_pin(void *self)
{
	const struct image_request *q = self;
	return q->pulled ? g_strdup(q->pulled->root.text) : NULL;
}

/* ---- docker-image */

static blob_provider *image_provider(struct image_request *q, const oci_manifest *manifest)
{
	g_autofree char *label = g_strconcat("containerd.io/distribution.source.", q->ref->domain, NULL);
	for (guint i = 0; i < q->layers->len; i++)
		oci_descriptor_annotate(((oci_layer *)g_ptr_array_index(q->layers, i))->descriptor, label,
					q->ref->path);
	return registry_provider_of(q->origin.registry, q->ref, &source_registry_auth, manifest->layers);
}

static bool record_type_read(const char *text, char **ret, GError **error)
{
	static const char *const types[] = {"regular", "internal", "frontend", NULL};
	if (!text || !*text)
		return true;
	if (!g_strv_contains(types, text))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid record type %.100s", text);
	*ret = g_strdup(text);
	return true;
}

bool source_resolve_mode_parse(const char *text, enum image_resolve_mode *ret, GError **error)
{
	static const char *const modes[] = {
		[IMAGE_RESOLVE_DEFAULT] = "default",
		[IMAGE_RESOLVE_PULL] = "pull",
		[IMAGE_RESOLVE_LOCAL] = "local",
	};
	*ret = IMAGE_RESOLVE_DEFAULT;
	if (!text || !*text)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (g_str_equal(text, modes[i])) {
			*ret = i;
			return true;
		}
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid resolvemode: %.100s", text);
}

static bool attributes_read(struct image_request *q, const Pb__SourceOp *op, GError **error)
{
	if (!source_resolve_mode_parse(message_map_find(op, attrs, "image.resolvemode"), &q->origin.mode, error))
		return false;
	const char *checksum = message_map_find(op, attrs, "image.checksum");
	struct digest digest;
	if (checksum && !digest_parse(checksum, &digest, error))
		return false;
	q->checksum = checksum ? g_strdup(digest.text) : NULL;
	return record_type_read(message_map_find(op, attrs, "image.recordtype"), &q->record_type, error) &&
	       source_layer_limit_parse(message_map_find(op, attrs, "image.layerlimit"), &q->layer_limit, error);
}

static void *image_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
			GError **error)
{
	struct image_request *q = g_new0(struct image_request, 1);
	q->layer_limit = -1;
	q->ref = reference_parse_normalized(strstr(op->identifier, "://") + 3, error);
	if (!q->ref || !attributes_read(q, op, error)) {
		image_request_free(q);
		return NULL;
	}
	if (!q->ref->tag && !q->ref->digest) {
		error_set(error, ERROR_INVALID_ARGUMENT, "object required");
		image_request_free(q);
		return NULL;
	}
	q->text = reference_text(q->ref);
	q->platform = *platform;
	q->platform.os_features = q->os_features = g_strdupv((char **)platform->os_features);
	q->cache = context->cache;
	q->provider = image_provider;
	pull_origin_registry(&q->origin, context, q->origin.mode);
	return q;
}

static char *image_name(const Pb__SourceOp *op)
{
	g_autoptr(reference) ref = reference_parse_normalized(op->identifier + strlen("docker-image://"), NULL);
	if (!ref)
		return NULL;
	reference_tag_default(ref);
	g_autofree char *full = reference_text(ref);
	return g_strconcat("docker-image://", full, NULL);
}

const struct source_class source_image_class = {
	.scheme = "docker-image",
	.material = SOURCE_MATERIAL_IMAGE,
	.name = image_name,
	.open = image_open,
	.cache_key = image_request_cache_key,
	.snapshot = image_request_snapshot,
	.pin = image_request_pin,
	.free = image_request_free,
};

/* ---- configs without layers */

static bool meta_fill(const struct pull_origin *o, const reference *ref, const struct image_query *q, struct work *work,
		      struct image_meta *ret, GError **error)
{
	struct image_meta meta = {0};
	if (q->no_config && !q->attestations) {
		if (!pull_root(o, ref, work, &meta.digest, error))
			return false;
	} else if (!q->no_config) {
		g_autoptr(pulled) p = pull(o, ref, q->platform, work, error);
		if (!p)
			return false;
		meta.digest = p->root;
		meta.config = g_bytes_ref(p->config_bytes);
	}
	*ret = meta;
	return true;
}

static bool add_attestations(const struct pull_origin *o, const reference *ref, const struct image_query *q,
			     struct work *work, struct image_meta *meta, GError **error)
{
	struct attestation_request r = {q->platform, q->predicate_types, q->n_predicate_types};
	attestation_chain *chain = meta->attestations = attestation_chain_resolve(o, ref, &r, work, error);
	if (!chain)
		return false;
	if (!digest_is_set(&meta->digest))
		meta->digest = chain->root;
	return digest_equal(&meta->digest, &chain->root) ||
	       error_set(error, ERROR_UNKNOWN, "attestation chain root digest %s does not match image digest %s",
			 chain->root.text, meta->digest.text);
}

bool source_image_resolve(const struct source_context *context, const char *reference_text_,
			  const struct image_query *q, struct work *work, struct image_meta *ret, GError **error)
{
	g_autoptr(reference) ref = reference_parse_normalized(reference_text_, error);
	if (!ref)
		return source_plain_error(false, error);
	reference_tag_default(ref);
	struct pull_origin origin;
	struct image_meta meta;
	pull_origin_registry(&origin, context, q->mode);
	if (!meta_fill(&origin, ref, q, work, &meta, error))
		return source_plain_error(false, error);
	if (q->attestations && !add_attestations(&origin, ref, q, work, &meta, error)) {
		g_clear_pointer(&meta.config, g_bytes_unref);
		g_clear_pointer(&meta.attestations, attestation_chain_free);
		return source_plain_error(false, error);
	}
	*ret = meta;
	return true;
}

bool source_oci_layout_resolve(const struct source_context *context, const char *reference_text_,
			       const char *session_id, const char *store_id, const struct platform *platform,
			       struct work *work, struct image_meta *ret, GError **error)
{
	g_autoptr(reference) ref = pull_layout_reference(reference_text_, error);
	if (!ref)
		return source_plain_error(false, error);
	struct pull_origin origin;
	pull_origin_layout(&origin, context, session_id, store_id && *store_id ? store_id : ref->path);
	struct image_query q = {.platform = platform};
	return source_plain_error(meta_fill(&origin, ref, &q, work, ret, error), error);
}
