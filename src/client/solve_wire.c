/* SPDX-License-Identifier: Apache-2.0 */
#include "client/solve_wire.h"
#include "api/guard.h"
#include "format/json_writer.h"

/* Map fields: the generated entry structs of all types begin with key and value. */
#define DEFINE_TABLE_TO_ENTRIES(name, type, init)                                                                      \
	static type **name(GHashTable *table, size_t *ret_n)                                                           \
	{                                                                                                              \
		guint n_keys = 0;                                                                                      \
		g_autofree gpointer *keys = g_hash_table_get_keys_as_array(table, &n_keys);                            \
		type **entries = g_new0(type *, n_keys);                                                               \
		for (guint i = 0; i < n_keys; i++) {                                                                   \
			entries[i] = g_new0(type, 1);                                                                  \
			init(entries[i]);                                                                              \
			entries[i]->key = g_strdup(keys[i]);                                                           \
			entries[i]->value = g_strdup(g_hash_table_lookup(table, keys[i]));                             \
		}                                                                                                      \
		*ret_n = n_keys;                                                                                       \
		return entries;                                                                                        \
	}
DEFINE_TABLE_TO_ENTRIES(frontend_attrs, Control__SolveRequest__FrontendAttrsEntry,
			control__solve_request__frontend_attrs_entry__init)
DEFINE_TABLE_TO_ENTRIES(old_exporter_attrs, Control__SolveRequest__ExporterAttrsDeprecatedEntry,
			control__solve_request__exporter_attrs_deprecated_entry__init)
DEFINE_TABLE_TO_ENTRIES(exporter_attrs, Control__Exporter__AttrsEntry, control__exporter__attrs_entry__init)
DEFINE_TABLE_TO_ENTRIES(cache_attrs, Control__CacheOptionsEntry__AttrsEntry,
			control__cache_options_entry__attrs_entry__init)
DEFINE_TABLE_TO_ENTRIES(gateway_attrs, Gateway__SolveRequest__FrontendOptEntry,
			gateway__solve_request__frontend_opt_entry__init)
DEFINE_TABLE_TO_ENTRIES(gateway_cache_attrs, Gateway__CacheOptionsEntry__AttrsEntry,
			gateway__cache_options_entry__attrs_entry__init)

static Control__CacheOptionsEntry **cache_entries(const struct solve_target *targets, size_t n)
{
	Control__CacheOptionsEntry **entries = g_new0(Control__CacheOptionsEntry *, n);
	for (size_t i = 0; i < n; i++) {
		entries[i] = g_new0(Control__CacheOptionsEntry, 1);
		control__cache_options_entry__init(entries[i]);
		entries[i]->type = g_strdup(targets[i].type);
		entries[i]->attrs = cache_attrs(targets[i].attrs, &entries[i]->n_attrs);
	}
	return entries;
}

static Control__CacheOptions *cache_options(const struct solve_options *o)
{
	Control__CacheOptions *cache = g_new0(Control__CacheOptions, 1);
	control__cache_options__init(cache);
	cache->exports = cache_entries(o->cache_exports, o->n_cache_exports);
	cache->n_exports = o->n_cache_exports;
	cache->imports = cache_entries(o->cache_imports, o->n_cache_imports);
	cache->n_imports = o->n_cache_imports;
	return cache;
}

static void put_exporters(const struct solve_options *o, Control__SolveRequest *m)
{
	m->exporters = g_new0(Control__Exporter *, o->n_exporters);
	for (; m->n_exporters < o->n_exporters; m->n_exporters++) {
		Control__Exporter *e = m->exporters[m->n_exporters] = g_new0(Control__Exporter, 1);
		control__exporter__init(e);
		e->type = g_strdup(o->exporters[m->n_exporters].type);
		e->attrs = exporter_attrs(o->exporters[m->n_exporters].attrs, &e->n_attrs);
	}
	if (o->n_exporters == 0)
		return;
	/* Daemons without support for several exporters read the first one from this field. */
	m->exporterdeprecated = g_strdup(o->exporters[0].type);
	m->exporterattrsdeprecated = old_exporter_attrs(o->exporters[0].attrs, &m->n_exporterattrsdeprecated);
}

static char **copy_list(const char *const *list, size_t *ret_n)
{
	*ret_n = list ? g_strv_length((char **)(uintptr_t)list) : 0;
	return g_strdupv((char **)(uintptr_t)list);
}

