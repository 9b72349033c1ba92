/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "remotecache/attributes.h"
#include "remotecache/importer.h"

#define SESSION_WAIT_MS 5000

struct local_origin {
	const struct remotecache_context *context;
	session *session; /* borrowed */
	char *store;      /* "local:<directory>" */
	struct digest root;
};

static GBytes *local_fetch(const struct local_origin *o, const struct digest *digest, size_t max, struct work *work,
			   GError **error)
{
	return session_content_fetch(o->session, o->store, digest, max, work->cancel, error);
}

static GBytes *local_root(void *self, struct work *work, GError **error)
{
	const struct local_origin *o = self;
	return local_fetch(o, &o->root, (size_t)LIMIT_INDEX_BYTES, work, error);
}

static GBytes *local_small(void *self, const oci_descriptor *d, size_t max, struct work *work, GError **error)
{
	return local_fetch(self, &d->digest, max, work, error);
}

static blob_provider *local_layers(void *self, const GPtrArray *layers)
{
	const struct local_origin *o = self;
	return session_content_provider(o->context->sessions, session_id(o->session), o->store);
}

static bool read_attributes(struct local_origin *o, GHashTable *attrs, GError **error)
{
	const char *digest = attribute(attrs, "digest"), *src = attribute(attrs, "src");
	if (!*digest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "local cache importer requires explicit digest");
	if (!*src)
		return error_set(error, ERROR_INVALID_ARGUMENT, "local cache importer requires src");
	if (!digest_parse(digest, &o->root, error))
		return false;
	if (!*o->context->session_id)
		return error_set(error, ERROR_FAILED_PRECONDITION, "local cache exporter/importer requires session");
	o->store = g_strconcat("local:", src, NULL);
	return true;
}

static solver_import *local_open(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				 GError **error)
{
	/* The client takes its directory with it: what is used must be here before it leaves. */
	static const struct import_origin origin = {
		.root = local_root, .small = local_small, .provider = local_layers, .eager = true};
	struct local_origin o = {.context = context};
	g_autoptr(session) s = NULL;
	solver_import *import = NULL;
	if (read_attributes(&o, attrs, error))
		s = session_find(context->sessions, context->session_id, SESSION_WAIT_MS, work->cancel, error);
	if (!s)
		g_prefix_error(error, "failed to configure local cache importer: ");
	o.session = s;
	if (s)
		import = content_import(context, &origin, &o, work, error);
	g_free(o.store);
	return import;
}

const struct cache_importer_class local_import_class = {.type = "local", .open = local_open};
