/* SPDX-License-Identifier: Apache-2.0 */
/*
 * importer: a cache from elsewhere as keys and results of a build.
 *
 *	g_autoptr(remote_import) r = remote_import_new(&context, eager);
 *	remote_import_add(r, config, layers, provider);        one config, or one a manifest of an image
 *	solver_import *i = remote_import_finish(&r);
 *
 * A layer that cannot be had when it is read counts as a fault, and results with it are not found again: a damaged
 * cache is a miss. Thread: one at a time until finished, then any.
 */
#pragma once
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

typedef struct remote_import remote_import;

/* eager: layers are fetched as soon as a result is taken, for their origin goes away. */
remote_import *remote_import_new(const struct remotecache_context *context, bool eager);
void remote_import_free(remote_import *r);
/* Takes config. layers: of oci_layer *, one a layer of the config, NULL where nothing is known (taken). */
void remote_import_add(remote_import *r, cache_config *config, GPtrArray *layers, blob_provider *provider);
solver_import *remote_import_finish(remote_import **r);

/* ---- where a manifest and its blobs come from */
struct import_origin {
	GBytes *(*root)(void *self, struct work *work, GError **error);
	GBytes *(*small)(void *self, const oci_descriptor *d, size_t max, struct work *work, GError **error);
	/* layers: of oci_descriptor *. Owned by the caller. */
	blob_provider *(*provider)(void *self, const GPtrArray *layers);
	bool eager;
};
solver_import *content_import(const struct remotecache_context *context, const struct import_origin *origin, void *self,
			      struct work *work, GError **error);
/* A layer from a descriptor with a cache's annotations; NULL when they do not say what it unpacks to. */
oci_layer *import_layer(const oci_descriptor *d);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(remote_import, remote_import_free)
