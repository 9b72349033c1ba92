/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite: rewrites layers with all file times lowered to an epoch (rewrite-timestamp=true).
 *
 *	rewrite_layers(layers, &options, work, error)      element type struct cache_layer_result *, changed in place
 *
 * Layers of the base image are not changed. export/tar_clamp.h describes the changes. Thread: any.
 */
#pragma once
#include "cache/cache.h"

struct rewrite_options {
	cache *cache;
	blob_store *blobs;
	blob_holds *holds; /* compression of the rewritten layers */
	GBytes *base;      /* config of the base image or NULL */
	int64_t epoch_s;
	enum compression compression;
	int level;
};
bool rewrite_layers(GPtrArray *layers, const struct rewrite_options *o, struct work *work, GError **error);
