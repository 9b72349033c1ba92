/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "otlp.pb-c.h"
#include "api/message.h"
#include "trace/tracer.h"
#include <jansson.h>
#include <string.h>

static void collect(void *data, struct trace_record *r)
{
	g_ptr_array_add(data, r);
}

static ProtobufCBinaryData id(size_t n, uint8_t value)
{
	ProtobufCBinaryData d = {.len = n, .data = g_malloc(n + 1)};
	memset(d.data, value, n);
	return d;
}

static Otlp__Span *span_new(const char *name)
{
	Otlp__Span *s = message_new(Otlp__Span, otlp__span);
	s->trace_id = id(16, 1);
	s->span_id = id(8, 2);
	s->name = g_strdup(name);
	s->kind = 3;
	s->start_time_unix_nano = 1700000000123000000;
	s->end_time_unix_nano = 1700000001000000000;
	return s;
}

static Otlp__ExportTraceServiceRequest *request_new(Otlp__Span *s)
{
	Otlp__ExportTraceServiceRequest *m =
		message_new(Otlp__ExportTraceServiceRequest, otlp__export_trace_service_request);
	Otlp__ResourceSpans *group = message_new(Otlp__ResourceSpans, otlp__resource_spans);
	Otlp__ScopeSpans *scope = message_new(Otlp__ScopeSpans, otlp__scope_spans);
	message_append(scope, spans, s);
	message_append(group, scope_spans, scope);
	message_append(m, resource_spans, group);
	return m;
}

static Otlp__KeyValue *pair_new(const char *key, Otlp__AnyValue *value)
{
	Otlp__KeyValue *kv = message_new(Otlp__KeyValue, otlp__key_value);
	kv->key = g_strdup(key);
	kv->value = value;
	return kv;
}

static Otlp__AnyValue *bool_new(bool b)
{
	Otlp__AnyValue *v = message_new(Otlp__AnyValue, otlp__any_value);
	v->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
	v->bool_value = b;
	return v;
}

/* Takes m. */
static GPtrArray *unpack(void *m, int64_t *ret_rejected)
{
	g_autoptr(GBytes) bytes = message_pack(m);
	guard_free(m);
	GPtrArray *records = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	g_autoptr(GError) error = NULL;
	g_assert_true(trace_unpack(bytes, collect, records, ret_rejected, &error));
	return records;
}

static json_t *json_of(GPtrArray *records)
{
	g_autoptr(GBytes) packed = trace_pack(records, 0, records->len);
	g_autoptr(GBytes) text = trace_json(packed, (size_t)MIB(1), NULL);
	json_t *j = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text), JSON_DISABLE_EOF_CHECK, NULL);
	g_assert_nonnull(j);
	return j;
}

static const char *text_at(const json_t *j, const char *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(j, object), key));
}

static void test_json(void)
{
	int64_t rejected;
	Otlp__Span *s = span_new("pull");
	s->parent_span_id = id(8, 3);
	s->trace_state = g_strdup("a=b");
	s->flags = 0x301;
	s->status = message_new(Otlp__SpanStatus, otlp__span_status);
	s->status->code = 2;
	s->status->message = g_strdup("no");
	Otlp__AnyValue *list = message_new(Otlp__AnyValue, otlp__any_value);
	list->value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
	list->array_value = message_new(Otlp__ArrayValue, otlp__array_value);
	message_append(list->array_value, values, bool_new(true));
	message_append(s, attributes, pair_new("one", bool_new(true)));
	message_append(s, attributes, pair_new("list", list));
	message_append(s, attributes, pair_new("none", NULL));
	g_autoptr(GPtrArray) records = unpack(request_new(s), &rejected);
	g_assert_cmpint(rejected, ==, 0);
	json_t *j = json_of(records);
	g_assert_cmpstr(json_string_value(json_object_get(j, "Name")), ==, "pull");
	g_assert_cmpstr(text_at(j, "SpanContext", "TraceID"), ==, "01010101010101010101010101010101");
	g_assert_cmpstr(text_at(j, "SpanContext", "TraceState"), ==, "a=b");
	g_assert_cmpstr(text_at(j, "Parent", "SpanID"), ==, "0303030303030303");
	g_assert_true(json_is_true(json_object_get(json_object_get(j, "Parent"), "Remote")));
	g_assert_cmpint(json_integer_value(json_object_get(j, "SpanKind")), ==, 3);
	g_assert_cmpstr(json_string_value(json_object_get(j, "StartTime")), ==, "2023-11-14T22:13:20.123Z");
	g_assert_cmpint(json_integer_value(json_object_get(json_object_get(j, "Status"), "Code")), ==, 1);
	g_assert_cmpstr(text_at(j, "Status", "Description"), ==, "no");
	json_t *attributes = json_object_get(j, "Attributes");
	g_assert_cmpuint(json_array_size(attributes), ==, 3);
	g_assert_cmpstr(text_at(json_array_get(attributes, 0), "Value", "Type"), ==, "BOOL");
	g_assert_cmpstr(text_at(json_array_get(attributes, 1), "Value", "Type"), ==, "STRINGSLICE");
	g_assert_cmpstr(text_at(json_array_get(attributes, 2), "Value", "Value"), ==, "INVALID");
	g_assert_true(json_is_null(json_object_get(j, "Events")));
	json_decref(j);
}

