/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/sender.h"
#include "api/message.h"
#include "os/ca_roots.h"
#include "otlp.pb-c.h"
#include "otlp/exporter.h"
#include "registry/transport.h"
#include <openssl/x509.h>
#include <string.h>

struct otlp_sender {
	const struct otlp_config *config; /* borrowed */
	rpc_loop *loop;                   /* borrowed */
	rpc_conn *conn;                   /* gRPC; owned; NULL: not connected */
	rpc_metadata *metadata;           /* gRPC; owned */
	transport *transport;             /* HTTP; owned */
	GPtrArray *headers;               /* HTTP; owned: "Name: value", NULL-terminated */
	struct transport_tls tls;
};

static bool read_reply(GBytes *reply, int64_t *ret_rejected, GError **error)
{
	Otlp__ExportTraceServiceResponse *m =
		message_unpack(&otlp__export_trace_service_response__descriptor, reply, error);
	if (!m)
		return false;
	*ret_rejected = m->partial_success ? MAX(m->partial_success->rejected_spans, 0) : 0;
	guard_free(m);
	return true;
}

/* ---- gRPC */

bool otlp_export(rpc_conn *conn, const rpc_metadata *md, GBytes *message, int timeout_ms, cancel *c,
		 int64_t *ret_rejected, GError **error)
{
	gsize n = 0;
	const void *bytes = g_bytes_get_data(message, &n);
	g_autoptr(rpc_call) call = rpc_call_start(conn, OTLP_EXPORT, md, c, timeout_ms, error);
	if (!call || !rpc_call_send(call, bytes, n, error) || !rpc_call_close_send(call, error))
		return false;
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) reply = rpc_call_recv(call, &why);
	if (why)
		return error_propagate(error, g_steal_pointer(&why));
	return rpc_call_finish(call, error) && (!reply || read_reply(reply, ret_rejected, error));
}

static bool grpc_connect(otlp_sender *s, cancel *c, GError **error)
{
	const struct otlp_config *config = s->config;
	const struct rpc_tls tls = {.ca_file = config->ca_file ? config->ca_file : "",
				    .cert_file = config->cert_file ? config->cert_file : "",
				    .key_file = config->key_file ? config->key_file : "",
				    .server_name = ""};
	const struct rpc_dial_options options = {.tls = config->tls ? &tls : NULL, .timeout_ms = config->timeout_ms};
	if (s->conn && cancel_is_set(rpc_conn_closed(s->conn)))
		g_clear_pointer(&s->conn, rpc_conn_unref);
	if (!s->conn)
		s->conn = rpc_connect(s->loop, config->endpoint, &options, c, error);
	return s->conn;
}

/* https://opentelemetry.io/docs/specs/otlp/#failures */
static bool grpc_is_temporary(const GError *error)
{
	static const enum error_code codes[] = {ERROR_CANCELED,     ERROR_DEADLINE_EXCEEDED, ERROR_ABORTED,
						ERROR_OUT_OF_RANGE, ERROR_UNAVAILABLE,       ERROR_DATA_LOSS};
	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
		if (error_is(error, codes[i]))
			return true;
	return false;
}

static bool grpc_send(otlp_sender *s, GBytes *message, cancel *c, int64_t *ret_rejected, bool *ret_again,
		      GError **error)
{
	g_autoptr(GError) why = NULL;
	if (grpc_connect(s, c, &why) &&
	    otlp_export(s->conn, s->metadata, message, s->config->timeout_ms, c, ret_rejected, &why))
		return true;
	*ret_again = grpc_is_temporary(why);
	g_clear_pointer(&s->conn, rpc_conn_unref); /* a server that does not answer may be another one next time */
	return error_propagate(error, g_steal_pointer(&why));
}

/* ---- HTTP */

static bool http_open(otlp_sender *s, GError **error)
{
	const struct otlp_config *c = s->config;
	const char *const files[] = {c->ca_file, NULL};
	s->transport = transport_new();
	s->headers = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(s->headers, g_strdup("Content-Type: application/x-protobuf"));
	for (guint i = 0; i + 1 < c->headers->len; i += 2)
		g_ptr_array_add(s->headers, g_strdup_printf("%s: %s", (const char *)c->headers->pdata[i],
							    (const char *)c->headers->pdata[i + 1]));
	g_ptr_array_add(s->headers, NULL);
	s->tls.cert_file = c->cert_file;
	s->tls.key_file = c->key_file;
	return !c->ca_file || (s->tls.roots = ca_roots_with(files, error));
}

static bool http_send(otlp_sender *s, GBytes *message, cancel *c, int64_t *ret_rejected, bool *ret_again,
		      GError **error)
{
	gsize n = 0;
	const void *bytes = g_bytes_get_data(message, &n);
	const struct transport_request q = {
		.method = "POST",
		.url = s->config->endpoint,
		.headers = (const char *const *)s->headers->pdata,
		.body = bytes,
		.body_size = (int64_t)n,
		.timeout_ms = s->config->timeout_ms,
		.body_max = 64 * 1024,
		.tls = &s->tls,
	};
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure = TRANSPORT_OK;
	if (!transport_do(s->transport, &q, c, &reply, &failure, error)) {
		*ret_again = failure != TRANSPORT_TLS && failure != TRANSPORT_OTHER;
		return false;
	}
	if (reply.status / 100 == 2) {
		g_autoptr(GBytes) body =
			reply.body ? g_bytes_new(reply.body->data, reply.body->len) : g_bytes_new(NULL, 0);
		read_reply(body, ret_rejected, NULL); /* informative */
		return true;
	}
	*ret_again = reply.status == 429 || reply.status == 502 || reply.status == 503 || reply.status == 504;
	return error_set(error, ERROR_UNKNOWN, "%s: HTTP status %d", s->config->endpoint, reply.status);
}

/* ---- */

otlp_sender *otlp_sender_new(const struct otlp_config *config, rpc_loop *loop, GError **error)
{
	otlp_sender *s = g_new0(otlp_sender, 1);
	s->config = config;
	s->loop = loop;
	if (config->protocol == OTLP_HTTP) {
		if (http_open(s, error))
			return s;
		otlp_sender_free(s);
		return NULL;
	}
	s->metadata = rpc_metadata_new();
	for (guint i = 0; i + 1 < config->headers->len; i += 2)
		rpc_metadata_add(s->metadata, config->headers->pdata[i], config->headers->pdata[i + 1]);
	return s;
}

void otlp_sender_free(otlp_sender *s)
{
	if (!s)
		return;
	g_clear_pointer(&s->conn, rpc_conn_unref);
	rpc_metadata_free(s->metadata);
	g_clear_pointer(&s->transport, transport_free);
	g_clear_pointer(&s->headers, g_ptr_array_unref);
	X509_STORE_free(s->tls.roots);
	g_free(s);
}

bool otlp_sender_send(otlp_sender *s, GBytes *message, cancel *c, int64_t *ret_rejected, bool *ret_again,
		      GError **error)
{
	*ret_rejected = 0;
	*ret_again = false;
	return s->config->protocol == OTLP_HTTP ? http_send(s, message, c, ret_rejected, ret_again, error)
						: grpc_send(s, message, c, ret_rejected, ret_again, error);
}
