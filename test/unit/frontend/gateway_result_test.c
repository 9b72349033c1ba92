/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"
#include "base/limits.h"
#include "lib/mock_bridge.h"
#include "lib/outcome.h"

/* ---- a result with one attestation, as a client sends it */

struct fixture {
	Gateway__Result wire;
	Gateway__Result__AttestationsEntry entry, *entries[1];
	Gateway__Attestations list;
	Gateway__Attestation attestation, *attestations[1];
	Gateway__Attestation__MetadataEntry meta, *metas[1];
	Gateway__InTotoSubject subject, *subjects[1];
	char *digests[2];
	Gateway__Ref ref;
	struct mock_bridge *m;
	gateway *g;
};

static void fixture_init(struct fixture *f)
{
	static const struct work no_work = {0};
	*f = (struct fixture){
		.wire = GATEWAY__RESULT__INIT,
		.entry = GATEWAY__RESULT__ATTESTATIONS_ENTRY__INIT,
		.list = GATEWAY__ATTESTATIONS__INIT,
		.attestation = GATEWAY__ATTESTATION__INIT,
		.meta = GATEWAY__ATTESTATION__METADATA_ENTRY__INIT,
		.subject = GATEWAY__IN_TOTO_SUBJECT__INIT,
		.ref = GATEWAY__REF__INIT,
		.digests = {(char *)"sha256:aa", (char *)"gitCommit:bb"},
	};
	f->m = mock_bridge_new();
	f->g = gateway_new(&f->m->bridge, NULL, NULL, 0, &no_work);
	f->wire.attestations = f->entries;
	f->wire.n_attestations = 1;
	f->entries[0] = &f->entry;
	f->entry.key = (char *)"linux/amd64";
	f->entry.value = &f->list;
	f->list.attestation = f->attestations;
	f->list.n_attestation = 1;
	f->attestations[0] = &f->attestation;
	f->attestation.path = (char *)"/a.json";
	f->attestation.intotopredicatetype = (char *)"https://x/1";
	f->attestation.metadata = f->metas;
	f->attestation.n_metadata = 1;
	f->metas[0] = &f->meta;
	f->meta.key = (char *)BUILD_ATTESTATION_SBOM_CORE;
	f->meta.value = (ProtobufCBinaryData){3, (uint8_t *)"abc"};
	f->attestation.intotosubjects = f->subjects;
	f->attestation.n_intotosubjects = 1;
	f->subjects[0] = &f->subject;
	f->subject.kind = GATEWAY__IN_TOTO_SUBJECT_KIND__Raw;
	f->subject.name = (char *)"n";
	f->subject.digest = f->digests;
	f->subject.n_digest = 2;
}

static void fixture_clear(struct fixture *f)
{
	gateway_close(f->g);
	gateway_unref(f->g);
	mock_bridge_free(f->m);
}

static void fixture_add_ref(struct fixture *f)
{
	struct bridge_solve_request request = {.definition = NULL, .frontend = "x"};
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	request.options = options;
	g_autoptr(build_result) result = NULL;
	f->m->bridge.class->solve(&f->m->bridge, &request, NULL, &result, NULL);
	f->ref.id = (char *)gateway_ref_add(f->g, g_steal_pointer(&result->ref)); /* borrowed from the gateway */
	f->attestation.ref = &f->ref;
}

static void test_attestations(void)
{
	struct fixture f;
	fixture_init(&f);
	fixture_add_ref(&f);
	g_autoptr(build_result) r = gateway_result_from_wire(f.g, &f.wire, NULL);
	g_assert_nonnull(r);
	g_assert_cmpuint(r->attestations->len, ==, 1);
	const struct build_attestation *a = r->attestations->pdata[0];
	g_assert_cmpstr(a->key, ==, "linux/amd64");
	g_assert_cmpstr(a->path, ==, "/a.json");
	g_assert_cmpstr(a->predicate_type, ==, "https://x/1");
	g_assert_false(a->is_bundle);
	g_assert_nonnull(a->ref);
	GBytes *core = g_hash_table_lookup(a->metadata, BUILD_ATTESTATION_SBOM_CORE);
	g_assert_cmpmem(g_bytes_get_data(core, NULL), g_bytes_get_size(core), "abc", 3);
	const struct build_subject *s = &g_array_index(a->subjects, struct build_subject, 0);
	g_assert_true(s->raw);
	g_assert_cmpstr(s->name, ==, "n");
	g_assert_cmpstr(s->digests[0], ==, "sha256:aa");
	g_assert_cmpstr(s->digests[1], ==, "gitCommit:bb");
	g_assert_null(s->digests[2]);

	/* And back, as the answer of a Solve. */
	Gateway__Result *wire = gateway_result_to_wire(f.g, r, true);
	g_assert_cmpuint(wire->n_attestations, ==, 1);
	const Gateway__Attestation *back = wire->attestations[0]->value->attestation[0];
	g_assert_cmpstr(wire->attestations[0]->key, ==, "linux/amd64");
	g_assert_cmpstr(back->path, ==, "/a.json");
	g_assert_cmpstr(back->metadata[0]->key, ==, BUILD_ATTESTATION_SBOM_CORE);
	g_assert_cmpint(back->intotosubjects[0]->kind, ==, GATEWAY__IN_TOTO_SUBJECT_KIND__Raw);
	g_assert_cmpstr(back->intotosubjects[0]->digest[1], ==, "gitCommit:bb");
	g_assert_cmpstr(back->ref->id, !=, f.ref.id);
	bridge_ref *same = NULL;
	assert_succeeds(gateway_find_ref(f.g, back->ref->id, &same, &failure));
	g_assert_true(same == a->ref);
	guard_free(wire);
	g_clear_pointer(&r, build_result_unref);
	fixture_clear(&f);
}

