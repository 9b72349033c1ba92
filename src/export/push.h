/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push: pushes an image to a registry: blobs in parallel, then manifests, children before parents.
 *
 *	push_image(&context, tree, "docker.io/me/app:v1", &options, work, error)
 *
 * Blobs that the registry has, or can mount from another repository, are not sent; lazy layers are fetched only if they
 * must be sent. Statuses: "pushing layers", "pushing manifest for NAME". Thread: any.
 */
#pragma once
#include "export/writer.h"

struct push_options {
	bool by_digest;
	bool insecure;
};
/* Reports whether name can be pushed to. Errors: as push_image. */
bool push_check_name(const char *name, const struct push_options *options, GError **error);
bool push_image(const struct exporter_context *context, const image_tree *tree, const char *name,
		const struct push_options *options, struct work *work, GError **error);