/* "cache-imports": the imports as JSON, for frontends that read them from their options. */
static char *cache_imports_json(const struct solve_options *o)
{
	json_writer *w = json_writer_new(0);
	json_array_begin(w);
	for (size_t i = 0; i < o->n_cache_imports; i++) {
		json_object_begin(w);
		json_put_string_member(w, "Type", o->cache_imports[i].type);
		json_key(w, "Attrs");
		json_object_begin(w);
		g_autoptr(GList) keys =
			g_list_sort(g_hash_table_get_keys(o->cache_imports[i].attrs), (GCompareFunc)g_strcmp0);
		for (const GList *k = keys; k; k = k->next)
			json_put_string_member(w, k->data, g_hash_table_lookup(o->cache_imports[i].attrs, k->data));
		json_object_end(w);
		json_object_end(w);
	}
	json_array_end(w);
	return json_writer_take(&w, NULL);
}

static GHashTable *attrs_with_imports(const struct solve_options *o)
{
	GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	GHashTableIter iter;
	void *key, *value;
	g_hash_table_iter_init(&iter, o->attrs);
	while (g_hash_table_iter_next(&iter, &key, &value))
		g_hash_table_insert(attrs, g_strdup(key), g_strdup(value));
	if (o->n_cache_imports > 0)
		g_hash_table_replace(attrs, g_strdup("cache-imports"), cache_imports_json(o));
	return attrs;
}

Control__SolveRequest *solve_wire_control(const struct solve_options *o, const char *session_id)
{
	Control__SolveRequest *m = g_new0(Control__SolveRequest, 1);
	control__solve_request__init(m);
	g_autoptr(GHashTable) attrs = attrs_with_imports(o);
	m->ref = g_strdup(o->ref);
	m->session = g_strdup(session_id);
	m->definition = o->definition ? message_copy(o->definition) : NULL;
	m->frontendattrs = frontend_attrs(attrs, &m->n_frontendattrs);
	m->cache = cache_options(o);
	m->entitlements = copy_list(o->entitlements, &m->n_entitlements);
	m->sourcepolicy = o->source_policy ? message_copy(o->source_policy) : NULL;
	m->proxynetwork = o->proxy_network;
	put_exporters(o, m);
	return m;
}

static void put_gateway_imports(const struct solve_options *o, Gateway__SolveRequest *m)
{
	m->cacheimports = g_new0(Gateway__CacheOptionsEntry *, o->n_cache_imports);
	for (; m->n_cacheimports < o->n_cache_imports; m->n_cacheimports++) {
		Gateway__CacheOptionsEntry *e = m->cacheimports[m->n_cacheimports] =
			g_new0(Gateway__CacheOptionsEntry, 1);
		gateway__cache_options_entry__init(e);
		e->type = g_strdup(o->cache_imports[m->n_cacheimports].type);
		e->attrs = gateway_cache_attrs(o->cache_imports[m->n_cacheimports].attrs, &e->n_attrs);
	}
}

Gateway__SolveRequest *solve_wire_gateway(const struct solve_options *o)
{
	Gateway__SolveRequest *m = g_new0(Gateway__SolveRequest, 1);
	gateway__solve_request__init(m);
	g_autoptr(GHashTable) attrs = attrs_with_imports(o);
	m->frontend = g_strdup(o->frontend);
	m->frontendopt = gateway_attrs(attrs, &m->n_frontendopt);
	m->allowresultreturn = true;
	m->allowresultarrayref = true;
	put_gateway_imports(o, m);
	return m;
}

Google__Status *solve_wire_status(const GError *error)
{
	g_autoptr(GBytes) bytes = rpc_status_pack(error);
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	return guard_unpack(&google__status__descriptor, start, n, NULL);
}

GHashTable *solve_wire_response(const Control__SolveResponse *response)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (size_t i = 0; i < response->n_exporterresponse; i++)
		g_hash_table_replace(table, g_strdup(response->exporterresponse[i]->key),
				     g_strdup(response->exporterresponse[i]->value));
	return table;
}

GHashTable *solve_wire_metadata(const Gateway__Result *result)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	for (size_t i = 0; i < result->n_metadata; i++)
		g_hash_table_replace(table, g_strdup(result->metadata[i]->key),
				     g_bytes_new(result->metadata[i]->value.data, result->metadata[i]->value.len));
	return table;
}
