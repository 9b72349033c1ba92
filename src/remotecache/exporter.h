/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: what cache backends share that store blobs and a manifest. Thread: as remotecache.h.
 */
#pragma once
#include "remotecache/attributes.h"
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

/* ---- blobs and a manifest (content_export.c) */

/* Destination of blobs and documents. */
struct content_target {
	bool (*blob)(void *self, const oci_descriptor *d, const struct cache_layer_result *layer, struct work *work,
		     GError **error);
	/* Writes a config or (is_root) the manifest. */
	bool (*document)(void *self, const oci_descriptor *d, const void *bytes, bool is_root, struct work *work,
			 GError **error);
	void *self;
	int parallel; /* number of blobs in parallel */
};
struct content_format {
	bool oci, image_manifest;
};
bool content_format_read(GHashTable *attrs, struct content_format *ret, GError **error);
bool content_export(const struct content_target *target, const struct content_format *format,
		    const cache_config *config, const GPtrArray *layers, struct work *work, GHashTable *response,
		    GError **error);
/*
 * Returns the blob of a layer as a file; fetches it if it is not local. The caller closes it; -1 and an error on
 * failure.
 */
int layer_open(const struct remotecache_context *context, const struct cache_layer_result *layer, struct work *work,
	       GError **error);
/* Calls fn for each distinct layer blob, several in parallel; stops at the first error. */
typedef bool (*layer_fn)(void *data, guint layer, struct work *work, GError **error);
bool layers_each(const GPtrArray *layers, int parallel, layer_fn fn, void *data, struct work *work, GError **error);
