/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/backend.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include "remotecache/attributes.h"
#include "remotecache/gather.h"
#include <string.h>

struct cache_exporter {
	struct remotecache_context context;
	const struct cache_backend *backend; /* NULL: inline */
	void *self;
	bool all, ignores_errors;
	struct compression_attributes compression;
};

static cache_exporter *exporter_new(const struct remotecache_context *context, GHashTable *attrs)
{
	cache_exporter *e = g_new0(cache_exporter, 1);
	e->context = *context;
	e->all = strcmp(attribute(attrs, "mode"), "max") == 0; /* any other value means min */
	e->compression = (struct compression_attributes){.compression = COMPRESSION_GZIP, .level = -1};
	if (!bool_parse(attribute(attrs, "ignore-error"), &e->ignores_errors, NULL))
		e->ignores_errors = false;
	return e;
}

cache_exporter *cache_exporter_open(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				    GError **error)
{
	const struct cache_backend *backend = cache_backend_find(type);
	if (!backend && strcmp(type, "inline") != 0)
		return error_null(error, ERROR_UNKNOWN, "unknown cache exporter: \"%s\"", type);
	if (backend && !cache_backend_check(backend, "export", attrs, error))
		return NULL;
	g_autoptr(cache_exporter) e = exporter_new(context, attrs);
	if (!backend)
		return g_steal_pointer(&e);
	if (!attribute_compression(attrs, &e->compression, error) ||
	    !(e->self = backend->open(&e->context, attrs, error)))
		return error_prefix_null(error, "failed to configure %s cache exporter: ", type);
	e->backend = backend;
	return g_steal_pointer(&e);
}

void cache_exporter_free(cache_exporter *e)
{
	if (!e)
		return;
	if (e->self)
		e->backend->free(e->self);
	g_free(e);
}

const char *cache_exporter_name(const cache_exporter *e)
{
	return e->backend ? e->backend->vertex_name : "exporting inline cache";
}

bool cache_exporter_is_inline(const cache_exporter *e)
{
	return !e->backend;
}

bool cache_exporter_ignores_errors(const cache_exporter *e)
{
	return e->ignores_errors;
}

bool cache_exporter_run(cache_exporter *e, const key_graph *keys, struct work *work, GHashTable *response,
			GError **error)
{
	struct gather_options options = {.all = e->all,
					 .compression = e->compression.compression,
					 .level = e->compression.level,
					 .force = e->compression.force};
	int64_t started_ns;
	progress_status_start(work->progress, "preparing build cache for export", NULL, &started_ns);
	g_autoptr(gathered) g = gather(&e->context, keys, &options, work, error);
	if (!g)
		return false;
	progress_status_end(work->progress, "preparing build cache for export", NULL, started_ns);
	g_autoptr(GPtrArray) layers = NULL;
	g_autoptr(cache_config) config = gathered_config(g, keys, &layers);
	progress_status_start(work->progress, "sending cache export", NULL, &started_ns);
	if (!e->backend->send(e->self, config, layers, work, response, error))
		return false;
	progress_status_end(work->progress, "sending cache export", NULL, started_ns);
	return true;
}
