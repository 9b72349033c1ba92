/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: what cache backends share that store blobs and a manifest. Thread: as remotecache.h.
 */
#pragma once
#include "remotecache/attributes.h"
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

/* ---- blobs and a manifest (content_export.c) */

/* Where they go to. */
struct content_target {
	bool (*blob)(void *self, const oci_descriptor *d, const struct cache_layer_result *layer, struct work *work,
		     GError **error);
	/* A config or (is_root) the manifest. */
	bool (*document)(void *self, const oci_descriptor *d, const void *bytes, bool is_root, struct work *work,
			 GError **error);
	void *self;
	int parallel; /* blobs at once */
};
struct content_format {
	bool oci, image_manifest;
};
bool content_format_read(GHashTable *attrs, struct content_format *ret, GError **error);
bool content_export(const struct content_target *target, const struct content_format *format,
		    const cache_config *config, const GPtrArray *layers, struct work *work, GHashTable *response,
		    GError **error);
/*
 * The descriptor of a layer as caches have it: containerd.io/uncompressed and buildkit/createdat say what its config
 * does not.
 */
oci_descriptor *layer_descriptor(const struct cache_layer_result *layer, bool oci);
/* The blob of a layer as a file: fetched when it is not here. The caller closes; -1 and an error. */
int layer_open(const struct remotecache_context *context, const struct cache_layer_result *layer, struct work *work,
	       GError **error);
/* fn for each layer whose blob was not given yet, several at once; stops at the first error. */
typedef bool (*layer_fn)(void *data, guint layer, struct work *work, GError **error);
bool layers_each(const GPtrArray *layers, int parallel, layer_fn fn, void *data, struct work *work, GError **error);