static void refused(struct fixture *f, int code, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(gateway_result_from_wire(f->g, &f->wire, &error));
	g_assert_cmpstr(error->message, ==, text);
	g_assert_cmpint(error->code, ==, code);
}

static void test_hostile(void)
{
	struct fixture f;
	fixture_init(&f);
	f.ref.id = (char *)"nosuch";
	f.attestation.ref = &f.ref;
	refused(&f, ERROR_UNKNOWN, "return reference nosuch not found");
	f.attestation.ref = NULL;
	f.attestation.kind = (Gateway__AttestationKind)7;
	refused(&f, ERROR_INVALID_ARGUMENT, "unknown attestation kind 7");
	f.attestation.kind = GATEWAY__ATTESTATION_KIND__Bundle;
	f.subject.kind = (Gateway__InTotoSubjectKind)-1;
	refused(&f, ERROR_INVALID_ARGUMENT, "unknown attestation subject type -1");
	f.subject.kind = GATEWAY__IN_TOTO_SUBJECT_KIND__Self;
	static const char *const digests[] = {"", ":", "sha256", "sha256:", ":aa"};
	for (size_t i = 0; i < G_N_ELEMENTS(digests); i++) {
		g_autofree char *text = g_strconcat("invalid digest of an attestation subject: ", digests[i], NULL);
		f.digests[0] = (char *)digests[i];
		refused(&f, ERROR_INVALID_ARGUMENT, text);
	}
	f.subject.n_digest = 0;
	f.subjects[0] = NULL;
	refused(&f, ERROR_INVALID_ARGUMENT, "invalid nil attestation subject");
	f.attestations[0] = NULL;
	refused(&f, ERROR_INVALID_ARGUMENT, "invalid nil attestation");
	f.entry.value = NULL;
	g_autoptr(build_result) empty = gateway_result_from_wire(f.g, &f.wire, NULL);
	g_assert_cmpuint(empty->attestations->len, ==, 0);
	fixture_clear(&f);
}

static void test_many(void)
{
	struct fixture f;
	fixture_init(&f);
	f.list.n_attestation = (size_t)LIMIT_RESULT_ATTESTATIONS + 1;
	g_autofree Gateway__Attestation **many = g_new(Gateway__Attestation *, f.list.n_attestation);
	for (size_t i = 0; i < f.list.n_attestation; i++)
		many[i] = &f.attestation;
	f.list.attestation = many;
	refused(&f, ERROR_RESOURCE_EXHAUSTED, "more than 10000 attestations in a result");
	fixture_clear(&f);
}

/* After Return, a single ref has every name, and those of a map have their platforms. */
static void test_returned_refs(void)
{
	struct fixture f;
	fixture_init(&f);
	f.wire.n_attestations = 0;
	fixture_add_ref(&f);
	f.wire.result_case = GATEWAY__RESULT__RESULT_REF;
	f.wire.ref = &f.ref;
	bridge_ref *found = NULL;
	g_autoptr(GError) error = NULL;
	g_assert_false(gateway_find_ref(f.g, "record", &found, &error));
	g_assert_true(g_str_has_prefix(error->message, "no such ref: record, all ["));
	g_autoptr(build_result) r = gateway_result_from_wire(f.g, &f.wire, NULL);
	assert_succeeds(gateway_return(f.g, r, NULL, &failure));
	assert_succeeds(gateway_find_ref(f.g, "record", &found, &failure));
	g_assert_true(found == r->ref);
	g_clear_pointer(&r, build_result_unref);
	fixture_clear(&f);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gateway_result/attestations", test_attestations);
	g_test_add_func("/gateway_result/hostile", test_hostile);
	g_test_add_func("/gateway_result/many", test_many);
	g_test_add_func("/gateway_result/returned-refs", test_returned_refs);
	return g_test_run();
}
