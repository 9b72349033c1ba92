/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/service.h"
#include "otlp.pb-c.h"
#include "otlp/exporter.h"

static void add(void *data, struct trace_record *r)
{
	tracer_add(data, r);
}

static bool receive(rpc_call *call, void *data, GError **error)
{
	Otlp__ExportTraceServiceResponse reply = OTLP__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
	Otlp__ExportTracePartialSuccess partial = OTLP__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
	if (!data)
		return error_set(error, ERROR_UNAVAILABLE, "trace collector not configured");
	g_autoptr(GBytes) message = rpc_call_recv(call, error);
	if (!message || !trace_unpack(message, add, data, &partial.rejected_spans, error))
		return false;
	partial.error_message = (char *)(uintptr_t) "spans without valid ids, or of more than 64 KiB";
	if (partial.rejected_spans > 0)
		reply.partial_success = &partial;
	return rpc_call_send_message(call, &reply, error);
}

/* A stream method, because it reads the encoded message. */
static const struct rpc_method methods[] = {
	{OTLP_EXPORT, .request = &otlp__export_trace_service_request__descriptor, .stream = receive}};

void otlp_register(rpc_server *server, tracer *t)
{
	rpc_server_add(server, methods, G_N_ELEMENTS(methods), t);
}
