/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"
#include <string.h>

#define NEWEST_COMPAT 30

/* A wire request converted to a build request, and the data that the latter borrows; control_solve owns it. */
struct translation {
	struct build_request request;
	GArray *exporters; /* element type: struct build_target */
	GArray *cache_exports;
	GArray *cache_imports;
	GPtrArray *tables;       /* element type: GHashTable * (owned) */
	GPtrArray *entitlements; /* borrowed texts, NULL-terminated */
};

/* The map of the message's field, owned by the translation. */
#define translate_map(t, m, field) keep_table(t, message_map(m, field))
static GHashTable *keep_table(struct translation *t, GHashTable *table)
{
	g_ptr_array_add(t->tables, table);
	return table;
}

static void add_target(GArray *targets, const char *type, GHashTable *attrs)
{
	struct build_target target = {.type = type, .attrs = attrs};
	g_array_append_val(targets, target);
}

static void translate_cache(struct translation *t, const Control__CacheOptions *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < options->n_exports; i++)
		add_target(t->cache_exports, options->exports[i]->type, translate_map(t, options->exports[i], attrs));
	for (size_t i = 0; i < options->n_imports; i++)
		cache_imports_add(t->cache_imports, options->imports[i]->type, message_map(options->imports[i], attrs));
	if (*options->exportrefdeprecated) {
		GHashTable *attrs = translate_map(t, options, exportattrsdeprecated);
		g_hash_table_replace(attrs, g_strdup("ref"), g_strdup(options->exportrefdeprecated));
		add_target(t->cache_exports, "registry", attrs);
	}
	for (size_t i = 0; i < options->n_importrefsdeprecated; i++) {
		GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		g_hash_table_replace(attrs, g_strdup("ref"), g_strdup(options->importrefsdeprecated[i]));
		cache_imports_add(t->cache_imports, "registry", attrs);
	}
}

static bool check_compat(int64_t wanted, int64_t *ret, GError **error)
{
	*ret = wanted ? wanted : NEWEST_COMPAT;
	if (wanted == 0 || wanted == 10 || wanted == 20 || wanted == NEWEST_COMPAT)
		return true;
	if (wanted > NEWEST_COMPAT)
		return error_set(error, ERROR_UNKNOWN,
				 "unsupported compatibility-version %" G_GINT64_FORMAT
				 ": upgrade buildkit (max supported: %d)",
				 wanted, NEWEST_COMPAT);
	return error_set(error, ERROR_UNKNOWN,
			 "unsupported compatibility-version %" G_GINT64_FORMAT " (supported: [10 20 30])", wanted);
}

static GHashTable *translate_inputs(struct translation *t, const Control__SolveRequest *m)
{
	GHashTable *inputs = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < m->n_frontendinputs; i++)
		if (m->frontendinputs[i]->value)
			g_hash_table_replace(inputs, m->frontendinputs[i]->key, m->frontendinputs[i]->value);
	g_ptr_array_add(t->tables, inputs);
	return inputs;
}

static bool translate(struct translation *t, const Control__SolveRequest *m, GError **error)
{
	for (size_t i = 0; i < m->n_exporters; i++)
		add_target(t->exporters, m->exporters[i]->type, translate_map(t, m->exporters[i], attrs));
	if (m->n_exporters == 0 && *m->exporterdeprecated)
		add_target(t->exporters, m->exporterdeprecated, translate_map(t, m, exporterattrsdeprecated));
	translate_cache(t, m->cache);
	for (size_t i = 0; i < m->n_entitlements; i++)
		g_ptr_array_add(t->entitlements, m->entitlements[i]);
	g_ptr_array_add(t->entitlements, NULL);
	t->request = (struct build_request){
		.ref = m->ref,
		.session = m->session,
		.frontend = m->frontend,
		.frontend_attrs = translate_map(t, m, frontendattrs),
		.frontend_inputs = translate_inputs(t, m),
		.definition = m->definition,
		.exporters = (const struct build_target *)(void *)t->exporters->data,
		.n_exporters = t->exporters->len,
		.cache_exports = (const struct build_target *)(void *)t->cache_exports->data,
		.n_cache_exports = t->cache_exports->len,
		.cache_imports = (const struct cache_import *)(void *)t->cache_imports->data,
		.n_cache_imports = t->cache_imports->len,
		.entitlements = (const char *const *)t->entitlements->pdata,
		.source_policy = m->sourcepolicy,
		.policy_session = m->sourcepolicysession,
		.internal = m->internal,
		.proxy_network = m->proxynetwork,
		.session_exporters = m->enablesessionexporter,
	};
	return check_compat(m->compatibilityversion, &t->request.compat_version, error);
}

ProtobufCMessage *control_solve(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	g_autoptr(GArray) exporters = g_array_new(FALSE, TRUE, sizeof(struct build_target)),
			  cache_exports = g_array_new(FALSE, TRUE, sizeof(struct build_target)),
			  cache_imports = cache_imports_new();
	g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref),
			     entitlements = g_ptr_array_new();
	struct translation t = {
		.exporters = exporters,
		.cache_exports = cache_exports,
		.cache_imports = cache_imports,
		.tables = tables,
		.entitlements = entitlements,
	};
	g_autoptr(GHashTable) response = NULL;
	if (!translate(&t, (const void *)request, error) ||
	    !builder_solve(control->builder, &t.request, rpc_call_cancel(call), &response, error)) {
		error_hide_code(error);
		return NULL;
	}
	Control__SolveResponse *reply = message_new(Control__SolveResponse, control__solve_response);
	message_set_map(reply, exporterresponse, response);
	return &reply->base;
}
