/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite: layers with all file times lowered to an epoch (rewrite-timestamp=true).
 *
 *	rewrite_layers(layers, &options, work, error)      of struct cache_layer_result *, changed in place
 *
 * A layer of the base image stays as it is. For what changes in an entry see export/tar_clamp.h. Thread: any.
 */
#pragma once
#include "cache/cache.h"

struct rewrite_options {
	cache *cache;
	blob_store *blobs;
	blob_holds *holds; /* of the rewritten layers */
	GBytes *base;      /* config of the base image or NULL */
	int64_t epoch_s;
	enum compression compression;
	int level;
};
bool rewrite_layers(GPtrArray *layers, const struct rewrite_options *o, struct work *work, GError **error);
