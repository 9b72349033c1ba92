/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation_manifest.h"
#include "base/limits.h"
#include "export/attestation.h"
#include "format/purl.h"
#include "progress/progress.h"
#include <string.h>

#define ARTIFACT_TYPE "application/vnd.docker.attestation.manifest.v1+json"
#define REFERENCE_TYPE "vnd.docker.reference.type"
#define REFERENCE_DIGEST "vnd.docker.reference.digest"
#define EMPTY_DOCUMENT "{}"

/* Element type: struct attestation_subject *. */
static GPtrArray *subjects_of(const struct attestation_request *r, GError **error)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(attestation_subject_free);
	g_auto(GStrv) names = g_strsplit(r->names, ",", -1);
	for (char **name = names; *name; name++) {
		if (!**name)
			continue;
		g_autofree char *purl = purl_of_image("docker", *name, r->platform, NULL, NULL, error);
		if (!purl)
			return NULL;
		g_ptr_array_add(list, attestation_subject_new(purl, &r->image->digest));
	}
	return g_steal_pointer(&list);
}

static oci_descriptor *store_blob(const struct attestation_request *r, GBytes *bytes, const char *media_type,
				  GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	struct digest digest;
	digest_of(data, n, &digest);
	if (!blob_holds_put(r->context->holds, data, n, &digest, error))
		return error_prefix_null(error, "error writing data blob %s: ", digest.text);
	return oci_descriptor_new(media_type, &digest, (int64_t)n);
}

static bool write_statements(struct image_manifest *m, const struct attestation_request *r, struct work *work,
			     GError **error)
{
	struct statement_budget budget = {LIMIT_STATEMENTS_BYTES, work->cancel};
	g_autoptr(GPtrArray) subjects = subjects_of(r, error);
	for (guint i = 0; subjects && i < r->attestations->len; i++) {
		const struct attestation *a = r->attestations->pdata[i];
		GBytes *bytes = attestation_statement(a, subjects, 0, &budget, error);
		if (!bytes)
			return false;
		struct image_document *d = g_new0(struct image_document, 1);
		g_ptr_array_add(m->statements, d);
		d->bytes = bytes;
		d->descriptor = store_blob(r, d->bytes, EXPORT_IN_TOTO_TYPE, error);
		if (!d->descriptor)
			return false;
		oci_descriptor_annotate(d->descriptor, EXPORT_PREDICATE_TYPE_KEY, a->predicate_type);
	}
	return subjects != NULL;
}

/* Old form: an image without a platform, whose layers are the statements. */
static GBytes *plain_config(const struct image_manifest *m)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member(w, "architecture", "unknown");
	json_put_string_member(w, "os", "unknown");
	json_key(w, "config");
	json_object_begin(w);
	json_object_end(w);
	json_key(w, "rootfs");
	json_object_begin(w);
	json_put_string_member(w, "type", "layers");
	json_key(w, "diff_ids");
	json_array_begin(w);
	for (guint i = 0; i < m->statements->len; i++)
		json_put_string(w, ((const struct image_document *)m->statements->pdata[i])->descriptor->digest.text);
	json_array_end(w);
	json_object_end(w);
	json_object_end(w);
	size_t n;
	char *text = json_writer_take(&w, &n);
	return g_bytes_new_take(text, n);
}

static bool write_config(struct image_manifest *m, const struct attestation_request *r, GError **error)
{
	m->config_bytes = r->artifact ? g_bytes_new_static(EMPTY_DOCUMENT, strlen(EMPTY_DOCUMENT)) : plain_config(m);
	m->config = store_blob(r, m->config_bytes, r->artifact ? OCI_EMPTY : OCI_CONFIG, error);
	return m->config != NULL;
}

static bool write_manifest(struct image_manifest *m, const struct attestation_request *r, struct work *work,
			   GError **error)
{
	g_autoptr(oci_manifest) document = oci_manifest_new(OCI_MANIFEST);
	document->config = oci_descriptor_copy(m->config);
	for (guint i = 0; i < m->statements->len; i++)
		g_ptr_array_add(
			document->layers,
			oci_descriptor_copy(((const struct image_document *)m->statements->pdata[i])->descriptor));
	if (r->artifact) {
		document->config->data = g_bytes_ref(m->config_bytes);
		document->artifact_type = g_strdup(ARTIFACT_TYPE);
		document->subject = oci_descriptor_new(r->image->media_type, &r->image->digest, r->image->size);
	}
	size_t n;
	char *text = oci_manifest_write(document, &n);
	m->bytes = g_bytes_new_take(text, n);
	struct digest digest;
	digest_of(text, n, &digest);
	g_autofree char *id = g_strdup_printf("exporting attestation manifest %s", digest.text);
	int64_t started_ns = 0;
	progress_status_start(work->progress, id, NULL, &started_ns);
	m->descriptor = store_blob(r, m->bytes, OCI_MANIFEST, error);
	if (!m->descriptor)
		return false;
	progress_status_end(work->progress, id, NULL, started_ns);
	return true;
}

struct image_manifest *attestation_manifest_write(const struct attestation_request *r, struct work *work,
						  GError **error)
{
	static const struct platform nowhere = {.os = "unknown", .architecture = "unknown"};
	struct image_manifest *m = image_manifest_new();
	m->statements = g_ptr_array_new_with_free_func(image_document_free);
	m->layers = g_ptr_array_new();
	if (!write_statements(m, r, work, error) || !write_config(m, r, error) || !write_manifest(m, r, work, error)) {
		image_manifest_free(m);
		return NULL;
	}
	oci_descriptor_annotate(m->descriptor, REFERENCE_TYPE, "attestation-manifest");
	oci_descriptor_annotate(m->descriptor, REFERENCE_DIGEST, r->image->digest.text);
	oci_descriptor_set_platform(m->descriptor, &nowhere);
	return m;
}
