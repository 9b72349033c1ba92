/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: sends spans to a collector of OpenTelemetry in batches, from a separate thread.
 *
 *	otlp_exporter *e = otlp_exporter_new(&config, loop, error);
 *	tracer_set_sink(t, otlp_exporter_add, e);
 *	...
 *	tracer_set_sink(t, NULL, NULL);
 *	otlp_exporter_free(e, 5000);                    sends what is queued, for at most 5 s
 *
 * otlp_exporter_add never blocks: spans that do not fit into the queue (OTEL_BSP_MAX_QUEUE_SIZE, 16 MiB) are dropped
 * and counted. A batch that the collector does not accept now is sent again within OTEL_BSP_EXPORT_TIMEOUT, and then
 * dropped. Failures are logged once a minute. Thread: any.
 */
#pragma once
#include "otlp/config.h"
#include "rpc/rpc.h"
#include "trace/tracer.h"

typedef struct otlp_exporter otlp_exporter;

/* config and loop are borrowed. config->endpoint is set. */
otlp_exporter *otlp_exporter_new(const struct otlp_config *config, rpc_loop *loop, GError **error);
void otlp_exporter_free(otlp_exporter *e, int timeout_ms); /* NULL is allowed */
/* A sink of a tracer; data is the exporter. */
void otlp_exporter_add(void *data, struct trace_record *r);

#define OTLP_EXPORT "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
/* Sends an encoded ExportTraceServiceRequest on any connection. */
bool otlp_export(rpc_conn *conn, const rpc_metadata *md, GBytes *message, int timeout_ms, cancel *c,
		 int64_t *ret_rejected, GError **error);

struct otlp_counts {
	uint64_t sent;     /* spans that the collector has accepted */
	uint64_t dropped;  /* spans that did not fit into the queue */
	uint64_t failed;   /* spans that the collector did not accept */
	uint64_t rejected; /* spans that it accepted only in part, as it reports */
};
void otlp_exporter_count(otlp_exporter *e, struct otlp_counts *ret);
