/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: ended spans as encoded bytes, and the messages that are made of them.
 *
 *	g_autoptr(GBytes) message = trace_pack(spans, 0, n);      an ExportTraceServiceRequest
 *	trace_unpack(bytes, add, data, &ret_rejected, error);
 *
 * Spans refer to the resource (who created them) and the scope (which library), which many share. Immutable and counted.
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include "trace/trace.h"

struct trace_source {
	gint refs;
	GBytes *resource; /* owned; an encoded Resource */
	GBytes *scope;    /* owned; an encoded InstrumentationScope */
};
struct trace_source *trace_source_new(GBytes *resource, GBytes *scope); /* takes both */
void trace_source_unref(struct trace_source *s);

struct trace_record {
	gint refs;
	struct trace_source *source; /* ref */
	uint8_t trace[TRACE_ID_BYTES];
	bool foreign; /* of a client or a step */
	uint32_t n;
	uint8_t span[]; /* an encoded Span */
};
struct trace_record *trace_record_new(struct trace_source *source, const uint8_t *trace, const uint8_t *span, size_t n);
struct trace_record *trace_record_ref(struct trace_record *r);
void trace_record_unref(struct trace_record *r);

/* Returns an encoded ExportTraceServiceRequest. records: of struct trace_record *. */
GBytes *trace_pack(const GPtrArray *records, guint begin, guint n);
/*
 * Splits an encoded ExportTraceServiceRequest of a client: add gets each valid span (a new reference). Spans with invalid
 * ids or more than LIMIT_SPAN_BYTES are counted in ret_rejected; attributes, events and links beyond LIMIT_SPAN_ITEMS are
 * dropped and counted in the span. Errors: INVALID_ARGUMENT.
 */
bool trace_unpack(GBytes *message, void (*add)(void *data, struct trace_record *r), void *data, int64_t *ret_rejected,
		  GError **error);

/*
 * Returns spans (an encoded ExportTraceServiceRequest) in the form of BuildKit's build records,
 * application/vnd.buildkit.otlp.json.v0: one JSON object per span, as Go's tracetest.SpanStub. Spans behind the first
 * max bytes are left out.
 */
GBytes *trace_json(GBytes *message, size_t max, GError **error);
