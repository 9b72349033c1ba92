/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/scope.h"
#include "remotecache/backend.h"
#include "remotecache/exporter.h"
#include "remotecache/importer.h"

#define PARALLEL 4

struct local_cache {
	const struct remotecache_context *context; /* borrowed from the exporter */
	char *store;                               /* owned: "local:<directory>" */
	struct content_format format;
	session *session; /* counted; while sending */
};

static void local_close(void *self)
{
	struct local_cache *c = self;
	g_free(c->store);
	g_free(c);
}

static void *local_open(const struct remotecache_context *context, GHashTable *attrs, GError **error)
{
	if (!*attribute(attrs, "dest"))
		return error_null(error, ERROR_INVALID_ARGUMENT, "local cache exporter requires dest");
	struct local_cache *c = g_new0(struct local_cache, 1);
	c->context = context;
	c->store = g_strconcat("local:", attribute(attrs, "dest"), NULL);
	if (!content_format_read(attrs, &c->format, error)) {
		local_close(c);
		return NULL;
	}
	if (*context->session_id)
		return c;
	error_set(error, ERROR_FAILED_PRECONDITION, "local cache exporter/importer requires session");
	local_close(c);
	return NULL;
}

static bool local_blob(void *self, const oci_descriptor *d, const struct cache_layer_result *layer, struct work *work,
		       GError **error)
{
	const struct local_cache *c = self;
	scoped_fd fd = layer_open(c->context, layer, work, error);
	return fd >= 0 && session_content_write(c->session, c->store, d->digest.text, fd, NULL, d->size, work->cancel,
						NULL, NULL, error);
}

static bool local_document(void *self, const oci_descriptor *d, const void *bytes, bool is_root, struct work *work,
			   GError **error)
{
	const struct local_cache *c = self;
	return session_content_write(c->session, c->store, d->digest.text, -1, bytes, d->size, work->cancel, NULL, NULL,
				     error);
}

static bool local_send(void *self, const cache_config *config, const GPtrArray *layers, struct work *work,
		       GHashTable *response, GError **error)
{
	struct local_cache *c = self;
	g_autoptr(session) s =
		session_find(c->context->sessions, c->context->session_id, SESSION_WAIT_MS, work->cancel, error);
	if (!s)
		return false;
	c->session = s;
	struct content_target target = {local_blob, local_document, c, PARALLEL};
	bool ok = content_export(&target, &c->format, config, layers, work, response, error);
	c->session = NULL;
	return ok;
}

/* ---- import */

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

static solver_import *local_import(const struct remotecache_context *context, GHashTable *attrs, struct work *work,
				   GError **error)
{
	/* The directory is available only while the client is connected, so results are fetched when they are used. */
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

const struct cache_backend cache_backend_local = {
	.type = "local",
	.vertex_name = "exporting cache to client directory",
	.open = local_open,
	.send = local_send,
	.free = local_close,
	.import = local_import,
};
