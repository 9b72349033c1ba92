/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation_sbom: completes the SBOM of an image: the layer of each file, and the builder among the creators.
 *
 *	sbom_files *files = attestation_sbom_files(predicate);                     NULL: not to be changed
 *	if (!attestation_sbom_layers(files, layers, blobs, work, error)) ...
 *	g_autoptr(GBytes) complete = attestation_sbom_complete(predicate, files);
 *
 * Only SPDX documents of the versions 2.1 to 2.3 are changed. Members that are there stay as they are. Thread: any.
 */
#pragma once
#include "cache/cache.h"
#include "content/blob_store.h"

/* The files of an SBOM: char * path ("/bin/sh") to char * digest of its uppermost layer (owned; NULL: in no layer). */
typedef GHashTable sbom_files;

/* Returns the names of the files without a comment; NULL: the document is not changed. */
sbom_files *attestation_sbom_files(GBytes *predicate);
/* layers: element type struct cache_layer_result *, bottom first; their blobs are local. */
bool attestation_sbom_layers(sbom_files *files, const GPtrArray *layers, blob_store *blobs, struct work *work,
			     GError **error);
/* Returns the document with comments "layerID: sha256:...", and the builder in creationInfo. */
GBytes *attestation_sbom_complete(GBytes *predicate, const sbom_files *files);
