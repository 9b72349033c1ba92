/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend: the table of cache backends.
 *
 *	const struct cache_backend *b = cache_backend_find("registry");
 *	if (b && cache_backend_check(b, "export", attrs, error)) ...
 *
 * A new backend is a file that defines cache_backend_TYPE, its name in meson.build, and one entry of CACHE_BACKENDS. An
 * exporter turns a config, its layers and the context into what it stores; the progress of both steps is reported around
 * it. The inline cache is no backend: exporters of images write it (remotecache/inline_export.c). Thread: as remotecache.h.
 */
#pragma once
#include "remotecache/cache_config.h"
#include "remotecache/remotecache.h"

/*
 * All members are set if check is NULL; otherwise only type and check are, and cache_backend_check prevents other calls.
 * The unit test remotecache/backend checks all rows.
 */
struct cache_backend {
	const char *type;
	/* Checks the attributes of a backend that is not implemented, as upstream does. NULL: it is implemented. */
	bool (*check)(GHashTable *attrs, GError **error);
	const char *vertex_name; /* of exports: "exporting cache to registry" */
	void *(*open)(const struct remotecache_context *context, GHashTable *attrs, GError **error);
	/* layers: of struct cache_layer_result *, one a layer of the config. */
	bool (*send)(void *self, const cache_config *config, const GPtrArray *layers, struct work *work,
		     GHashTable *response, GError **error);
	void (*free)(void *self);
	solver_import *(*import)(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				 GError **error);
};

#define CACHE_BACKENDS(X) X(registry) X(local) X(s3) X(gha) X(azblob)
#define CACHE_BACKEND_DECLARE(type) extern const struct cache_backend cache_backend_##type;
CACHE_BACKENDS(CACHE_BACKEND_DECLARE)

const struct cache_backend *cache_backend_find(const char *type); /* NULL: there is none */
/*
 * True if the backend is implemented. Otherwise upstream's error about the attributes, or UNIMPLEMENTED. what: "export" or
 * "import".
 */
bool cache_backend_check(const struct cache_backend *b, const char *what, GHashTable *attrs, GError **error);
