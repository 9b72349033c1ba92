/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "control.pb-c.h"
#include <string.h>

#define NEWEST_COMPAT 30

/* A wire request converted to a build request; owns the data that the latter borrows. */
struct translation {
	struct build_request request;
	GArray *exporters; /* element type: struct build_target */
	GArray *cache_exports;
	GArray *cache_imports;
	GPtrArray *tables;       /* element type: GHashTable *, owned */
	GPtrArray *entitlements; /* borrowed texts, NULL-terminated */
};

#define DEFINE_ENTRIES_TO_TABLE(name, type)                                                                            \
	static GHashTable *name(struct translation *t, type *const *entries, size_t n)                                 \
	{                                                                                                              \
		GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);                    \
		for (size_t i = 0; i < n; i++)                                                                         \
			g_hash_table_replace(table, g_strdup(entries[i]->key), g_strdup(entries[i]->value));           \
		g_ptr_array_add(t->tables, table);                                                                     \
		return table;                                                                                          \
	}
DEFINE_ENTRIES_TO_TABLE(frontend_attrs, Control__SolveRequest__FrontendAttrsEntry)
DEFINE_ENTRIES_TO_TABLE(exporter_attrs, Control__Exporter__AttrsEntry)
DEFINE_ENTRIES_TO_TABLE(old_exporter_attrs, Control__SolveRequest__ExporterAttrsDeprecatedEntry)
DEFINE_ENTRIES_TO_TABLE(cache_attrs, Control__CacheOptionsEntry__AttrsEntry)
DEFINE_ENTRIES_TO_TABLE(old_cache_attrs, Control__CacheOptions__ExportAttrsDeprecatedEntry)

static void add_target(GArray *targets, const char *type, GHashTable *attrs)
{
	struct build_target target = {.type = type, .attrs = attrs};
	g_array_append_val(targets, target);
}

static GHashTable *registry_ref(struct translation *t, const char *ref)
{
	GHashTable *attrs = cache_attrs(t, NULL, 0);
	g_hash_table_replace(attrs, g_strdup("ref"), g_strdup(ref));
	return attrs;
}

static void translate_cache(struct translation *t, const Control__CacheOptions *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < options->n_exports; i++)
		add_target(t->cache_exports, options->exports[i]->type,
			   cache_attrs(t, options->exports[i]->attrs, options->exports[i]->n_attrs));
	for (size_t i = 0; i < options->n_imports; i++)
		add_target(t->cache_imports, options->imports[i]->type,
			   cache_attrs(t, options->imports[i]->attrs, options->imports[i]->n_attrs));
	if (*options->exportrefdeprecated) {
		GHashTable *attrs =
			old_cache_attrs(t, options->exportattrsdeprecated, options->n_exportattrsdeprecated);
		g_hash_table_replace(attrs, g_strdup("ref"), g_strdup(options->exportrefdeprecated));
		add_target(t->cache_exports, "registry", attrs);
	}
	for (size_t i = 0; i < options->n_importrefsdeprecated; i++)
		add_target(t->cache_imports, "registry", registry_ref(t, options->importrefsdeprecated[i]));
}

