/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of calls, with the names and attributes of OpenTelemetry's conventions for gRPC, as upstream's:
 * https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
 */
#include "rpc/server.h"
#include "trace/tracer.h"

static bool is_quiet(const char *path)
{
	return g_str_has_suffix(path, "opentelemetry.proto.collector.trace.v1.TraceService/Export") ||
	       g_str_has_suffix(path, "Health/Check");
}

static void put_method(trace_span *s, const char *name, const char *address, int port)
{
	trace_put_text(s, "rpc.method", name);
	trace_put_text(s, "rpc.system.name", "grpc");
	trace_put_text(s, "server.address", address ? address : "localhost");
	if (port > 0)
		trace_put_int(s, "server.port", port);
}

void call_trace_server(rpc_call *call)
{
	tracer *t = call->conn->server->tracer;
	if (!t || is_quiet(call->path))
		return;
	const struct trace_headers headers = {
		.parent = rpc_metadata_get(call->in, "traceparent"),
		.state = rpc_metadata_get(call->in, "tracestate"),
		.baggage = rpc_metadata_get(call->in, "baggage"),
	};
	/* Without a client's trace, spans are read by an exporter, or by the record of a build. */
	bool recorded = g_strcmp0(call->path, call->conn->server->recorded_path) == 0;
	if (!recorded && !trace_has_parent(&headers) && !tracer_exports(t))
		return;
	call->span = trace_root(t, &headers, call->path + 1, TRACE_SERVER);
	put_method(call->span, call->path + 1, call->conn->peer.local, call->conn->peer.local_port);
}

void call_trace_client(rpc_call *call, const rpc_metadata **md, rpc_metadata **ret_owned)
{
	trace_span *parent = call->conn->traced ? trace_current() : NULL;
	if (!parent || is_quiet(call->path))
		return;
	call->span = trace_child(parent, call->path + 1, TRACE_CLIENT);
	put_method(call->span, call->path + 1, call->conn->traced, 0);
	rpc_metadata *all = rpc_metadata_new();
	for (guint i = 0; *md && i < (*md)->pairs->len; i++) {
		const struct metadata_pair *pair = &g_array_index((*md)->pairs, struct metadata_pair, i);
		metadata_add_bytes(all, pair->name, pair->value, pair->len);
	}
	g_autofree char *text = trace_parent_text(call->span);
	const char *state = trace_state_text(call->span), *baggage = trace_baggage_text(call->span);
	rpc_metadata_add(all, "traceparent", text);
	if (state)
		rpc_metadata_add(all, "tracestate", state);
	if (baggage)
		rpc_metadata_add(all, "baggage", baggage);
	*md = *ret_owned = all;
}

/* Of a server's answers, these count as its errors. */
static bool is_server_fault(enum error_code code)
{
	return code == ERROR_UNKNOWN || code == ERROR_DEADLINE_EXCEEDED || code == ERROR_UNIMPLEMENTED ||
	       code == ERROR_INTERNAL || code == ERROR_UNAVAILABLE || code == ERROR_DATA_LOSS;
}

/* "INVALID_ARGUMENT" of "InvalidArgument". */
static char *status_name(const GError *error)
{
	if (!error)
		return g_strdup("OK");
	if (error_is(error, ERROR_CANCELED))
		return g_strdup("CANCELLED");
	GString *name = g_string_new(NULL);
	for (const char *c = error_code_name(error_get_code(error)); *c; c++) {
		if (g_ascii_isupper(*c) && name->len > 0)
			g_string_append_c(name, '_');
		g_string_append_c(name, g_ascii_toupper(*c));
	}
	return g_string_free(name, FALSE);
}

void call_trace_end(rpc_call *call, const GError *error)
{
	if (!call->span)
		return;
	g_autofree char *status = status_name(error);
	trace_put_text(call->span, "rpc.response.status_code", status);
	if (error && (!call->is_server || is_server_fault(error_get_code(error))))
		trace_set_error(call->span, error->message);
	trace_end(call->span);
	g_clear_pointer(&call->span, trace_span_unref);
}

void rpc_server_set_tracer(rpc_server *s, tracer *t, const char *recorded_path)
{
	s->recorded_path = recorded_path;
	tracer_unref(s->tracer);
	s->tracer = t ? tracer_ref(t) : NULL;
}

void rpc_server_set_span(rpc_server *s, trace_span *span)
{
	trace_span_unref(s->span);
	s->span = trace_span_ref(span);
}

void rpc_conn_trace(rpc_conn *c, const char *address)
{
	g_mutex_lock(&c->mu);
	g_free(c->traced);
	c->traced = g_strdup(address);
	g_mutex_unlock(&c->mu);
}
