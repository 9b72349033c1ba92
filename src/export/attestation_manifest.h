/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation_manifest: the manifest that stands in an index for the attestations of one of its images.
 *
 *	struct image_manifest *m = attestation_manifest_write(&in, of, image, names, work, error);
 *
 * An OCI artifact whose subject is the image, or (oci-artifact=false) the older form, an image of no platform.
 * Status "exporting attestation manifest sha256:...". Thread: one at a time.
 */
#pragma once
#include "export/writer.h"

struct attestation_request {
	const struct exporter_context *context;
	const GPtrArray *attestations; /* element type: struct export_attestation *; at least one */
	const oci_descriptor *image;   /* the manifest they are about */
	const struct platform *platform;
	const char *names; /* of the image, comma-separated */
	bool artifact;
};
/* The descriptor is as the index shows it. Owned by the caller (image_manifest_free). */
struct image_manifest *attestation_manifest_write(const struct attestation_request *r, struct work *work,
						  GError **error);
