/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of LLBBridge that need no ref; calls of a closed gateway and canceled ones. */
#include "api/message.h"
#include "frontend/gateway/caps.h"
#include "lib/gateway_rig.h"
#include "llb/definition.h"
#include <string.h>

static void test_ping(struct gateway_rig *f, gconstpointer data)
{
	Gateway__PingRequest request = GATEWAY__PING_REQUEST__INIT;
	g_autoptr(GError) error = NULL;
	Gateway__PongResponse *reply = GATEWAY_CALL(f, "Ping", &request, gateway__pong_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(reply->n_frontendapicaps, ==, g_strv_length((char **)gateway_caps));
	for (size_t i = 0; i < reply->n_frontendapicaps; i++) {
		g_assert_cmpstr(reply->frontendapicaps[i]->id, ==, gateway_caps[i]);
		g_assert_true(reply->frontendapicaps[i]->enabled);
	}
	g_assert_cmpuint(reply->n_llbcaps, ==, g_strv_length((char **)llb_caps()));
	g_assert_cmpstr(reply->llbcaps[0]->id, ==, llb_caps()[0]);
	g_assert_cmpuint(reply->n_workers, ==, 1);
	g_assert_cmpstr(reply->workers[0]->id, ==, "w1");
	guard_free(reply);
}

static void test_inputs(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Gateway__InputsRequest request = GATEWAY__INPUTS_REQUEST__INIT;
	Gateway__InputsResponse *reply = GATEWAY_CALL(f, "Inputs", &request, gateway__inputs_response, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(reply->n_definitions, ==, 1);
	g_assert_cmpstr(reply->definitions[0]->key, ==, "context");
	g_assert_cmpuint(reply->definitions[0]->value->n_def, ==, 1);
	guard_free(reply);
}

static void test_warn(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	Pb__Position start = PB__POSITION__INIT, end = PB__POSITION__INIT;
	Pb__Range range = PB__RANGE__INIT, *ranges[] = {&range};
	Pb__SourceInfo info = PB__SOURCE_INFO__INIT;
	ProtobufCBinaryData detail[] = {{1, (uint8_t *)"d"}, {2, (uint8_t *)"e\xff"}};
	Gateway__WarnRequest request = GATEWAY__WARN_REQUEST__INIT;
	request.digest = (char *)"sha256:1";
	request.short_ = (ProtobufCBinaryData){4, (uint8_t *)"text"};
	guard_free(GATEWAY_CALL(f, "Warn", &request, gateway__warn_response, &error));
	g_assert_no_error(error);
	gateway_rig_seen(f, "warn sha256:1 1 text []  / \n"); /* level 0 is 1 */

	start.line = 1;
	start.character = 2;
	end.line = 3;
	end.character = 4;
	range.start = &start;
	range.end = &end;
	info.filename = (char *)"Dockerfile";
	info.language = (char *)"dockerfile";
	info.data = (ProtobufCBinaryData){4, (uint8_t *)"FROM"};
	request.level = 3;
	request.detail = detail;
	request.n_detail = 2;
	request.url = (char *)"https://u";
	request.info = &info;
	request.ranges = ranges;
	request.n_ranges = 1;
	guard_free(GATEWAY_CALL(f, "Warn", &request, gateway__warn_response, &error));
	g_assert_no_error(error);
	gateway_rig_seen(f, "warn sha256:1 3 text [d|e\xff] https://u Dockerfile/dockerfile FROM 1:2-3:4\n");

	range.end = NULL;
	gateway_rig_failed(GATEWAY_CALL(f, "Warn", &request, gateway__warn_response, &error), &error,
			   ERROR_INVALID_ARGUMENT, "invalid source range");
	gateway_rig_seen(f, "");
	request.n_ranges = 0;
	f->fake.bad = "no such vertex";
	f->fake.code = ERROR_NOT_FOUND;
	gateway_rig_failed(GATEWAY_CALL(f, "Warn", &request, gateway__warn_response, &error), &error, ERROR_NOT_FOUND,
			   "no such vertex");
}

static void test_closed(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	static const struct {
		const char *method;
		const ProtobufCMessageDescriptor *reply;
	} methods[] = {
		{GATEWAY_SERVICE "Ping", &gateway__pong_response__descriptor},
		{GATEWAY_SERVICE "Solve", &gateway__solve_response__descriptor},
		{GATEWAY_SERVICE "ResolveImageConfig", &gateway__resolve_image_config_response__descriptor},
		{GATEWAY_SERVICE "ResolveSourceMeta", &gateway__resolve_source_meta_response__descriptor},
		{GATEWAY_SERVICE "ReadFile", &gateway__read_file_response__descriptor},
		{GATEWAY_SERVICE "ReadDir", &gateway__read_dir_response__descriptor},
		{GATEWAY_SERVICE "StatFile", &gateway__stat_file_response__descriptor},
		{GATEWAY_SERVICE "Evaluate", &gateway__evaluate_response__descriptor},
		{GATEWAY_SERVICE "Warn", &gateway__warn_response__descriptor},
		{GATEWAY_SERVICE "Inputs", &gateway__inputs_response__descriptor},
		{GATEWAY_SERVICE "Return", &gateway__return_response__descriptor},
	};
	Gateway__PingRequest request = GATEWAY__PING_REQUEST__INIT; /* without fields, as good as any */
	gateway_close(f->g);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
			gateway_rig_failed(rpc_unary(f->pair.conn, methods[i].method, NULL, &request, methods[i].reply,
						     NULL, 0, &error),
					   &error, round ? ERROR_NOT_FOUND : ERROR_UNAVAILABLE,
					   round ? "no such job x" : "frontend grpc server closed unexpectedly");
		g_clear_pointer(&f->g, gateway_unref);
	}
}

struct reading {
	struct gateway_rig *f;
	const char *id;
	cancel *c;
	GError *error;
};

static gpointer read_thread(gpointer data)
{
	struct reading *r = data;
	Gateway__ReadFileRequest request = GATEWAY__READ_FILE_REQUEST__INIT;
	request.ref = (char *)r->id;
	request.filepath = (char *)"wait";
	g_assert_null(rpc_unary(r->f->pair.conn, GATEWAY_SERVICE "ReadFile", NULL, &request,
				&gateway__read_file_response__descriptor, r->c, 0, &r->error));
	return NULL;
}

/* A client that ends a call ends its work: close waits for running calls. */
static void test_cancel(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autofree char *id = gateway_rig_solve(f);
	struct reading r = {.f = f, .id = id, .c = c};
	GThread *thread = g_thread_new("read", read_thread, &r);
	event_wait(&f->fake.waiting, 1);
	cancel_set(c, ERROR_CANCELED, NULL);
	g_thread_join(thread);
	gateway_rig_failed(NULL, &r.error, ERROR_CANCELED, "context canceled");
	gateway_close(f->g);
	g_assert_cmpuint(event_count(&f->fake.ended), ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, data, fn)                                                                                            \
	g_test_add("/llbbridge/" name, struct gateway_rig, data, gateway_rig_setup, fn, gateway_rig_teardown)
	ADD("ping", NULL, test_ping);
	ADD("warn", NULL, test_warn);
	ADD("inputs", NULL, test_inputs);
	ADD("closed", NULL, test_closed);
	ADD("cancel", NULL, test_cancel);
	return g_test_run();
}
