/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "remotecache/attributes.h"
#include "remotecache/importer.h"

struct registry_origin {
	const struct remotecache_context *context;
	const struct registry_auth *auth;
	reference *ref;
};

/* The same without asking for certificates; layers are fetched with it as long as the daemon lives. */
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
	g_prefix_error(error, "failed to configure registry cache importer: ");
	return NULL;
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

static solver_import *registry_open(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				    GError **error)
{
	static const struct import_origin origin = {
		.root = registry_root, .small = registry_small, .provider = registry_layers};
	bool insecure;
	g_autoptr(reference) ref = attribute_ref(attrs, error);
	if (!ref || !attribute_bool(attrs, "registry.insecure", false, &insecure, error)) {
		g_prefix_error(error, "failed to configure registry cache importer: ");
		return NULL;
	}
	struct registry_origin o = {context, insecure ? insecure_auth(context->registry_auth) : context->registry_auth,
				    ref};
	return content_import(context, &origin, &o, work, error);
}

const struct cache_importer_class registry_import_class = {.type = "registry", .open = registry_open};
