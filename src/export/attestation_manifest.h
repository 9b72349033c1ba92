/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation_manifest: the manifest with the attestations of an image, as an entry of the same index.
 *
 *	struct image_manifest *m = attestation_manifest_write(&request, work, error);
 *
 * An OCI artifact whose subject is the image, or (oci-artifact=false) the old form, an image without a platform. Status
 * "exporting attestation manifest sha256:...". Thread: one at a time.
 */
#pragma once
#include "export/writer.h"

struct attestation_request {
	const struct exporter_context *context;
	const GPtrArray *attestations; /* element type: struct attestation *; at least one */
	const oci_descriptor *image;   /* the manifest that they describe */
	const struct platform *platform;
	const char *names; /* names of the image, comma-separated */
	bool artifact;
};
/* The descriptor has the platform and annotations of the index entry. Owned by the caller (image_manifest_free). */
struct image_manifest *attestation_manifest_write(const struct attestation_request *r, struct work *work,
						  GError **error);
