/* SPDX-License-Identifier: Apache-2.0 */
#include "client/solve_wire.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "format/json_writer.h"

/* Appends targets to a repeated field whose messages (type_name, generated functions name__...) have type and attrs. */
#define PUT_TARGETS(m, field, type_name, name, targets, n)                                                             \
	for (size_t i = 0; i < (n); i++) {                                                                             \
		type_name *e = message_new(type_name, name);                                                           \
		e->type = g_strdup((targets)[i].type);                                                                 \
		message_set_map(e, attrs, (targets)[i].attrs);                                                         \
		message_append(m, field, e);                                                                           \
	}

/* "cache-imports": the imports as JSON, for frontends that read them from their options. */
static char *cache_imports_json(const struct solve_options *o)
{
	json_writer *w = json_writer_new(0);
	json_array_begin(w);
	for (size_t i = 0; i < o->n_cache_imports; i++) {
		json_object_begin(w);
		json_put_string_member(w, "Type", o->cache_imports[i].type);
		json_object_member_begin(w, "Attrs");
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
	for (struct hash_walk it = hash_walk(o->attrs); hash_walk_next(&it);)
		g_hash_table_insert(attrs, g_strdup(it.key), g_strdup(it.value));
	if (o->n_cache_imports > 0)
		g_hash_table_replace(attrs, g_strdup("cache-imports"), cache_imports_json(o));
	return attrs;
}

Control__SolveRequest *solve_wire_control(const struct solve_options *o, const char *session_id)
{
	Control__SolveRequest *m = message_new(Control__SolveRequest, control__solve_request);
	g_autoptr(GHashTable) attrs = attrs_with_imports(o);
	m->ref = g_strdup(o->ref);
	m->session = g_strdup(session_id);
	m->definition = o->definition ? message_copy(o->definition) : NULL;
	message_set_map(m, frontendattrs, attrs);
	m->cache = message_new(Control__CacheOptions, control__cache_options);
	PUT_TARGETS(m->cache, exports, Control__CacheOptionsEntry, control__cache_options_entry, o->cache_exports,
		    o->n_cache_exports)
	PUT_TARGETS(m->cache, imports, Control__CacheOptionsEntry, control__cache_options_entry, o->cache_imports,
		    o->n_cache_imports)
	message_set_texts(m, entitlements, o->entitlements);
	m->sourcepolicy = o->source_policy ? message_copy(o->source_policy) : NULL;
	m->proxynetwork = o->proxy_network;
	PUT_TARGETS(m, exporters, Control__Exporter, control__exporter, o->exporters, o->n_exporters)
	if (o->n_exporters > 0) {
		/* Daemons without support for several exporters read the first one from this field. */
		m->exporterdeprecated = g_strdup(o->exporters[0].type);
		message_set_map(m, exporterattrsdeprecated, o->exporters[0].attrs);
	}
	return m;
}

Gateway__SolveRequest *solve_wire_gateway(const struct solve_options *o)
{
	Gateway__SolveRequest *m = message_new(Gateway__SolveRequest, gateway__solve_request);
	g_autoptr(GHashTable) attrs = attrs_with_imports(o);
	m->frontend = g_strdup(o->frontend);
	message_set_map(m, frontendopt, attrs);
	m->allowresultreturn = true;
	m->allowresultarrayref = true;
	PUT_TARGETS(m, cacheimports, Gateway__CacheOptionsEntry, gateway__cache_options_entry, o->cache_imports,
		    o->n_cache_imports)
	return m;
}

Google__Status *solve_wire_status(const GError *error)
{
	g_autoptr(GBytes) bytes = rpc_status_pack(error);
	return message_unpack(&google__status__descriptor, bytes, NULL);
}

GHashTable *solve_wire_response(const Control__SolveResponse *response)
{
	return message_map(response, exporterresponse);
}

GHashTable *solve_wire_metadata(const Gateway__Result *result)
{
	return message_map(result, metadata);
}
