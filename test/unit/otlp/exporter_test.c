/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/exporter.h"
#include "api/message.h"
#include "base/scope.h"
#include "lib/event.h"
#include "lib/rpc_rig.h"
#include "otlp.pb-c.h"
#include "otlp/service.h"
#include <string.h>

/* A collector on a unix socket: the daemon's service, whose tracer counts, or one that fails or hangs. */
struct fixture {
	rpc_loop *loop;
	rpc_server *server;
	char *dir;
	tracer *collector, *source;
	struct otlp_config config;
	otlp_exporter *exporter;
	trace_span *root;
	gint fails; /* atomic: number of calls that fail before one succeeds */
	gint calls; /* atomic */
};

static bool flaky(rpc_call *call, void *data, GError **error)
{
	struct fixture *f = data;
	g_atomic_int_inc(&f->calls);
	g_autoptr(GBytes) message = rpc_call_recv(call, error);
	if (g_atomic_int_get(&f->fails) < 0) { /* never answers */
		cancel_poll(rpc_call_cancel(call), NULL, 0, -1, error);
		return false;
	}
	if (g_atomic_int_add(&f->fails, -1) > 0)
		return error_set(error, ERROR_UNAVAILABLE, "later");
	Otlp__ExportTraceServiceResponse reply = OTLP__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
	Otlp__ExportTracePartialSuccess partial = OTLP__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
	partial.rejected_spans = 1;
	reply.partial_success = &partial;
	return rpc_call_send_message(call, &reply, error);
}

static const struct rpc_method flaky_methods[] = {{"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
						   .request = &otlp__export_trace_service_request__descriptor,
						   .stream = flaky}};

static void setup(struct fixture *f, gconstpointer is_flaky)
{
	f->dir = g_dir_make_tmp("otlp-XXXXXX", NULL);
	f->loop = rpc_loop_new(NULL);
	f->server = rpc_server_new(f->loop);
	f->collector = tracer_new("collector", NULL);
	if (is_flaky)
		rpc_server_add(f->server, flaky_methods, G_N_ELEMENTS(flaky_methods), f);
	else
		otlp_register(f->server, f->collector);
	f->config.endpoint = g_strconcat("unix://", f->dir, "/s", NULL);
	f->config.headers = g_ptr_array_new();
	f->config.timeout_ms = 2000;
	f->config.queue_spans = 100;
	f->config.batch_spans = 10;
	f->config.delay_ms = 20;
	f->config.export_ms = 5000;
	g_assert_true(rpc_server_listen(f->server, f->config.endpoint, NULL, NULL));
	f->source = tracer_new("test", NULL);
	f->root = trace_root(f->source, &(struct trace_headers){0}, "root", TRACE_INTERNAL);
}

static void start(struct fixture *f)
{
	f->exporter = otlp_exporter_new(&f->config, f->loop, NULL);
	tracer_set_sink(f->source, otlp_exporter_add, f->exporter);
}

static struct otlp_counts stop(struct fixture *f, int timeout_ms)
{
	struct otlp_counts counts;
	tracer_set_sink(f->source, NULL, NULL);
	otlp_exporter_count(f->exporter, &counts);
	otlp_exporter_free(g_steal_pointer(&f->exporter), timeout_ms);
	return counts;
}

static void teardown(struct fixture *f, gconstpointer data)
{
	trace_span_unref(f->root);
	tracer_unref(f->source);
	rpc_server_free(f->server);
	tracer_unref(f->collector);
	rpc_loop_free(f->loop);
	otlp_config_clear(&f->config);
	g_assert_cmpint(g_rmdir(f->dir), ==, 0);
	g_free(f->dir);
}

static void end_spans(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++) {
		g_autoptr(trace_span) s = trace_child(f->root, "x", TRACE_INTERNAL);
		trace_end(s);
	}
}

static uint64_t received(struct fixture *f)
{
	struct trace_counts counts;
	tracer_count(f->collector, &counts);
	return counts.foreign;
}

