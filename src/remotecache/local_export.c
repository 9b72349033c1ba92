/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "remotecache/exporter.h"

#define PARALLEL 4
#define SESSION_WAIT_MS 5000

struct local_cache {
	const struct remotecache_context *context; /* borrowed: the exporter's */
	char *store;                               /* owned: "local:<directory>" */
	struct content_format format;
	session *session; /* ref while sending */
};

static void local_close(void *self)
{
	struct local_cache *c = self;
	g_free(c->store);
	g_free(c);
}

static void *local_open(const struct remotecache_context *context, GHashTable *attrs, GError **error)
{
	if (!*attribute(attrs, "dest")) {
		error_set(error, ERROR_INVALID_ARGUMENT, "local cache exporter requires dest");
		return NULL;
	}
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

const struct cache_exporter_class local_cache_class = {
	.type = "local",
	.vertex_name = "exporting cache to client directory",
	.open = local_open,
	.send = local_send,
	.free = local_close,
};
