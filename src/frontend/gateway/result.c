/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include <string.h>

static char *ref_add_copy(gateway *g, bridge_ref *ref)
{
	if (ref)
		ref->class->ref_ref(ref);
	return g_strdup(gateway_ref_add(g, ref));
}

Gateway__Ref *gateway_ref_to_wire(gateway *g, bridge_ref *ref)
{
	Gateway__Ref *wire = message_new(Gateway__Ref, gateway__ref);
	wire->id = ref_add_copy(g, ref);
	const Pb__Definition *definition = ref ? g->bridge->class->definition(g->bridge, ref) : NULL;
	if (definition)
		wire->def = message_copy(definition);
	return wire;
}

static Gateway__RefMap *map_to_wire(gateway *g, GHashTable *refs)
{
	Gateway__RefMap *map = message_new(Gateway__RefMap, gateway__ref_map);
	for (struct hash_walk it = hash_walk(refs); hash_walk_next(&it);) {
		Gateway__RefMap__RefsEntry *entry =
			message_new(Gateway__RefMap__RefsEntry, gateway__ref_map__refs_entry);
		entry->key = g_strdup(it.key);
		entry->value = gateway_ref_to_wire(g, it.value);
		message_append(map, refs, entry);
	}
	return map;
}

static Gateway__RefMapDeprecated *map_to_old_wire(gateway *g, GHashTable *refs)
{
	Gateway__RefMapDeprecated *map = message_new(Gateway__RefMapDeprecated, gateway__ref_map_deprecated);
	for (struct hash_walk it = hash_walk(refs); hash_walk_next(&it);) {
		Gateway__RefMapDeprecated__RefsEntry *entry =
			message_new(Gateway__RefMapDeprecated__RefsEntry, gateway__ref_map_deprecated__refs_entry);
		entry->key = g_strdup(it.key);
		entry->value = ref_add_copy(g, it.value);
		message_append(map, refs, entry);
	}
	return map;
}

static void refs_to_wire(gateway *g, build_result *r, bool array_ref, Gateway__Result *wire)
{
	if (r->refs && array_ref) {
		wire->result_case = GATEWAY__RESULT__RESULT_REFS;
		wire->refs = map_to_wire(g, r->refs);
	} else if (r->refs) {
		wire->result_case = GATEWAY__RESULT__RESULT_REFS_DEPRECATED;
		wire->refsdeprecated = map_to_old_wire(g, r->refs);
	} else if (array_ref) {
		wire->result_case = GATEWAY__RESULT__RESULT_REF;
		wire->ref = gateway_ref_to_wire(g, r->ref);
	} else {
		wire->result_case = GATEWAY__RESULT__RESULT_REF_DEPRECATED;
		wire->refdeprecated = ref_add_copy(g, r->ref);
	}
}

Gateway__Result *gateway_result_to_wire(gateway *g, build_result *r, bool array_ref)
{
	Gateway__Result *wire = message_new(Gateway__Result, gateway__result);
	refs_to_wire(g, r, array_ref, wire);
	message_set_map(wire, metadata, r->metadata);
	gateway_attestations_to_wire(g, r, wire);
	return wire;
}

bool gateway_take_ref(gateway *g, const char *id, bridge_ref **ret, GError **error)
{
	if (!gateway_find_ref(g, id, ret, NULL))
		return error_set(error, ERROR_UNKNOWN, "return reference %s not found", id);
	if (*ret)
		(*ret)->class->ref_ref(*ret);
	return true;
}

static bool map_add(gateway *g, build_result *r, const char *key, const char *id, GError **error)
{
	bridge_ref *ref = NULL;
	if (!gateway_take_ref(g, id, &ref, error))
		return false;
	g_hash_table_replace(r->refs, g_strdup(key), ref);
	return true;
}

static bool refs_from_wire(gateway *g, const Gateway__Result *wire, build_result *r, GError **error)
{
	bool ok = true;
	switch (wire->result_case) {
	case GATEWAY__RESULT__RESULT_REF:
		return gateway_take_ref(g, wire->ref->id, &r->ref, error);
	case GATEWAY__RESULT__RESULT_REF_DEPRECATED:
		return gateway_take_ref(g, wire->refdeprecated, &r->ref, error);
	case GATEWAY__RESULT__RESULT_REFS:
		build_result_make_map(r);
		for (size_t i = 0; ok && i < wire->refs->n_refs; i++) {
			const Gateway__RefMap__RefsEntry *entry = wire->refs->refs[i];
			ok = map_add(g, r, entry->key, entry->value ? entry->value->id : "", error);
		}
		return ok;
	case GATEWAY__RESULT__RESULT_REFS_DEPRECATED:
		build_result_make_map(r);
		for (size_t i = 0; ok && i < wire->refsdeprecated->n_refs; i++)
			ok = map_add(g, r, wire->refsdeprecated->refs[i]->key, wire->refsdeprecated->refs[i]->value,
				     error);
		return ok;
	case GATEWAY__RESULT__RESULT__NOT_SET:
	case _GATEWAY__RESULT__RESULT__CASE_IS_INT_SIZE:
		return true;
	}
	return true;
}

build_result *gateway_result_from_wire(gateway *g, const Gateway__Result *wire, GError **error)
{
	g_autoptr(build_result) r = build_result_new();
	if (!refs_from_wire(g, wire, r, error) || !gateway_attestations_from_wire(g, wire, r, error))
		return NULL;
	for (size_t i = 0; i < wire->n_metadata; i++)
		build_result_set_metadata(r, wire->metadata[i]->key, wire->metadata[i]->value.data,
					  wire->metadata[i]->value.len);
	return g_steal_pointer(&r);
}
