/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracing: the daemon's tracer, its exporter (OTEL_*), and the trace service for steps.
 *
 *	if (!tracing_open(&t, config, loop, root_fd, error)) ...       then t.tracer, t.socket_fd for the executor
 *	tracing_close(&t);                                             after all builds: sends what is queued
 *
 * Thread: main; the members are immutable after open.
 */
#pragma once
#include "config.h"
#include "otlp/exporter.h"

struct tracing {
	struct otlp_config config;
	tracer *tracer;          /* owned; NULL: OTEL_SDK_DISABLED */
	otlp_exporter *exporter; /* owned; NULL: none is configured */
	rpc_server *server;      /* owned; for steps */
	int socket_fd;           /* owned; its socket file; 0: none */
};
bool tracing_open(struct tracing *t, const struct config *config, rpc_loop *loop, int root_fd, GError **error);
/* Ends the service for steps; clients' spans are still accepted. */
void tracing_stop_server(struct tracing *t);
void tracing_close(struct tracing *t);
/* Appends the counters of traces in the format of Prometheus. */
void tracing_write_metrics(const struct tracing *t, GString *out);
