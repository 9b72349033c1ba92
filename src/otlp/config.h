/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the environment variables OTEL_* that configure the export of traces.
 *
 *	g_auto(otlp_config) config = {0};
 *	if (!otlp_config_read(getenv, &config, error)) return false;
 *	if (config.disabled) ...                        OTEL_SDK_DISABLED: nothing is traced
 *	if (config.endpoint) ...                        there is an exporter
 *
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/; the variables of traces have
 * precedence over the general ones. An exporter, protocol or number that is not supported is an error, unless
 * OTEL_IGNORE_ERROR is true: then nothing is exported. Thread: main, before others read it.
 */
#pragma once
#include "base/error.h"

enum otlp_protocol { OTLP_GRPC, OTLP_HTTP };

struct otlp_config {
	bool disabled;
	char *service;    /* OTEL_SERVICE_NAME; NULL: not set */
	char *attributes; /* OTEL_RESOURCE_ATTRIBUTES; NULL: not set */
	char *endpoint;   /* gRPC: "tcp://HOST:PORT" or "unix://PATH"; HTTP: a URL; NULL: no exporter */
	enum otlp_protocol protocol;
	bool tls;                             /* gRPC */
	GPtrArray *headers;                   /* char *: names and values in turn */
	char *ca_file, *cert_file, *key_file; /* NULL: not set */
	int timeout_ms;
	int64_t queue_spans, batch_spans, delay_ms, export_ms;
};
typedef struct otlp_config otlp_config;

bool otlp_config_read(char *(*get)(const char *name), struct otlp_config *ret, GError **error);
void otlp_config_clear(struct otlp_config *c);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(otlp_config, otlp_config_clear)
