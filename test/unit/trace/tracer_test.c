/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"
#include "base/limits.h"
#include "otlp.pb-c.h"
#include "trace/tracer.h"
#include <string.h>

static const struct trace_headers fresh;

static size_t count(GBytes *message)
{
	if (!message)
		return 0;
	Otlp__ExportTraceServiceRequest *m =
		message_unpack(&otlp__export_trace_service_request__descriptor, message, NULL);
	size_t n = 0;
	for (size_t i = 0; i < m->n_resource_spans; i++)
		for (size_t k = 0; k < m->resource_spans[i]->n_scope_spans; k++)
			n += m->resource_spans[i]->scope_spans[k]->n_spans;
	guard_free(m);
	g_bytes_unref(message);
	return n;
}

static void end_one(trace_span *parent)
{
	g_autoptr(trace_span) s = trace_child(parent, "x", TRACE_INTERNAL);
	trace_end(s);
}

static void test_recordings_of_a_trace(void)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	g_autoptr(trace_span) a = trace_root(t, &fresh, "a", TRACE_SERVER),
			      b = trace_root(t, &fresh, "b", TRACE_SERVER);
	end_one(a); /* before the recording */
	trace_recording *ra = tracer_record(t, a), *second = tracer_record(t, a);
	end_one(a);
	end_one(b);
	g_assert_cmpuint(count(trace_recording_take(ra)), ==, 2);
	end_one(a);
	g_assert_cmpuint(count(trace_recording_take(second)), ==, 3);
	g_assert_null(tracer_record(t, NULL));
	g_assert_null(trace_recording_take(NULL));
	g_autoptr(trace_span) empty = trace_root(t, &fresh, "c", TRACE_SERVER);
	g_assert_null(trace_recording_take(tracer_record(t, empty)));
}

static struct trace_record *foreign_new(tracer *t, const trace_span *s, size_t n)
{
	g_autofree uint8_t *bytes = g_malloc0(n);
	struct trace_record *r = trace_record_new(tracer_source(t), trace_id(s), bytes, n);
	r->foreign = true;
	return r;
}

static void test_limit_of_a_trace(void)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	g_autoptr(trace_span) s = trace_root(t, &fresh, "a", TRACE_SERVER);
	trace_recording *r = tracer_record(t, s);
	struct trace_counts counts;
	for (int i = 0; i < 400; i++)
		tracer_add(t, foreign_new(t, s, 60000));
	tracer_count(t, &counts);
	g_assert_cmpuint(counts.foreign, ==, 400);
	g_assert_cmpuint(counts.dropped, >=, 260); /* half of the trace is left for ours */
	uint64_t dropped = counts.dropped;
	end_one(s);
	tracer_count(t, &counts);
	g_assert_cmpuint(counts.dropped, ==, dropped);
	g_bytes_unref(trace_recording_take(r));
}

static void test_limit_of_all(void)
{
	g_autoptr(tracer) t = tracer_new("test", NULL);
	tracer_keep(t);
	struct trace_counts counts;
	for (int i = 0; i < 1500; i++) { /* older ones are forgotten: nothing is dropped */
		g_autoptr(trace_span) s = trace_root(t, &fresh, "a", TRACE_SERVER);
		tracer_add(t, foreign_new(t, s, 60000));
	}
	tracer_count(t, &counts);
	g_assert_cmpuint(counts.dropped, ==, 0);
	GPtrArray *recordings = g_ptr_array_new();
	for (int i = 0; i < 1500; i++) {
		g_autoptr(trace_span) s = trace_root(t, &fresh, "a", TRACE_SERVER);
		g_ptr_array_add(recordings, tracer_record(t, s));
		tracer_add(t, foreign_new(t, s, 60000));
	}
	tracer_count(t, &counts);
	g_assert_cmpuint(counts.dropped, >, 300);
	for (guint i = 0; i < recordings->len; i++) {
		GBytes *b = trace_recording_take(recordings->pdata[i]);
		if (b)
			g_bytes_unref(b);
	}
	g_ptr_array_unref(recordings);
}

static void test_resource(void)
{
	g_autoptr(tracer) t = tracer_new("svc", "a=1,service.name=other,b=x%2Cy, c = d ,broken");
	Otlp__Resource *r = message_unpack(&otlp__resource__descriptor, tracer_source(t)->resource, NULL);
	static const char *const expected[][2] = {{"a", "1"},
						  {"b", "x,y"},
						  {"c", "d"},
						  {"service.name", "svc"},
						  {"telemetry.sdk.language", "c"},
						  {"telemetry.sdk.name", "buildkit-c"}};
	g_assert_cmpuint(r->n_attributes, ==, G_N_ELEMENTS(expected) + 1);
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
		g_assert_cmpstr(r->attributes[i]->key, ==, expected[i][0]);
		g_assert_cmpstr(r->attributes[i]->value->string_value, ==, expected[i][1]);
	}
	guard_free(r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tracer/recordings", test_recordings_of_a_trace);
	g_test_add_func("/tracer/limit_of_a_trace", test_limit_of_a_trace);
	g_test_add_func("/tracer/limit_of_all", test_limit_of_all);
	g_test_add_func("/tracer/resource", test_resource);
	return g_test_run();
}
