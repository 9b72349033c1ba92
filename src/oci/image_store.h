/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_store: interface to the images of a worker by name; each worker implements it.
 *
 *	image_store_class.find(self, "docker.io/x/y:1", cancel, &descriptor, error);
 *	image_store_class.refer(self, &manifest_digest, children, n, error);
 *	image_store_class.name(self, "docker.io/x/y:1", descriptor, has_epoch, epoch_s, cancel, error);
 *
 * All referenced documents are in the worker's blob store. Thread: any; calls wait for a peer.
 */
#pragma once
#include "base/cancel.h"
#include "oci/oci.h"

struct image_store_class {
	/* Returns the target of the image of that name; owned. Errors: NOT_FOUND. */
	bool (*find)(void *self, const char *name, cancel *c, oci_descriptor **ret, GError **error);
	/* Makes a document keep its children alive, in its order; children that are not in the store are ignored. */
	bool (*refer)(void *self, const struct digest *document, const struct digest *children, size_t n,
		      GError **error);
	/* Makes the name refer to the descriptor's image. */
	bool (*name)(void *self, const char *name, const oci_descriptor *target, bool has_epoch, int64_t epoch_s,
		     cancel *c, GError **error);
	/*
	 * Unpacks layers (of oci_layer *, bottom first, blobs are local) to trees that live as long as the image
	 * config.
	 */
	bool (*unpack)(void *self, const GPtrArray *layers, const struct digest *config, cancel *c, GError **error);
};
struct image_store {
	const struct image_store_class *class;
	void *self; /* borrowed */
};
