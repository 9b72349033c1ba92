/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service: opentelemetry.proto.collector.trace.v1.TraceService: accepts spans of clients and steps.
 *
 *	otlp_register(server, t);
 *
 * The tracer, which is borrowed for the server's life, passes them to the exporter and keeps them for the records of
 * builds; it may be NULL: then Export is refused. Thread: handlers run on any.
 */
#pragma once
#include "rpc/rpc.h"
#include "trace/tracer.h"

void otlp_register(rpc_server *server, tracer *t);
