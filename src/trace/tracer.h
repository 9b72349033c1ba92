/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracer: receives the spans of a process, and those that others send to it, and keeps the ones of recorded builds.
 *
 *	g_autoptr(tracer) t = tracer_new("buildkitd", "deployment.environment.name=test");
 *	tracer_set_sink(t, export_span, exporter);
 *	trace_recording *r = tracer_record(t, span);  ...  GBytes *message = trace_recording_take(r);
 *
 * A recording gets all spans of its trace: those that ended shortly before it began (KEPT_NS), too, because the calls of
 * a client before Solve belong to its trace. Memory is bounded (LIMIT_TRACE_BYTES, LIMIT_TRACES_BYTES); spans that do not
 * fit are counted. Builds with the same trace get the same spans, as upstream. Thread: any.
 */
#pragma once
#include "trace/record.h"

typedef struct trace_recording trace_recording;

/* attributes: "key=value,..." of the resource, percent-encoded (OTEL_RESOURCE_ATTRIBUTES), or NULL. */
tracer *tracer_new(const char *service, const char *attributes);
tracer *tracer_ref(tracer *t);
void tracer_unref(tracer *t);
/* Keeps spans for recordings; without it, only the sink gets them. */
void tracer_keep(tracer *t);
/* Called for each span that ends, on its thread; may not block. NULL: none. Waits for running calls of the earlier one. */
void tracer_set_sink(tracer *t, void (*sink)(void *data, struct trace_record *r), void *data);
/* Whether spans that no build records have a reader. */
bool tracer_exports(tracer *t);
/* A span of this process (taken), or of a client or step. */
void tracer_add(tracer *t, struct trace_record *r);
struct trace_source *tracer_source(tracer *t); /* borrowed */

trace_recording *tracer_record(tracer *t, const trace_span *s); /* NULL for NULL */
/* Ends the recording and returns its spans, as trace_pack does. NULL: there are none. */
GBytes *trace_recording_take(trace_recording *r);

struct trace_counts {
	uint64_t ended;   /* spans of this process */
	uint64_t foreign; /* spans of clients and steps */
	uint64_t dropped; /* not recorded, because of the limits */
};
void tracer_count(tracer *t, struct trace_counts *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tracer, tracer_unref)
