/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"
#include "api/message.h"
#include "base/limits.h"
#include <string.h>

static Gateway__InTotoSubject *subject_to_wire(const struct build_subject *s)
{
	Gateway__InTotoSubject *wire = message_new(Gateway__InTotoSubject, gateway__in_toto_subject);
	wire->kind = s->raw ? GATEWAY__IN_TOTO_SUBJECT_KIND__Raw : GATEWAY__IN_TOTO_SUBJECT_KIND__Self;
	wire->name = g_strdup(s->name);
	message_set_texts(wire, digest, s->digests);
	return wire;
}

static Gateway__Attestation *attestation_to_wire(gateway *g, const struct build_attestation *a)
{
	Gateway__Attestation *wire = message_new(Gateway__Attestation, gateway__attestation);
	wire->kind = a->is_bundle ? GATEWAY__ATTESTATION_KIND__Bundle : GATEWAY__ATTESTATION_KIND__InToto;
	message_set_map(wire, metadata, a->metadata);
	wire->path = g_strdup(a->path);
	wire->intotopredicatetype = g_strdup(a->predicate_type);
	for (guint i = 0; i < a->subjects->len; i++)
		message_append(wire, intotosubjects,
			       subject_to_wire(&g_array_index(a->subjects, struct build_subject, i)));
	if (a->ref)
		wire->ref = gateway_ref_to_wire(g, a->ref);
	return wire;
}

static Gateway__Attestations *attestations_of(Gateway__Result *wire, const char *key)
{
	for (size_t i = 0; i < wire->n_attestations; i++)
		if (strcmp(wire->attestations[i]->key, key) == 0)
			return wire->attestations[i]->value;
	Gateway__Result__AttestationsEntry *entry =
		message_new(Gateway__Result__AttestationsEntry, gateway__result__attestations_entry);
	entry->key = g_strdup(key);
	entry->value = message_new(Gateway__Attestations, gateway__attestations);
	message_append(wire, attestations, entry);
	return entry->value;
}

void gateway_attestations_to_wire(gateway *g, const build_result *r, Gateway__Result *wire)
{
	for (guint i = 0; i < r->attestations->len; i++) {
		const struct build_attestation *a = r->attestations->pdata[i];
		message_append(attestations_of(wire, a->key), attestation, attestation_to_wire(g, a));
	}
}

/* Digests become members of a JSON object: "ALGORITHM:HEX". */
static bool digests_check(const Gateway__InTotoSubject *wire, GError **error)
{
	for (size_t i = 0; i < wire->n_digest; i++) {
		const char *colon = strchr(wire->digest[i], ':');
		if (!colon || colon == wire->digest[i] || !colon[1])
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid digest of an attestation subject: %s",
					 wire->digest[i]);
	}
	return true;
}

static bool subject_from_wire(const Gateway__InTotoSubject *wire, struct build_attestation *a, GError **error)
{
	if (!wire)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid nil attestation subject");
	if (wire->kind != GATEWAY__IN_TOTO_SUBJECT_KIND__Self && wire->kind != GATEWAY__IN_TOTO_SUBJECT_KIND__Raw)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown attestation subject type %d", (int)wire->kind);
	if (!digests_check(wire, error))
		return false;
	struct build_subject s = {
		.raw = wire->kind == GATEWAY__IN_TOTO_SUBJECT_KIND__Raw,
		.name = g_strdup(wire->name),
		.digests = g_new0(char *, wire->n_digest + 1),
	};
	for (size_t i = 0; i < wire->n_digest; i++)
		s.digests[i] = g_strdup(wire->digest[i]);
	g_array_append_val(a->subjects, s);
	return true;
}

static bool attestation_from_wire(gateway *g, const char *key, const Gateway__Attestation *wire, build_result *r,
				  GError **error)
{
	if (!wire)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid nil attestation");
	if (wire->kind != GATEWAY__ATTESTATION_KIND__InToto && wire->kind != GATEWAY__ATTESTATION_KIND__Bundle)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown attestation kind %d", (int)wire->kind);
	if (r->attestations->len >= LIMIT_RESULT_ATTESTATIONS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld attestations in a result",
				 LIMIT_RESULT_ATTESTATIONS);
	struct build_attestation *a = build_result_attest(r, key, wire->intotopredicatetype);
	a->is_bundle = wire->kind == GATEWAY__ATTESTATION_KIND__Bundle;
	g_free(a->path);
	a->path = g_strdup(wire->path);
	g_hash_table_unref(a->metadata);
	a->metadata = message_map(wire, metadata);
	for (size_t i = 0; i < wire->n_intotosubjects; i++)
		if (!subject_from_wire(wire->intotosubjects[i], a, error))
			return false;
	return !wire->ref || gateway_take_ref(g, wire->ref->id, &a->ref, error);
}

bool gateway_attestations_from_wire(gateway *g, const Gateway__Result *wire, build_result *r, GError **error)
{
	for (size_t i = 0; i < wire->n_attestations; i++) {
		const Gateway__Attestations *list = wire->attestations[i]->value;
		for (size_t k = 0; list && k < list->n_attestation; k++)
			if (!attestation_from_wire(g, wire->attestations[i]->key, list->attestation[k], r, error))
				return false;
	}
	return true;
}