static void test_flush_at_the_end(struct fixture *f, gconstpointer data)
{
	f->config.delay_ms = G_MAXINT;
	start(f);
	end_spans(f, 25);
	stop(f, 5000);
	g_assert_cmpuint(received(f), ==, 25);
}

/* A full queue drops; no thread waits. */
static void test_full_queue(struct fixture *f, gconstpointer data)
{
	g_atomic_int_set(&f->fails, -1);
	start(f);
	end_spans(f, 500);
	struct otlp_counts counts = stop(f, 50);
	g_assert_cmpuint(counts.dropped, >=, 500 - 100 - 10);
	g_assert_cmpuint(counts.sent, ==, 0);
}

static void test_retry(struct fixture *f, gconstpointer data)
{
	g_atomic_int_set(&f->fails, 2);
	start(f);
	end_spans(f, 5);
	struct otlp_counts counts;
	do {
		g_usleep(10000);
		otlp_exporter_count(f->exporter, &counts);
	} while (counts.sent + counts.failed == 0);
	g_assert_cmpint(g_atomic_int_get(&f->calls), ==, 3);
	g_assert_cmpuint(counts.sent, ==, 4);
	g_assert_cmpuint(counts.rejected, ==, 1);
	stop(f, 1000);
}

/* A collector that does not listen. */
static void test_no_collector(struct fixture *f, gconstpointer data)
{
	g_free(f->config.endpoint);
	f->config.endpoint = g_strconcat("unix://", f->dir, "/none", NULL);
	f->config.export_ms = 1;
	start(f);
	end_spans(f, 5);
	struct otlp_counts counts;
	do {
		g_usleep(10000);
		otlp_exporter_count(f->exporter, &counts);
	} while (counts.failed == 0);
	g_assert_cmpuint(counts.failed, ==, 5);
	stop(f, 1000);
}

/* What a client or a step sends, and what is refused. */
static void test_service(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_conn) conn = rpc_connect(f->loop, f->config.endpoint, NULL, NULL, NULL);
	Otlp__Span span = OTLP__SPAN__INIT, *spans[] = {&span};
	Otlp__ScopeSpans scope = OTLP__SCOPE_SPANS__INIT, *scopes[] = {&scope};
	Otlp__ResourceSpans group = OTLP__RESOURCE_SPANS__INIT, *groups[] = {&group};
	Otlp__ExportTraceServiceRequest request = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	scope.spans = spans;
	group.scope_spans = scopes;
	request.resource_spans = groups;
	scope.n_spans = group.n_scope_spans = request.n_resource_spans = 1;
	const char *path = flaky_methods[0].path;
	Otlp__ExportTraceServiceResponse *reply = rpc_unary(
		conn, path, NULL, &request, &otlp__export_trace_service_response__descriptor, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpint(reply->partial_success->rejected_spans, ==, 1);
	guard_free(reply);
	g_assert_cmpuint(received(f), ==, 0);
	uint8_t ids[24];
	memset(ids, 1, sizeof ids);
	span.trace_id = (ProtobufCBinaryData){16, ids};
	span.span_id = (ProtobufCBinaryData){8, ids + 16};
	reply = rpc_unary(conn, path, NULL, &request, &otlp__export_trace_service_response__descriptor, NULL, 0,
			  &error);
	g_assert_null(reply->partial_success);
	guard_free(reply);
	g_assert_cmpuint(received(f), ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	const void *is_flaky = "";
	g_test_add("/exporter/flush_at_the_end", struct fixture, NULL, setup, test_flush_at_the_end, teardown);
	g_test_add("/exporter/full_queue", struct fixture, is_flaky, setup, test_full_queue, teardown);
	g_test_add("/exporter/retry", struct fixture, is_flaky, setup, test_retry, teardown);
	g_test_add("/exporter/no_collector", struct fixture, NULL, setup, test_no_collector, teardown);
	g_test_add("/exporter/service", struct fixture, NULL, setup, test_service, teardown);
	return g_test_run();
}
