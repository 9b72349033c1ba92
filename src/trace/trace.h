/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: spans in the data model of OpenTelemetry, and the tracer that receives them when they end.
 *
 *	g_auto(trace_scope) scope = trace_scope_begin("export layers", TRACE_INTERNAL);    child of the thread's span
 *	trace_put_text(scope.span, "exportLayers.compressionType", "gzip");
 *	trace_fail(scope.span, error);                                                      the scope's end ends it
 *
 * A thread has a current span, which threads that it starts inherit (base/inherit.h). Without one, nothing is traced:
 * every function accepts NULL and returns NULL for it. A root span comes from trace_root, for a call that a server has
 * received or for a command of a client.
 *
 * A span is encoded while it runs, and its end passes one block of bytes to the tracer, which shares it between the
 * exporter and the recordings of builds (tracer.h). Text that is too long is cut, and what exceeds LIMIT_SPAN_ITEMS is
 * counted and dropped; passwords in addresses are masked. Spans are counted; so is the tracer, which its spans keep.
 * https://opentelemetry.io/docs/specs/otel/trace/api/ Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/inherit.h"

typedef struct tracer tracer;
typedef struct trace_span trace_span;

enum trace_kind { TRACE_INTERNAL = 1, TRACE_SERVER = 2, TRACE_CLIENT = 3 };

/* The context of a span of another process: headers of W3C Trace Context and Baggage. NULL: absent. */
struct trace_headers {
	const char *parent, *state, *baggage;
};

/* ---- spans */

/*
 * A span of a trace that another process began, or of a new one if the headers have no valid parent. NULL: the parent
 * is not sampled, or t is NULL.
 */
trace_span *trace_root(tracer *t, const struct trace_headers *headers, const char *name, enum trace_kind kind);
/* Whether the headers name a valid parent. */
bool trace_has_parent(const struct trace_headers *headers);
trace_span *trace_child(trace_span *parent, const char *name, enum trace_kind kind);
trace_span *trace_span_ref(trace_span *s);
void trace_span_unref(trace_span *s); /* a span that was not ended is discarded */
/* Passes it to the tracer; afterwards it can still be the parent of others. */
void trace_end(trace_span *s);

void trace_put_text(trace_span *s, const char *key, const char *value);
void trace_put_texts(trace_span *s, const char *key, const char *const *values);
void trace_put_int(trace_span *s, const char *key, int64_t value);
void trace_put_bool(trace_span *s, const char *key, bool value);
void trace_event(trace_span *s, const char *name);
void trace_event_int(trace_span *s, const char *name, const char *key, int64_t value);
/* Status "error" with the text, and an event "exception"; does nothing if error is NULL. */
void trace_fail(trace_span *s, const GError *error);
/* Status "error" alone. */
void trace_set_error(trace_span *s, const char *message);
void trace_set_ok(trace_span *s);

/* "00-<trace>-<span>-01", newly allocated; NULL for NULL. */
char *trace_parent_text(const trace_span *s);
const char *trace_state_text(const trace_span *s);   /* borrowed; NULL: none */
const char *trace_baggage_text(const trace_span *s); /* borrowed; NULL: none */
#define TRACE_ID_BYTES 16
const uint8_t *trace_id(const trace_span *s);
tracer *trace_tracer(const trace_span *s);

/* ---- the current span of the thread */

trace_span *trace_current(void); /* borrowed; NULL: none */

/* Makes a span (which may be NULL) current until the scope's end, which ends it unless it is only borrowed. */
typedef struct trace_scope {
	trace_span *span;
	inherited *before;
	bool borrowed, active;
} trace_scope;
trace_scope trace_scope_begin(const char *name, enum trace_kind kind);
trace_scope trace_scope_enter(trace_span *s); /* borrowed: it is neither ended nor released */
void trace_scope_end(trace_scope *scope);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(trace_scope, trace_scope_end)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(trace_span, trace_span_unref)
