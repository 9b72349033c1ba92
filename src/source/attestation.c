/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attestation chain of an image: its index, the attestation manifest of one platform, the signature of that
 * manifest, and attestations of requested types. The client verifies it (github.com/moby/policy-helpers).
 */
#include "source/attestation.h"
#include "base/limits.h"
#include <string.h>

#define COSIGN_SIGNATURE "application/vnd.dev.cosign.artifact.sig.v1+json"
#define SIGSTORE_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define IN_TOTO "application/vnd.in-toto+json"
#define PREDICATE_TYPE "in-toto.io/predicate-type"
#define SLSA_02 "https://slsa.dev/provenance/v0.2"
#define SLSA_1 "https://slsa.dev/provenance/v1"
/* Percent-encoded SLSA_02 and SLSA_1. */
#define HARDENED_QUERY                                                                                                 \
	"artifactType=application%2Fvnd.in-toto%2Bjson&predicateType=https%3A%2F%2Fslsa.dev%2Fprovenance%2Fv0.2"       \
	"&predicateType=https%3A%2F%2Fslsa.dev%2Fprovenance%2Fv1"

static void blob_free(gpointer data)
{
	struct attestation_blob *b = data;
	oci_descriptor_free(b->descriptor);
	g_bytes_unref(b->bytes);
	g_free(b);
}

void attestation_chain_free(attestation_chain *c)
{
	if (!c)
		return;
	g_ptr_array_unref(c->blobs);
	g_free(c);
}

/* Borrowed; NULL: the chain does not have it. */
static GBytes *chain_find(const attestation_chain *c, const struct digest *digest)
{
	for (guint i = 0; i < c->blobs->len; i++) {
		const struct attestation_blob *b = c->blobs->pdata[i];
		if (digest_equal(&b->descriptor->digest, digest))
			return b->bytes;
	}
	return NULL;
}

/* Takes a reference of bytes. */
static bool chain_add(attestation_chain *c, const oci_descriptor *d, GBytes *bytes, GError **error)
{
	size_t n = g_bytes_get_size(bytes);
	if (d->size >= 0 && (size_t)d->size != n)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "reading blob %s: it has %zu bytes, its descriptor says %" G_GINT64_FORMAT,
				 d->digest.text, n, d->size);
	c->size += n;
	if (c->size > (size_t)LIMIT_ATTESTATION_CHAIN_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "attestation chain has more than %lld bytes, which is the limit",
				 LIMIT_ATTESTATION_CHAIN_BYTES);
	struct attestation_blob *b = g_new(struct attestation_blob, 1);
	*b = (struct attestation_blob){oci_descriptor_copy(d), g_bytes_ref(bytes)};
	g_ptr_array_add(c->blobs, b);
	return true;
}

/* ---- the chain */

struct resolution {
	const struct pull_origin *origin;
	const reference *ref;
	struct work *work;
	attestation_chain *chain;
};

/* Returns a document, which is added to the chain. Borrowed from the chain. */
static GBytes *bring(struct resolution *r, const oci_descriptor *d, GError **error)
{
	GBytes *known = chain_find(r->chain, &d->digest);
	if (known)
		return known;
	size_t left = (size_t)LIMIT_ATTESTATION_CHAIN_BYTES - r->chain->size;
	g_autoptr(GBytes) bytes = pull_document(r->origin, r->ref, d, left, r->work, error);
	if (bytes)
		return chain_add(r->chain, d, bytes, error) ? bytes : NULL;
	return error_prefix_null(error, "reading blob %s: ", d->digest.text);
}

static oci_manifest *bring_manifest(struct resolution *r, const oci_descriptor *d, GError **error)
{
	GBytes *bytes = bring(r, d, error);
	if (!bytes)
		return NULL;
	oci_manifest *m =
		oci_manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), d->media_type, error);
	if (!m)
		g_prefix_error(error, "unmarshaling manifest %s: ", d->digest.text);
	return m;
}

/* Images only: nested indexes are not followed, as with upstream. */
static const oci_descriptor *image_find(const oci_index *index, const struct platform *want, GError **error)
{
	const oci_descriptor *best = NULL;
	int best_rank = 0;
	for (guint i = 0; i < index->manifests->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(index->manifests, i);
		int rank = !oci_media_type_is_manifest(d->media_type) ? 0
			   : d->has_platform                          ? platform_match(want, &d->platform)
								      : 1;
		if (rank > best_rank) {
			best = d;
			best_rank = rank;
		}
	}
	if (best)
		return best;
	g_autofree char *text = platform_format_all(want);
	return error_null(error, ERROR_NOT_FOUND,
			  "resolving image manifest for platform %s: no manifest for platform %s: not found", text,
			  text);
}

static bool annotation_is(const oci_descriptor *d, const char *key, const char *value)
{
	return g_strcmp0(oci_descriptor_annotation(d, key), value) == 0;
}

static const oci_descriptor *attestation_find(const oci_index *index, const struct digest *image)
{
	for (guint i = 0; i < index->manifests->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(index->manifests, i);
		if (annotation_is(d, "vnd.docker.reference.type", "attestation-manifest") &&
		    annotation_is(d, "vnd.docker.reference.digest", image->text))
			return d;
	}
	return NULL;
}

