/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "otlp.pb-c.h"
#include "trace/context.h"
#include "trace/record.h"
#include "trace/walk.h"
#include <math.h>
#include <string.h>

/* ---- attributes: {"Key": ..., "Value": {"Type": ..., "Value": ...}} */

static void put_double(json_writer *w, double value)
{
	if (isfinite(value))
		json_put_double(w, value);
	else
		json_put_double(w, 0); /* Go's encoder refuses the whole span */
}

static void put_type(json_writer *w, const char *type)
{
	json_put_string_member(w, "Type", type);
	json_key(w, "Value");
}

static void put_item_text(json_writer *w, const Otlp__AnyValue *v)
{
	g_autofree char *text = NULL;
	if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
		json_put_string(w, v->string_value);
	else if (v->value_case == OTLP__ANY_VALUE__VALUE_BOOL_VALUE)
		json_put_string(w, v->bool_value ? "true" : "false");
	else if (v->value_case == OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE)
		json_put_string(w, text = g_strdup_printf("%g", v->double_value));
	else
		json_put_string(w, "");
}

/*
 * The type of the first item is that of all. Lists of truth values and of floating-point numbers become texts: docker
 * buildx ends in a panic when it reads them.
 */
static void put_array(json_writer *w, const Otlp__ArrayValue *a)
{
	bool ints = a->n_values > 0 && a->values[0]->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE;
	put_type(w, ints ? "INT64SLICE" : "STRINGSLICE");
	json_array_begin(w);
	for (size_t i = 0; i < a->n_values; i++) {
		const Otlp__AnyValue *v = a->values[i];
		if (ints)
			json_put_int(w, v->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE ? v->int_value : 0);
		else
			put_item_text(w, v);
	}
	json_array_end(w);
}

static void put_any(json_writer *w, const Otlp__AnyValue *v)
{
	Otlp__AnyValue__ValueCase kind = v ? v->value_case : OTLP__ANY_VALUE__VALUE__NOT_SET;
	json_object_member_begin(w, "Value");
	if (kind == OTLP__ANY_VALUE__VALUE_STRING_VALUE) {
		json_put_string_member(w, "Type", "STRING");
		json_put_string_member(w, "Value", v->string_value);
	} else if (kind == OTLP__ANY_VALUE__VALUE_BOOL_VALUE) {
		put_type(w, "BOOL");
		json_put_bool(w, v->bool_value);
	} else if (kind == OTLP__ANY_VALUE__VALUE_INT_VALUE) {
		put_type(w, "INT64");
		json_put_int(w, v->int_value);
	} else if (kind == OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE) {
		put_type(w, "FLOAT64");
		put_double(w, v->double_value);
	} else if (kind == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE && v->array_value) {
		put_array(w, v->array_value);
	} else { /* as upstream */
		json_put_string_member(w, "Type", "STRING");
		json_put_string_member(w, "Value", "INVALID");
	}
	json_object_end(w);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(Otlp__KeyValue *const *)a)->key, (*(Otlp__KeyValue *const *)b)->key);
}

static void put_pairs(json_writer *w, const char *name, Otlp__KeyValue **pairs, size_t n)
{
	json_key(w, name);
	if (n == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < n; i++) {
		json_object_begin(w);
		json_put_string_member(w, "Key", pairs[i]->key);
		put_any(w, pairs[i]->value);
		json_object_end(w);
	}
	json_array_end(w);
}

/* ---- spans */

/* Who created a span, unpacked; shared by the spans that follow each other. */
struct source {
	struct slice resource_bytes, scope_bytes, schema;
	Otlp__Resource *resource; /* owned; NULL: none */
	Otlp__InstrumentationScope *scope;
};

static void put_id(json_writer *w, const char *name, const ProtobufCBinaryData *id, size_t n)
{
	static const uint8_t zeros[TRACE_ID_BYTES];
	char text[2 * TRACE_ID_BYTES + 1];
	trace_hex(id->len == n ? id->data : zeros, n, text);
	json_put_string_member(w, name, text);
}

