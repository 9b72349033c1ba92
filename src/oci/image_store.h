/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_store: where a worker keeps images by name; who implements it is the worker's business.
 *
 *	image_store_class.find(self, "docker.io/x/y:1", cancel, &descriptor, error);
 *	image_store_class.refer(self, &manifest_digest, children, n, error);
 *	image_store_class.name(self, "docker.io/x/y:1", descriptor, has_epoch, epoch_s, cancel, error);
 *
 * Everything that is referred to or named is in the worker's blob store. Thread: any; calls wait for a peer.
 */
#pragma once
#include "base/cancel.h"
#include "oci/oci.h"

struct image_store_class {
	/* The target of the image of that name; owned. NOT_FOUND when there is no such image. */
	bool (*find)(void *self, const char *name, cancel *c, oci_descriptor **ret, GError **error);
	/* A document keeps alive what it names, in its order; children that are not in the store do no harm. */
	bool (*refer)(void *self, const struct digest *document, const struct digest *children, size_t n,
		      GError **error);
	/* The image of that name is the descriptor's from now on. */
	bool (*name)(void *self, const char *name, const oci_descriptor *target, bool has_epoch, int64_t epoch_s,
		     cancel *c, GError **error);
	/* Makes trees of layers (of oci_layer *, bottom first, blobs here) that live as long as the image config. */
	bool (*unpack)(void *self, const GPtrArray *layers, const struct digest *config, cancel *c, GError **error);
};
struct image_store {
	const struct image_store_class *class;
	void *self; /* borrowed */
};