static void test_a_root_has_an_empty_parent(void)
{
	int64_t rejected;
	g_autoptr(GPtrArray) records = unpack(request_new(span_new("root")), &rejected);
	json_t *j = json_of(records);
	g_assert_cmpstr(text_at(j, "Parent", "TraceID"), ==, "00000000000000000000000000000000");
	g_assert_cmpstr(text_at(j, "Parent", "TraceFlags"), ==, "00");
	json_decref(j);
}

static void test_invalid_spans(void)
{
	static const size_t sizes[][3] = {{0, 8, 0}, {15, 8, 0}, {16, 7, 0}, {16, 8, 1}, {17, 8, 8}};
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		int64_t rejected = 0;
		Otlp__Span *s = span_new("bad");
		g_free(s->trace_id.data);
		g_free(s->span_id.data);
		s->trace_id = id(sizes[i][0], 1);
		s->span_id = id(sizes[i][1], 1);
		s->parent_span_id = id(sizes[i][2], 1);
		g_autoptr(GPtrArray) records = unpack(request_new(s), &rejected);
		g_assert_cmpint(rejected, ==, 1);
		g_assert_cmpuint(records->len, ==, 0);
	}
	int64_t rejected = 0;
	Otlp__Span *zero = span_new("zero");
	memset(zero->span_id.data, 0, 8);
	g_autoptr(GPtrArray) records = unpack(request_new(zero), &rejected);
	g_assert_cmpint(rejected, ==, 1);
}

static void test_limits(void)
{
	int64_t rejected = 0;
	Otlp__Span *s = span_new("many");
	for (int i = 0; i < 200; i++)
		message_append(s, attributes, pair_new("k", bool_new(true)));
	g_autoptr(GPtrArray) records = unpack(request_new(s), &rejected);
	json_t *j = json_of(records);
	g_assert_cmpuint(json_array_size(json_object_get(j, "Attributes")), ==, 128);
	g_assert_cmpint(json_integer_value(json_object_get(j, "DroppedAttributes")), ==, 72);
	json_decref(j);
	g_autofree char *huge = g_strnfill((gsize)LIMIT_SPAN_BYTES, 'x');
	g_autoptr(GPtrArray) none = unpack(request_new(span_new(huge)), &rejected);
	g_assert_cmpint(rejected, ==, 1);
	g_assert_cmpuint(none->len, ==, 0);
}

static void test_malformed(void)
{
	g_autoptr(GBytes) bytes = g_bytes_new("\x0a\x7f", 2);
	g_autoptr(GPtrArray) records = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	int64_t rejected;
	g_assert_false(trace_unpack(bytes, collect, records, &rejected, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/record/json", test_json);
	g_test_add_func("/record/root", test_a_root_has_an_empty_parent);
	g_test_add_func("/record/invalid", test_invalid_spans);
	g_test_add_func("/record/limits", test_limits);
	g_test_add_func("/record/malformed", test_malformed);
	return g_test_run();
}
