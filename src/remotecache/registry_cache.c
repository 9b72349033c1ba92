/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "remotecache/backend.h"
#include "remotecache/exporter.h"
#include "remotecache/importer.h"

#define PARALLEL 4

struct registry_cache {
	const struct remotecache_context *context; /* borrowed from the exporter */
	reference *ref;
	struct content_format format;
	struct registry_push_options push;
};

static void registry_close(void *self)
{
	struct registry_cache *c = self;
	g_clear_pointer(&c->ref, reference_free);
	g_free(c);
}

static void *registry_open(const struct remotecache_context *context, GHashTable *attrs, GError **error)
{
	struct registry_cache *c = g_new0(struct registry_cache, 1);
	c->context = context;
	c->ref = attribute_ref(attrs, error);
	if (c->ref && content_format_read(attrs, &c->format, error) &&
	    attribute_bool(attrs, "registry.insecure", false, &c->push.insecure, error))
		return c;
	registry_close(c);
	return NULL;
}

/* A layer in another repository of the same registry is mounted from there. */
static const char *mount_from(const struct registry_cache *c, const struct cache_layer_result *layer)
{
	const char *host, *repository;
	return layer->provider && blob_provider_origin(layer->provider, &host, &repository) &&
			       g_str_equal(host, c->ref->domain)
		       ? repository
		       : NULL;
}

static bool registry_blob(void *self, const oci_descriptor *d, const struct cache_layer_result *layer,
			  struct work *work, GError **error)
{
	const struct registry_cache *c = self;
	const struct remotecache_context *x = c->context;
	const char *from = mount_from(c, layer);
	if (layer->provider && !blob_store_has(x->blobs, &d->digest)) {
		bool has = false;
		if (!registry_has_blob(x->registry, c->ref, d, from, x->registry_auth, &c->push, work, &has, error))
			return false;
		if (has)
			return true;
	}
	scoped_fd fd = layer_open(x, layer, work, error);
	return fd >= 0 && registry_push_blob(x->registry, c->ref, d, fd, from, x->registry_auth, &c->push, work, error);
}

/* The config is small, but pushed from a file like other blobs. */
static bool push_small(const struct registry_cache *c, const oci_descriptor *d, const void *bytes, struct work *work,
		       GError **error)
{
	const struct remotecache_context *x = c->context;
	struct digest digest;
	if (!blob_holds_put(x->holds, bytes, (size_t)d->size, &digest, error))
		return false;
	scoped_fd fd = blob_store_find(x->blobs, &digest, error);
	return fd >= 0 && registry_push_blob(x->registry, c->ref, d, fd, NULL, x->registry_auth, &c->push, work, error);
}

static bool registry_document(void *self, const oci_descriptor *d, const void *bytes, bool is_root, struct work *work,
			      GError **error)
{
	const struct registry_cache *c = self;
	return is_root ? registry_push_manifest(c->context->registry, c->ref, d, bytes, true, c->context->registry_auth,
						&c->push, work, error)
		       : push_small(c, d, bytes, work, error);
}

static bool registry_send(void *self, const cache_config *config, const GPtrArray *layers, struct work *work,
			  GHashTable *response, GError **error)
{
	struct registry_cache *c = self;
	struct content_target target = {registry_blob, registry_document, c, PARALLEL};
	return content_export(&target, &c->format, config, layers, work, response, error);
}

/* ---- import */

struct registry_origin {
	const struct remotecache_context *context;
	const struct registry_auth *auth;
	reference *ref;
};

/* Same without verification of certificates. Static, because layers are fetched with it until the daemon ends. */
static const struct registry_auth *insecure_auth(const struct registry_auth *auth)
{
	static struct registry_auth copy;
	static gsize made;
	if (g_once_init_enter(&made)) {
		copy = *auth;
		copy.insecure = true;
		g_once_init_leave(&made, 1);
	}
	return &copy;
}

static GBytes *registry_root(void *self, struct work *work, GError **error)
{
	const struct registry_origin *o = self;
	g_autoptr(oci_descriptor) d = NULL;
	GBytes *bytes = NULL;
	if (registry_resolve(o->context->registry, o->ref, o->auth, work, &d, &bytes, error))
		return bytes;
	return error_prefix_null(error, "failed to configure registry cache importer: ");
}

static GBytes *registry_small(void *self, const oci_descriptor *d, size_t max, struct work *work, GError **error)
{
	const struct registry_origin *o = self;
	return registry_fetch_small(o->context->registry, o->ref, d, max, o->auth, work, error);
}

static blob_provider *registry_layers(void *self, const GPtrArray *layers)
{
	const struct registry_origin *o = self;
	return registry_provider_of(o->context->registry, o->ref, o->auth, layers);
}

static solver_import *registry_import(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				      GError **error)
{
	static const struct import_origin origin = {
		.root = registry_root, .small = registry_small, .provider = registry_layers};
	bool insecure;
	g_autoptr(reference) ref = attribute_ref(attrs, error);
	if (!ref || !attribute_bool(attrs, "registry.insecure", false, &insecure, error))
		return error_prefix_null(error, "failed to configure registry cache importer: ");
	struct registry_origin o = {context, insecure ? insecure_auth(context->registry_auth) : context->registry_auth,
				    ref};
	return content_import(context, &origin, &o, work, error);
}

const struct cache_backend cache_backend_registry = {
	.type = "registry",
	.vertex_name = "exporting cache to registry",
	.open = registry_open,
	.send = registry_send,
	.free = registry_close,
	.import = registry_import,
};
