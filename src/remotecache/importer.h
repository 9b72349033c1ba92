/* SPDX-License-Identifier: Apache-2.0 */
/*
 * importer: provides an imported cache as keys and results of a build.
 *
 *	g_autoptr(remote_import) r = remote_import_new(&context, eager);
 *	remote_import_add(r, config, layers, provider);        one config, or one per manifest of an image
 *	solver_import *i = remote_import_finish(&r);
 *
 * A layer that cannot be read counts as a fault, and its results are not found again: a damaged cache is a cache miss.
 * Thread: one at a time until finished, then any.
 */
#pragma once
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

typedef struct remote_import remote_import;

/* eager: layers are fetched when a result is used, because their source is available for a short time only. */
remote_import *remote_import_new(const struct remotecache_context *context, bool eager);
void remote_import_free(remote_import *r);
/*
 * Takes ownership of config and layers. layers: element type oci_layer *, one per layer of the config; NULL elements:
 * unknown.
 */
void remote_import_add(remote_import *r, cache_config *config, GPtrArray *layers, blob_provider *provider);
solver_import *remote_import_finish(remote_import **r);

/* ---- source of a manifest and its blobs */
struct import_origin {
	GBytes *(*root)(void *self, struct work *work, GError **error);
	GBytes *(*small)(void *self, const oci_descriptor *d, size_t max, struct work *work, GError **error);
	/* layers: element type oci_descriptor *. Owned by the caller. */
	blob_provider *(*provider)(void *self, const GPtrArray *layers);
	bool eager;
};
solver_import *content_import(const struct remotecache_context *context, const struct import_origin *origin, void *self,
			      struct work *work, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(remote_import, remote_import_free)
