/* SPDX-License-Identifier: Apache-2.0 */
/* LLBBridge: Solve and Return. */
#include "api/message.h"
#include "base/limits.h"
#include "lib/gateway_rig.h"
#include "lib/outcome.h"
#include <string.h>

static void test_solve_request(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest *request = message_new(Gateway__SolveRequest, gateway__solve_request);
	Gateway__CacheOptionsEntry *import = message_new(Gateway__CacheOptionsEntry, gateway__cache_options_entry);
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal),
			      attrs = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(options, (void *)"b", (void *)"2");
	g_hash_table_insert(options, (void *)"a", (void *)"1");
	g_hash_table_insert(attrs, (void *)"ref", (void *)"h/c");
	message_replace_text(&request->frontend, "dockerfile.v0");
	message_set_map(request, frontendopt, options);
	message_set_map(request, frontendinputs, f->inputs);
	message_replace_text(&import->type, "registry");
	message_set_map(import, attrs, attrs);
	message_append(request, cacheimports, import);
	message_append(request, sourcepolicies, message_new(Policy__Policy, policy__policy));
	request->evaluate = true;
	Gateway__SolveResponse *reply = GATEWAY_CALL(f, "Solve", request, gateway__solve_response, &error);
	g_assert_no_error(error);
	gateway_rig_seen(f, "solve def=0 frontend=dockerfile.v0 a=1 b=2 inputs=1 import registry ref=h/c evaluate=1 "
			    "policies=1\n");
	g_assert_cmpuint(strlen(reply->ref), ==, 25);
	g_assert_null(reply->result);
	g_assert_cmpint(f->fake.count, ==, 1);
	guard_free(reply);
	guard_free(request);

	Gateway__SolveRequest definition = GATEWAY__SOLVE_REQUEST__INIT;
	definition.definition = &f->fake.definition;
	reply = GATEWAY_CALL(f, "Solve", &definition, gateway__solve_response, &error);
	g_assert_no_error(error);
	gateway_rig_seen(f, "solve def=1 frontend=none inputs=0 evaluate=0 policies=0\n");
	guard_free(reply);
}

/* What a client or a frontend makes the gateway keep is bounded. */
static void test_solve_limits(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	assert_succeeds(gateway_admit_solve(f->g, (size_t)LIMIT_SOLVE_BYTES - 1, &failure));
	request.frontend = (char *)"dockerfile.v0";
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error,
			   ERROR_RESOURCE_EXHAUSTED, "more than 536870912 bytes in solve requests");
	assert_succeeds(gateway_admit_solve(f->g, 1, &failure));
	for (int64_t i = 2; i < LIMIT_SOLVES; i++)
		assert_succeeds(gateway_admit_solve(f->g, 0, &failure));
	Gateway__SolveRequest empty = GATEWAY__SOLVE_REQUEST__INIT;
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &empty, gateway__solve_response, &error), &error,
			   ERROR_RESOURCE_EXHAUSTED, "more than 100000 solve requests");
	gateway_rig_seen(f, "");
}

/* The four forms of a result. */
static void test_solve_result(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	for (int form = 0; form < 4; form++) {
		request.allowresultreturn = true;
		request.allowresultarrayref = form & 1;
		f->fake.as_map = form & 2;
		Gateway__SolveResponse *reply = GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(reply->ref, ==, "");
		const Gateway__Result *r = reply->result;
		g_assert_cmpuint(r->n_metadata, ==, 1);
		g_assert_cmpstr(r->metadata[0]->key, ==, "k");
		g_assert_cmpmem(r->metadata[0]->value.data, r->metadata[0]->value.len, "solved", 6);
		switch (form) {
		case 0:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REF_DEPRECATED);
			g_assert_cmpuint(strlen(r->refdeprecated), ==, 25);
			break;
		case 1:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REF);
			g_assert_cmpuint(strlen(r->ref->id), ==, 25);
			g_assert_cmpuint(r->ref->def->n_def, ==, 1);
			break;
		case 2:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REFS_DEPRECATED);
			g_assert_cmpuint(r->refsdeprecated->n_refs, ==, 1);
			g_assert_cmpstr(r->refsdeprecated->refs[0]->key, ==, "linux/amd64");
			g_assert_cmpuint(strlen(r->refsdeprecated->refs[0]->value), ==, 25);
			break;
		default:
			g_assert_cmpint(r->result_case, ==, GATEWAY__RESULT__RESULT_REFS);
			g_assert_cmpuint(r->refs->n_refs, ==, 1);
			g_assert_cmpstr(r->refs->refs[0]->key, ==, "linux/amd64");
			g_assert_cmpuint(r->refs->refs[0]->value->def->n_def, ==, 1);
		}
		guard_free(reply);
	}
	request.allowresultreturn = false;
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
			   "solve did not return default result");
}

/* The code of a failed build is hidden, except where it describes the call. */
static void test_solve_failure(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	f->fake.bad = "no such file";
	f->fake.code = ERROR_NOT_FOUND;
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
			   "no such file");
	f->fake.code = ERROR_UNIMPLEMENTED;
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error,
			   ERROR_UNIMPLEMENTED, "no such file");
	g_assert_cmpint(f->fake.count, ==, 0);
}

