/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracing: the span of a command, and what becomes of its spans.
 *
 *	struct client_tracing t;
 *	if (!client_tracing_begin(&t, &x, command, argc, argv, error)) return false;
 *	... the command runs; its span is current ...
 *	client_tracing_end(&t, &x, error);
 *
 * Spans of a build are sent to the daemon, which adds them to the record of the build. All spans are sent to the
 * collector that the environment names (OTEL_*). Other commands are traced only if there is one, or a trace that they
 * continue (TRACEPARENT). Thread: main.
 */
#pragma once
#include "command.h"
#include "otlp/exporter.h"

struct client_tracing {
	struct otlp_config config;
	tracer *tracer;          /* owned; NULL: not traced */
	otlp_exporter *exporter; /* owned; NULL: no collector */
	trace_scope scope;
	trace_span *root; /* owned */
	bool is_build;
	GMutex mu;
	GPtrArray *spans; /* for the daemon: struct trace_record * (refs); mu */
};
bool client_tracing_begin(struct client_tracing *t, struct context *x, const char *command, int argc, char *const *argv,
			  GError **error);
/* failure: of the command, NULL: none. */
void client_tracing_end(struct client_tracing *t, struct context *x, const GError *failure);