static oci_index *referrers(struct resolution *r, const struct digest *subject, const char *query, const char *what,
			    GError **error)
{
	oci_index *list = NULL;
	if (!registry_referrers(r->origin->registry, r->ref, subject, query, &source_registry_auth, r->work, &list,
				error))
		g_prefix_error(error, "fetching referrers for %s %s: ", what, subject->text);
	return list;
}

/* Docker Hardened Images: attestations are separate documents that refer to the image. */
static bool is_hardened(const oci_index *index)
{
	for (guint i = 0; i < index->manifests->len; i++) {
		const char *id =
			oci_descriptor_annotation(g_ptr_array_index(index->manifests, i), "com.docker.dhi.build.id");
		if (!id || !*id)
			return false;
	}
	const char *title =
		index->annotations ? g_hash_table_lookup(index->annotations, "org.opencontainers.image.title") : NULL;
	return title && g_str_has_prefix(title, "dhi/");
}

static oci_descriptor *hardened_attestation(struct resolution *r, const struct digest *image, GError **error)
{
	g_autoptr(oci_index) list = referrers(r, image, HARDENED_QUERY, "manifest", error);
	for (guint i = 0; list && i < list->manifests->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(list->manifests, i);
		if (g_strcmp0(d->artifact_type, IN_TOTO) == 0 &&
		    (annotation_is(d, PREDICATE_TYPE, SLSA_02) || annotation_is(d, PREDICATE_TYPE, SLSA_1)))
			return oci_descriptor_copy(d);
	}
	if (list)
		error_set(error, ERROR_NOT_FOUND, "no attestation referrers found for DHI manifest %s", image->text);
	return NULL;
}

/* The signature to use: the first sigstore bundle, otherwise the first cosign signature. */
static const oci_descriptor *signature_find(const oci_index *list)
{
	const oci_descriptor *found = NULL;
	for (guint i = 0; i < list->manifests->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(list->manifests, i);
		if (g_strcmp0(d->artifact_type, SIGSTORE_BUNDLE) == 0)
			return d;
		if (!found && g_strcmp0(d->artifact_type, COSIGN_SIGNATURE) == 0)
			found = d;
	}
	return found;
}

static bool add_signature(struct resolution *r, GError **error)
{
	g_autoptr(oci_index) list = referrers(r, &r->chain->attestation, "", "attestation manifest", error);
	const oci_descriptor *d = list ? signature_find(list) : NULL;
	if (!d)
		return list != NULL;
	r->chain->signature = d->digest;
	g_autoptr(oci_manifest) m = bring_manifest(r, d, error);
	bool ok = m != NULL;
	for (guint i = 0; ok && i < m->layers->len; i++)
		ok = bring(r, g_ptr_array_index(m->layers, i), error) != NULL;
	return ok;
}

static bool add_predicates(struct resolution *r, const oci_descriptor *attestation, const char *const *types,
			   size_t n_types, GError **error)
{
	if (n_types == 0)
		return true;
	g_autoptr(oci_manifest) m = bring_manifest(r, attestation, error);
	bool ok = m != NULL;
	for (guint i = 0; ok && i < m->layers->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(m->layers, i);
		bool wanted = false;
		for (size_t t = 0; t < n_types && !wanted; t++)
			wanted = *types[t] && annotation_is(d, PREDICATE_TYPE, types[t]);
		ok = !wanted || bring(r, d, error) != NULL;
	}
	return ok;
}

static bool add_all(struct resolution *r, const oci_index *index, const struct attestation_request *q, GError **error)
{
	const oci_descriptor *image = image_find(index, q->platform, error);
	if (!image)
		return false;
	r->chain->image = image->digest;
	g_autoptr(oci_descriptor) separate = NULL;
	bool hardened = is_hardened(index);
	if (hardened && !(separate = hardened_attestation(r, &image->digest, error)))
		return false;
	const oci_descriptor *attestation = hardened ? separate : attestation_find(index, &image->digest);
	if (!attestation)
		return true;
	r->chain->attestation = attestation->digest;
	return bring(r, attestation, error) && add_signature(r, error) &&
	       add_predicates(r, attestation, q->predicate_types, q->n_predicate_types, error);
}

/* Other images than OCI indexes have no attestations; their chain is the root. */
static bool add_root(struct resolution *r, const oci_descriptor *root, GBytes *bytes,
		     const struct attestation_request *q, GError **error)
{
	r->chain->root = root->digest;
	if (!chain_add(r->chain, root, bytes, error))
		return false;
	if (strcmp(root->media_type, OCI_INDEX) != 0)
		return true;
	g_autoptr(oci_index) index =
		oci_index_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), OCI_INDEX, error);
	if (index)
		return add_all(r, index, q, error);
	return error_prefix(error, "unmarshaling image index: ");
}

attestation_chain *attestation_chain_resolve(const struct pull_origin *o, const reference *ref,
					     const struct attestation_request *q, struct work *work, GError **error)
{
	g_autoptr(oci_descriptor) root = NULL;
	g_autoptr(GBytes) bytes = NULL;
	if (!pull_root_document(o, ref, work, &root, &bytes, error))
		return NULL;
	g_autoptr(attestation_chain) chain = g_new0(attestation_chain, 1);
	chain->blobs = g_ptr_array_new_with_free_func(blob_free);
	struct resolution r = {.origin = o, .ref = ref, .work = work, .chain = chain};
	return add_root(&r, root, bytes, q, error) ? g_steal_pointer(&chain) : NULL;
}