/* Old clients return their result with a last solve. */
static void test_final(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__SolveRequest request = GATEWAY__SOLVE_REQUEST__INIT;
	request.final = true;
	static const struct {
		const char *attr, *error;
	} bad[] = {
		{"", "invalid ExporterAttr: not a JSON object"},
		{"[]", "invalid ExporterAttr: not a JSON object"},
		{"{\"a\":1}", "invalid ExporterAttr: a is not a string"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		request.exporterattr = (ProtobufCBinaryData){strlen(bad[i].attr), (uint8_t *)bad[i].attr};
		gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error,
				   ERROR_INVALID_ARGUMENT, bad[i].error);
	}
	static const char good[] = "{\"k\":\"b2xk\",\"config\":\"e30=\",\"none\":null}";
	request.exporterattr = (ProtobufCBinaryData){sizeof good - 1, (uint8_t *)good};
	guard_free(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) final = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(final->ref == &f->fake.ref);
	g_assert_cmpuint(g_hash_table_size(final->metadata), ==, 3);
	gateway_rig_metadata(final, "k", "solved"); /* of the solve, which takes precedence */
	gateway_rig_metadata(final, "config", "{}");
	gateway_rig_metadata(final, "none", "");
	gateway_rig_failed(GATEWAY_CALL(f, "Solve", &request, gateway__solve_response, &error), &error, ERROR_UNKNOWN,
			   "gateway result is already set");
}

static void test_return_result(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *id = gateway_rig_solve(f);
	Gateway__Ref ref = GATEWAY__REF__INIT;
	Gateway__Result__MetadataEntry entry = GATEWAY__RESULT__METADATA_ENTRY__INIT, *entries[] = {&entry};
	Gateway__Result result = GATEWAY__RESULT__INIT;
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	gateway_rig_failed(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
			   "gateway return must be either result or err");
	entry.key = (char *)"m";
	entry.value = (ProtobufCBinaryData){1, (uint8_t *)"v"};
	result.metadata = entries;
	result.n_metadata = 1;
	result.result_case = GATEWAY__RESULT__RESULT_REF;
	result.ref = &ref;
	request.result = &result;
	ref.id = (char *)"x";
	gateway_rig_failed(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
			   "return reference x not found");
	ref.id = id;
	guard_free(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) got = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(got->ref == &f->fake.ref);
	gateway_rig_metadata(got, "m", "v");
	gateway_rig_failed(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
			   "gateway result is already set");
}

/* A map of refs, in both forms; "" and a missing ref are scratch. */
static void test_return_map(struct gateway_rig *f, gconstpointer data)
{
	bool old = data != NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *id = gateway_rig_solve(f);
	Gateway__Ref ref = GATEWAY__REF__INIT;
	Gateway__RefMap__RefsEntry one = GATEWAY__REF_MAP__REFS_ENTRY__INIT, two = one, *refs[] = {&one, &two};
	Gateway__RefMap map = GATEWAY__REF_MAP__INIT;
	Gateway__RefMapDeprecated__RefsEntry old_one = GATEWAY__REF_MAP_DEPRECATED__REFS_ENTRY__INIT, old_two = old_one,
					     *old_refs[] = {&old_one, &old_two};
	Gateway__RefMapDeprecated old_map = GATEWAY__REF_MAP_DEPRECATED__INIT;
	Gateway__Result result = GATEWAY__RESULT__INIT;
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	one.key = old_one.key = (char *)"a";
	two.key = old_two.key = (char *)"b";
	one.value = &ref;
	ref.id = old_one.value = id;
	map.refs = refs;
	old_map.refs = old_refs;
	map.n_refs = old_map.n_refs = 2;
	result.result_case = old ? GATEWAY__RESULT__RESULT_REFS_DEPRECATED : GATEWAY__RESULT__RESULT_REFS;
	if (old)
		result.refsdeprecated = &old_map;
	else
		result.refs = &map;
	request.result = &result;
	guard_free(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_autoptr(build_result) got = gateway_wait(f->g, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_hash_table_size(got->refs), ==, 2);
	g_assert_true(g_hash_table_lookup(got->refs, "a") == &f->fake.ref);
	g_assert_true(g_hash_table_contains(got->refs, "b"));
	g_assert_null(g_hash_table_lookup(got->refs, "b"));
}

/* The error of a frontend keeps its code and details. */
static void test_return_error(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Google__Status status = GOOGLE__STATUS__INIT;
	Google__Any any = GOOGLE__ANY__INIT, *details[] = {&any};
	Gateway__ReturnRequest request = GATEWAY__RETURN_REQUEST__INIT;
	Gateway__Result result = GATEWAY__RESULT__INIT;
	request.result = &result; /* the error takes precedence */
	request.error = &status;
	gateway_rig_failed(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error), &error, ERROR_UNKNOWN,
			   "gateway return must be either result or err"); /* code 0 is no error */
	any.type_url = (char *)"github.com/moby/buildkit/errdefs.Vertex+json";
	any.value = (ProtobufCBinaryData){2, (uint8_t *)"{}"};
	status.code = ERROR_ALREADY_EXISTS;
	status.message = (char *)"frontend failed";
	status.details = details;
	status.n_details = 1;
	guard_free(GATEWAY_CALL(f, "Return", &request, gateway__return_response, &error));
	g_assert_no_error(error);
	g_assert_null(gateway_wait(f->g, NULL, &error));
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
	error_hide_code(&error);
	gateway_rig_failed(NULL, &error, ERROR_ALREADY_EXISTS, "frontend failed");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, data, fn)                                                                                            \
	g_test_add("/llbbridge_solve/" name, struct gateway_rig, data, gateway_rig_setup, fn, gateway_rig_teardown)
	ADD("solve/request", NULL, test_solve_request);
	ADD("solve/limits", NULL, test_solve_limits);
	ADD("solve/result", NULL, test_solve_result);
	ADD("solve/failure", NULL, test_solve_failure);
	ADD("final", NULL, test_final);
	ADD("return/result", NULL, test_return_result);
	ADD("return/map", NULL, test_return_map);
	ADD("return/old-map", "old", test_return_map);
	ADD("return/error", NULL, test_return_error);
	return g_test_run();
}
