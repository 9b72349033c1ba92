/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "api/message.h"
#include "format/json_writer.h"
#include "source/source.h"
#include "source/file_record.h"
#include "source/pull.h"
#include <string.h>

/* docker-image+blob and oci-layout+blob: a blob as a file. */
struct blob_source {
	const struct source_context *context; /* borrowed */
	reference *ref;                       /* owned; with digest */
	char *text;                           /* owned: for messages */
	struct digest digest;
	struct file_spec spec;
	bool is_layout;
	char *session_id, *store; /* owned, OCI layout only */
};

static void blob_free(void *self)
{
	struct blob_source *b = self;
	reference_free(b->ref);
	g_free(b->text);
	file_spec_clear(&b->spec);
	g_free(b->session_id);
	g_free(b->store);
	g_free(b);
}

static bool reference_read(struct blob_source *b, const char *text, GError **error)
{
	b->ref = b->is_layout ? pull_layout_reference(text, error) : reference_parse_normalized(text, error);
	if (!b->ref)
		return false;
	if (!b->ref->digest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid reference digest: %s names no digest", text);
	b->text = g_strdup(text);
	return digest_parse(b->ref->digest, &b->digest, error);
}

static bool attributes_read(struct blob_source *b, const Pb__SourceOp *op, GError **error)
{
	if (!file_spec_read(&b->spec, op, error))
		return false;
	if (*b->spec.name) {
		char *safe = file_name_safe(b->spec.name);
		g_free(b->spec.name);
		b->spec.name = safe;
	}
	if (!b->is_layout)
		return true;
	b->session_id = g_strdup(message_map_find(op, attrs, "oci.session"));
	b->store = g_strdup(message_map_find(op, attrs, "oci.store"));
	if (!b->store || !*b->store)
		return error_set(error, ERROR_INVALID_ARGUMENT, "oci-layout blob source requires store id");
	return true;
}

static void *blob_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		       GError **error)
{
	struct blob_source *b = g_new0(struct blob_source, 1);
	b->context = context;
	b->is_layout = g_str_has_prefix(op->identifier, "oci-layout");
	if (!reference_read(b, strstr(op->identifier, "://") + 3, error) || !attributes_read(b, op, error)) {
		blob_free(b);
		return NULL;
	}
	return b;
}

static bool blob_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			   GError **error)
{
	struct blob_source *b = self;
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "Digest", b->digest.text);
	json_put_string_member(w, "Filename", b->spec.name);
	json_put_int_member(w, "Perm", b->spec.perm);
	json_put_int_member(w, "UID", b->spec.uid);
	json_put_int_member(w, "GID", b->spec.gid);
	json_object_end(w);
	g_autofree char *text = json_writer_take(&w, NULL);
	struct digest key;
	digest_of_text(text, &key);
	*ret_key = g_strdup(key.text);
	*ret_last = true;
	return true;
}

static bool fetch_as(struct blob_source *b, const char *media_type, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	g_autoptr(oci_descriptor) d = oci_descriptor_new(media_type, &b->digest, -1);
	g_ptr_array_add(list, d);
	g_autoptr(blob_provider) p =
		b->is_layout ? pull_layout_provider(b->context->sessions, b->session_id, b->store)
			     : registry_provider_of(b->context->registry, b->ref, &source_registry_auth, list);
	return blob_provider_fetch(p, b->context->blobs, &b->digest, -1, work, error);
}

static bool blob_fetch(struct blob_source *b, struct work *work, GError **error)
{
	GError *why = NULL;
	if (fetch_as(b, "", work, &why))
		return true;
	/* The digest may be that of a manifest, for which registries have another endpoint. */
	if (b->is_layout || cancel_is_set(work->cancel) || !fetch_as(b, OCI_MANIFEST, work, NULL))
		return error_propagate(error, why);
	g_error_free(why);
	return true;
}

static int blob_open_fetched(const struct blob_source *b, GError **error)
{
	GError *why = NULL;
	int fd = blob_store_find(b->context->blobs, &b->digest, &why);
	if (fd < 0 && why)
		g_propagate_error(error, why);
	else if (fd < 0)
		error_set(error, ERROR_NOT_FOUND, "blob %s: not found", b->digest.text);
	return fd;
}

int pull_blob(const struct source_context *context, bool is_layout, const reference *ref, const char *session_id,
	      const char *store, blob_holds *holds, struct work *work, GError **error)
{
	struct blob_source b = {.context = context,
				.ref = (reference *)(uintptr_t)ref,
				.is_layout = is_layout,
				.session_id = (char *)(uintptr_t)session_id,
				.store = (char *)(uintptr_t)store};
	if (!digest_parse(ref->digest, &b.digest, error))
		return -1;
	blob_holds_add(holds, &b.digest);
	return blob_fetch(&b, work, error) ? blob_open_fetched(&b, error) : -1;
}

static bool blob_to_record(struct blob_source *b, struct work *work, cache_ref **ret_ref, GError **error)
{
	scoped_fd from = blob_open_fetched(b, error);
	if (from < 0)
		return false;
	int64_t size = blob_store_size(b->context->blobs, &b->digest);
	g_autofree char *description = g_strconcat("blob ", b->text, NULL);
	g_auto(file_record) f = {.fd = -1};
	const char *name = *b->spec.name ? b->spec.name : digest_hex(&b->digest);
	if (!file_record_begin(&f, b->context->cache, description, name, &b->spec, work, error) ||
	    !file_record_copy(&f, from, size, work->cancel, error))
		return false;
	*ret_ref = file_record_commit(&f, 0, work, NULL, error);
	return *ret_ref != NULL;
}

static bool blob_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error)
{
	struct blob_source *b = self;
	g_autoptr(blob_holds) holds = blob_holds_new(b->context->blobs);
	blob_holds_add(holds, &b->digest);
	bool ok = blob_fetch(b, work, error) && blob_to_record(b, work, ret_ref, error);
	cache_release_blobs(b->context->cache, holds); /* the record has its own copy */
	return ok;
}

static char *blob_pin(void *self)
{
	return g_strdup(((const struct blob_source *)self)->digest.text);
}

const struct source_class source_image_blob_class = {
	.scheme = "docker-image+blob",
	.material = SOURCE_MATERIAL_IMAGE_BLOB,
	.open = blob_open,
	.cache_key = blob_cache_key,
	.snapshot = blob_snapshot,
	.pin = blob_pin,
	.free = blob_free,
};
const struct source_class source_oci_layout_blob_class = {
	.scheme = "oci-layout+blob",
	.material = SOURCE_MATERIAL_IMAGE_BLOB,
	.is_layout = true,
	.open = blob_open,
	.cache_key = blob_cache_key,
	.snapshot = blob_snapshot,
	.pin = blob_pin,
	.free = blob_free,
};