static void translate_exporters(struct translation *t, const Control__SolveRequest *m)
{
	for (size_t i = 0; i < m->n_exporters; i++)
		add_target(t->exporters, m->exporters[i]->type,
			   exporter_attrs(t, m->exporters[i]->attrs, m->exporters[i]->n_attrs));
	if (m->n_exporters == 0 && *m->exporterdeprecated)
		add_target(t->exporters, m->exporterdeprecated,
			   old_exporter_attrs(t, m->exporterattrsdeprecated, m->n_exporterattrsdeprecated));
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

/* Returns UNIMPLEMENTED for features that are not built yet. */
static bool check_unimplemented_parts(const Control__SolveRequest *m, GError **error)
{
	if (m->enablesessionexporter)
		return error_set(error, ERROR_UNIMPLEMENTED, "session exporters are not supported yet");
	if (m->proxynetwork)
		return error_set(error, ERROR_UNIMPLEMENTED, "proxy networks are not supported yet");
	return true;
}

static void translation_init(struct translation *t)
{
	t->exporters = g_array_new(FALSE, TRUE, sizeof(struct build_target));
	t->cache_exports = g_array_new(FALSE, TRUE, sizeof(struct build_target));
	t->cache_imports = g_array_new(FALSE, TRUE, sizeof(struct build_target));
	t->tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	t->entitlements = g_ptr_array_new();
}

static void translation_clear(struct translation *t)
{
	g_array_unref(t->exporters);
	g_array_unref(t->cache_exports);
	g_array_unref(t->cache_imports);
	g_ptr_array_unref(t->tables);
	g_ptr_array_unref(t->entitlements);
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

/*
 * The gateway frontend with the built-in frontend as its source is the built-in frontend, unless a context replaces the
 * source.
 */
static void settle_frontend(struct build_request *r)
{
	const char *image = g_hash_table_lookup(r->frontend_attrs, "source");
	if (strcmp(r->frontend, "gateway.v0") != 0 || g_strcmp0(image, "dockerfile.v0") != 0 ||
	    build_names_dockerfile_context(r->frontend_attrs))
		return;
	r->frontend = "dockerfile.v0";
	g_hash_table_remove(r->frontend_attrs, "source");
}

static bool translate(struct translation *t, const Control__SolveRequest *m, GError **error)
{
	translate_exporters(t, m);
	translate_cache(t, m->cache);
	for (size_t i = 0; i < m->n_entitlements; i++)
		g_ptr_array_add(t->entitlements, m->entitlements[i]);
	g_ptr_array_add(t->entitlements, NULL);
	t->request = (struct build_request){
		.ref = m->ref,
		.session = m->session,
		.frontend = m->frontend,
		.frontend_attrs = frontend_attrs(t, m->frontendattrs, m->n_frontendattrs),
		.frontend_inputs = translate_inputs(t, m),
		.definition = m->definition,
		.exporters = (const struct build_target *)(void *)t->exporters->data,
		.n_exporters = t->exporters->len,
		.cache_exports = (const struct build_target *)(void *)t->cache_exports->data,
		.n_cache_exports = t->cache_exports->len,
		.cache_imports = (const struct build_target *)(void *)t->cache_imports->data,
		.n_cache_imports = t->cache_imports->len,
		.entitlements = (const char *const *)t->entitlements->pdata,
		.source_policy = m->sourcepolicy,
		.policy_session = m->sourcepolicysession,
		.internal = m->internal,
	};
	settle_frontend(&t->request);
	return check_unimplemented_parts(m, error) &&
	       check_compat(m->compatibilityversion, &t->request.compat_version, error);
}

static ProtobufCMessage *response_to_wire(GHashTable *response)
{
	Control__SolveResponse *reply = (void *)control_empty_reply(&control__solve_response__descriptor);
	reply->exporterresponse = g_new0(Control__SolveResponse__ExporterResponseEntry *, g_hash_table_size(response));
	GHashTableIter iter;
	void *key, *value;
	g_hash_table_iter_init(&iter, response);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		Control__SolveResponse__ExporterResponseEntry *entry =
			g_new0(Control__SolveResponse__ExporterResponseEntry, 1);
		control__solve_response__exporter_response_entry__init(entry);
		entry->key = g_strdup(key);
		entry->value = g_strdup(value);
		reply->exporterresponse[reply->n_exporterresponse++] = entry;
	}
	return &reply->base;
}

ProtobufCMessage *control_solve(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	struct translation t = {0};
	translation_init(&t);
	g_autoptr(GHashTable) response = NULL;
	bool ok = translate(&t, (const void *)request, error) &&
		  builder_solve(control->builder, &t.request, rpc_call_cancel(call), &response, error);
	translation_clear(&t);
	if (!ok)
		error_hide_code(error);
	return ok ? response_to_wire(response) : NULL;
}
