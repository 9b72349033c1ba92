/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/record.h"
#include "trace/encode.h"
#include <string.h>

struct trace_source *trace_source_new(GBytes *resource, GBytes *scope)
{
	struct trace_source *s = g_new0(struct trace_source, 1);
	*s = (struct trace_source){.refs = 1, .resource = resource, .scope = scope};
	return s;
}

static struct trace_source *source_ref(struct trace_source *s)
{
	g_atomic_int_inc(&s->refs);
	return s;
}

void trace_source_unref(struct trace_source *s)
{
	if (!g_atomic_int_dec_and_test(&s->refs))
		return;
	g_bytes_unref(s->resource);
	g_bytes_unref(s->scope);
	g_free(s);
}

struct trace_record *trace_record_new(struct trace_source *source, const uint8_t *trace, const uint8_t *span, size_t n)
{
	struct trace_record *r = g_malloc(sizeof *r + n);
	*r = (struct trace_record){.refs = 1, .source = source_ref(source), .n = (uint32_t)n};
	memcpy(r->trace, trace, sizeof r->trace);
	memcpy(r->span, span, n);
	return r;
}

struct trace_record *trace_record_ref(struct trace_record *r)
{
	g_atomic_int_inc(&r->refs);
	return r;
}

void trace_record_unref(struct trace_record *r)
{
	if (!g_atomic_int_dec_and_test(&r->refs))
		return;
	trace_source_unref(r->source);
	g_free(r);
}

/* A ResourceSpans (field 1) with one ScopeSpans. */
static void pack_group(GByteArray *out, const struct trace_source *source, const GByteArray *scope_spans)
{
	g_autoptr(GByteArray) group = g_byte_array_sized_new(scope_spans->len + 256);
	gsize n = 0;
	const void *resource = g_bytes_get_data(source->resource, &n);
	encode_bytes(group, 1, resource, n);
	encode_bytes(group, 2, scope_spans->data, scope_spans->len);
	encode_bytes(out, 1, group->data, group->len);
}

GBytes *trace_pack(const GPtrArray *records, guint begin, guint n)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	for (guint i = begin; i < begin + n;) {
		const struct trace_record *first = records->pdata[i];
		g_autoptr(GByteArray) spans = g_byte_array_sized_new(4096);
		gsize n_scope = 0;
		const void *scope = g_bytes_get_data(first->source->scope, &n_scope);
		encode_bytes(spans, 1, scope, n_scope);
		for (; i < begin + n; i++) {
			const struct trace_record *r = records->pdata[i];
			if (r->source != first->source)
				break;
			encode_bytes(spans, 2, r->span, r->n);
		}
		pack_group(out, first->source, spans);
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
