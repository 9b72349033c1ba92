/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta: what is known about a source without a tree of it.
 *
 *	struct git_meta m;
 *	if (!source_git_resolve(&context, op, false, work, &m, error)) ...
 *	git_meta_clear(&m);
 *
 * Thread: any.
 */
#pragma once
#include "base/digest.h"
#include "oci/oci.h"
#include <glib.h>

struct attestation_blob {
	oci_descriptor *descriptor; /* owned */
	GBytes *bytes;              /* owned */
};
typedef struct attestation_chain {
	struct digest root;        /* the index; another document has no attestations */
	struct digest image;       /* the manifest of the platform; not among the blobs */
	struct digest attestation; /* unset: the image has no attestations, and the chain ends here */
	struct digest signature;   /* manifest of the signature of the attestation manifest; unset: none */
	GPtrArray *blobs;          /* owned; element type: struct attestation_blob * */
	size_t size;               /* bytes of all blobs */
} attestation_chain;
void attestation_chain_free(attestation_chain *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(attestation_chain, attestation_chain_free)

struct git_meta {
	char *ref, *checksum, *commit_checksum; /* owned; commit_checksum is "" unless checksum is an annotated tag's */
	GBytes *commit_object, *tag_object;     /* owned or NULL */
};
void git_meta_clear(struct git_meta *m);

struct http_meta {
	struct digest checksum;
	char *filename; /* owned */
	bool has_modified;
	int64_t modified_s;
};
void http_meta_clear(struct http_meta *m);

/* A digest of the file's bytes and a suffix together, for signatures that cover both. */
struct http_checksum {
	const char *algorithm; /* "sha256", "sha384", "sha512" */
	const void *suffix;    /* borrowed */
	size_t suffix_len;
	struct digest digest; /* set on success */
};