static void put_context(json_writer *w, const char *name, const Otlp__Span *s, const ProtobufCBinaryData *id,
			bool remote)
{
	static const ProtobufCBinaryData none;
	bool valid = id->len == TRACE_SPAN_ID_BYTES;
	json_object_member_begin(w, name);
	put_id(w, "TraceID", valid ? &s->trace_id : &none, TRACE_ID_BYTES);
	put_id(w, "SpanID", id, TRACE_SPAN_ID_BYTES);
	json_put_string_member(w, "TraceFlags", valid ? "01" : "00");
	json_put_string_member(w, "TraceState", valid ? s->trace_state : "");
	json_put_bool_member(w, "Remote", remote);
	json_object_end(w);
}

static void put_time(json_writer *w, const char *name, uint64_t ns)
{
	/* Go's encoder refuses years beyond 9999; the field ends in 2554. */
	g_autofree char *text = time_format_rfc3339((int64_t)MIN(ns, (uint64_t)INT64_MAX));
	json_put_string_member(w, name, text);
}

static void put_events(json_writer *w, const Otlp__Span *s)
{
	json_key(w, "Events");
	if (s->n_events == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < s->n_events; i++) {
		const Otlp__SpanEvent *e = s->events[i];
		json_object_begin(w);
		json_put_string_member(w, "Name", e->name);
		put_pairs(w, "Attributes", e->attributes, e->n_attributes);
		json_put_int_member(w, "DroppedAttributeCount", e->dropped_attributes_count);
		put_time(w, "Time", e->time_unix_nano);
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_links(json_writer *w, const Otlp__Span *s)
{
	json_key(w, "Links");
	if (s->n_links == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (size_t i = 0; i < s->n_links; i++) {
		const Otlp__SpanLink *l = s->links[i];
		json_object_begin(w);
		json_object_member_begin(w, "SpanContext");
		put_id(w, "TraceID", &l->trace_id, TRACE_ID_BYTES);
		put_id(w, "SpanID", &l->span_id, TRACE_SPAN_ID_BYTES);
		json_put_string_member(w, "TraceFlags", "00");
		json_put_string_member(w, "TraceState", "");
		json_put_bool_member(w, "Remote", false);
		json_object_end(w);
		put_pairs(w, "Attributes", l->attributes, l->n_attributes);
		json_put_int_member(w, "DroppedAttributeCount", l->dropped_attributes_count);
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_status(json_writer *w, const Otlp__SpanStatus *status)
{
	/* Go's numbers: 1 is an error, 2 is ok. */
	int code = status && status->code == 1 ? 2 : status && status->code == 2 ? 1 : 0;
	json_object_member_begin(w, "Status");
	json_put_int_member(w, "Code", code);
	json_put_string_member(w, "Description", code == 1 ? status->message : "");
	json_object_end(w);
}

static void put_scope(json_writer *w, const char *name, const struct source *from)
{
	json_object_member_begin(w, name);
	json_put_string_member(w, "Name", from->scope ? from->scope->name : "");
	json_put_string_member(w, "Version", from->scope ? from->scope->version : "");
	json_key(w, "SchemaURL");
	json_put_string_len(w, (const char *)from->schema.ptr, from->schema.len);
	json_object_member_begin(w, "Attributes");
	json_object_end(w);
	json_object_end(w);
}

static void put_counts(json_writer *w, const Otlp__Span *s, guint children)
{
	json_put_int_member(w, "DroppedAttributes", s->dropped_attributes_count);
	json_put_int_member(w, "DroppedEvents", s->dropped_events_count);
	json_put_int_member(w, "DroppedLinks", s->dropped_links_count);
	json_put_int_member(w, "ChildSpanCount", children);
}

static void put_span(json_writer *w, const struct source *from, const Otlp__Span *s, guint children)
{
	json_object_begin(w);
	json_put_string_member(w, "Name", s->name);
	put_context(w, "SpanContext", s, &s->span_id, false);
	put_context(w, "Parent", s, &s->parent_span_id, (s->flags & 0x300) == 0x300);
	json_put_int_member(w, "SpanKind", s->kind >= 1 && s->kind <= 5 ? s->kind : 0);
	put_time(w, "StartTime", s->start_time_unix_nano);
	put_time(w, "EndTime", s->end_time_unix_nano);
	put_pairs(w, "Attributes", s->attributes, s->n_attributes);
	put_events(w, s);
	put_links(w, s);
	put_status(w, s->status);
	put_counts(w, s, children);
	put_pairs(w, "Resource", from->resource ? from->resource->attributes : NULL,
		  from->resource ? from->resource->n_attributes : 0);
	put_scope(w, "InstrumentationScope", from);
	put_scope(w, "InstrumentationLibrary", from);
	json_object_end(w);
}

/* ---- all spans */

static uint64_t key_of(const ProtobufCBinaryData *id)
{
	uint64_t key = 0;
	if (id->len == sizeof key)
		memcpy(&key, id->data, sizeof key);
	return key;
}

struct printing {
	struct source source;
	GHashTable *children; /* span id to number of spans whose parent it is */
	GByteArray *out;
	size_t max;
};

static bool count_child(void *data, const struct trace_visit *v)
{
	GHashTable *children = data;
	Otlp__Span *s = guard_unpack(&otlp__span__descriptor, v->span.ptr, v->span.len, NULL);
	if (!s)
		return true;
	uint64_t key = key_of(&s->parent_span_id);
	guint n = GPOINTER_TO_UINT(g_hash_table_lookup(children, &key));
	g_hash_table_replace(children, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(n + 1));
	guard_free(s);
	return true;
}

static void source_clear(struct source *s)
{
	guard_free(s->resource);
	guard_free(s->scope);
	*s = (struct source){0};
}

static void source_read(struct source *s, const struct trace_visit *v)
{
	bool same = s->resource && s->resource_bytes.ptr == v->resource.ptr && s->scope_bytes.ptr == v->scope.ptr;
	s->schema = v->schema;
	if (same)
		return;
	source_clear(s);
	s->schema = v->schema;
	s->resource_bytes = v->resource;
	s->scope_bytes = v->scope;
	s->resource = guard_unpack(&otlp__resource__descriptor, v->resource.ptr, v->resource.len, NULL);
	s->scope = guard_unpack(&otlp__instrumentation_scope__descriptor, v->scope.ptr, v->scope.len, NULL);
	if (s->resource && s->resource->n_attributes > 0) /* as Go's attribute sets */
		qsort(s->resource->attributes, s->resource->n_attributes, sizeof(Otlp__KeyValue *), by_key);
}

static bool print_span(void *data, const struct trace_visit *v)
{
	struct printing *p = data;
	Otlp__Span *s = guard_unpack(&otlp__span__descriptor, v->span.ptr, v->span.len, NULL);
	if (!s)
		return true;
	source_read(&p->source, v);
	uint64_t key = key_of(&s->span_id);
	g_autoptr(json_writer) w = json_writer_new(2);
	put_span(w, &p->source, s, GPOINTER_TO_UINT(g_hash_table_lookup(p->children, &key)));
	guard_free(s);
	size_t length = 0;
	g_autofree char *text = json_writer_take(&w, &length);
	if (p->out->len + length >= p->max)
		return false;
	g_byte_array_append(p->out, (const uint8_t *)text, (guint)length);
	g_byte_array_append(p->out, (const uint8_t *)"\n", 1);
	return true;
}

GBytes *trace_json(GBytes *message, size_t max, GError **error)
{
	g_autoptr(GHashTable) children = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	g_autoptr(GByteArray) out = g_byte_array_new();
	struct printing p = {.children = children, .out = out, .max = max};
	bool ok = trace_walk(message, count_child, children, error) && trace_walk(message, print_span, &p, error);
	source_clear(&p.source);
	return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&out)) : NULL;
}
