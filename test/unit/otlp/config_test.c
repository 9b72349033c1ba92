/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/config.h"
#include <string.h>

static const char *const *variables; /* names and values in turn, NULL-terminated */

static char *get(const char *name)
{
	for (const char *const *v = variables; *v; v += 2)
		if (strcmp(v[0], name) == 0)
			return (char *)(gsize)v[1];
	return NULL;
}

#define PREFIX "OTEL_EXPORTER_OTLP_"
#define T PREFIX "TRACES_"

static void test_endpoints(void)
{
	static const struct {
		const char *variables[9], *endpoint;
		enum otlp_protocol protocol;
		bool tls;
	} cases[] = {
		{{NULL}, NULL, OTLP_GRPC, false},
		{{"OTEL_TRACES_EXPORTER", "otlp", NULL}, "tcp://localhost:4317", OTLP_GRPC, false},
		{{"OTEL_TRACES_EXPORTER", "none", PREFIX "ENDPOINT", "http://c:1", NULL}, NULL, OTLP_GRPC, false},
		{{PREFIX "ENDPOINT", "http://c:1", NULL}, "tcp://c:1", OTLP_GRPC, false},
		{{PREFIX "ENDPOINT", "https://c", NULL}, "tcp://c:4317", OTLP_GRPC, true},
		{{PREFIX "ENDPOINT", "https://[::1]/x", NULL}, "tcp://[::1]:4317", OTLP_GRPC, true},
		{{PREFIX "ENDPOINT", "c:1", NULL}, "tcp://c:1", OTLP_GRPC, true},
		{{PREFIX "ENDPOINT", "c:1", PREFIX "INSECURE", "true", NULL}, "tcp://c:1", OTLP_GRPC, false},
		{{T "ENDPOINT", "unix:///run/x", NULL}, "unix:///run/x", OTLP_GRPC, false},
		{{T "ENDPOINT", "unix:/run/x", NULL}, "unix:///run/x", OTLP_GRPC, false},
		{{PREFIX "ENDPOINT", "http://a", T "ENDPOINT", "http://b", NULL}, "tcp://b:4317", OTLP_GRPC, false},
		{{PREFIX "ENDPOINT", "http://c:1", PREFIX "PROTOCOL", "http/protobuf", NULL},
		 "http://c:1/v1/traces",
		 OTLP_HTTP,
		 false},
		{{PREFIX "ENDPOINT", "http://c/p/", T "PROTOCOL", "http/protobuf", PREFIX "PROTOCOL", "grpc", NULL},
		 "http://c/p/v1/traces",
		 OTLP_HTTP,
		 false},
		{{T "ENDPOINT", "https://c/own", PREFIX "PROTOCOL", "http/protobuf", NULL},
		 "https://c/own",
		 OTLP_HTTP,
		 false},
		{{T "ENDPOINT", "https://c", PREFIX "PROTOCOL", "http/protobuf", NULL}, "https://c/", OTLP_HTTP, false},
		{{"OTEL_SDK_DISABLED", "true", PREFIX "ENDPOINT", "http://c:1", NULL}, NULL, OTLP_GRPC, false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(otlp_config) c = {0};
		g_autoptr(GError) error = NULL;
		variables = cases[i].variables;
		g_assert_true(otlp_config_read(get, &c, &error));
		g_assert_cmpstr(c.endpoint, ==, cases[i].endpoint);
		g_assert_cmpint(c.protocol, ==, cases[i].protocol);
		g_assert_cmpint(c.tls, ==, cases[i].tls);
	}
}

static void test_errors(void)
{
	static const struct {
		const char *variables[7], *text;
	} cases[] = {
		{{"OTEL_TRACES_EXPORTER", "jaeger", NULL}, "unsupported opentelemetry exporter jaeger"},
		{{PREFIX "ENDPOINT", "http://c", PREFIX "PROTOCOL", "http/json", NULL},
		 "unsupported otlp protocol http/json"},
		{{PREFIX "ENDPOINT", "ftp://c", PREFIX "PROTOCOL", "http/protobuf", NULL}, "is not an endpoint"},
		{{PREFIX "ENDPOINT", "ftp://c", NULL}, "is not an endpoint"},
		{{PREFIX "ENDPOINT", "http://u:p@c", NULL}, "is not an endpoint"},
		{{PREFIX "ENDPOINT", "http://", NULL}, "is not an endpoint"},
		{{PREFIX "ENDPOINT", "unix:x", NULL}, "is not an endpoint"},
		{{PREFIX "ENDPOINT", "http://c", PREFIX "HEADERS", "a", NULL}, "has no value"},
		{{PREFIX "ENDPOINT", "http://c", PREFIX "HEADERS", "a b=c", NULL}, "invalid header"},
		{{PREFIX "ENDPOINT", "http://c", PREFIX "HEADERS", "a=b%0d%0ac", NULL}, "invalid header"},
		{{PREFIX "ENDPOINT", "http://c", PREFIX "TIMEOUT", "0", NULL}, "OTEL_EXPORTER_OTLP_TIMEOUT"},
		{{PREFIX "ENDPOINT", "http://c", "OTEL_BSP_MAX_QUEUE_SIZE", "99999999", NULL},
		 "OTEL_BSP_MAX_QUEUE_SIZE"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(otlp_config) c = {0};
		g_autoptr(GError) error = NULL;
		variables = cases[i].variables;
		g_assert_false(otlp_config_read(get, &c, &error));
		g_assert_nonnull(strstr(error->message, cases[i].text));
	}
	static const char *const ignored[] = {"OTEL_TRACES_EXPORTER", "x", "OTEL_IGNORE_ERROR", "1", NULL};
	g_auto(otlp_config) c = {0};
	variables = ignored;
	g_assert_true(otlp_config_read(get, &c, NULL));
	g_assert_null(c.endpoint);
}

static void test_values(void)
{
	static const char *const all[] = {PREFIX "ENDPOINT",
					  "http://c",
					  PREFIX "HEADERS",
					  "Authorization=Bearer%20x , b=1,",
					  T "TIMEOUT",
					  "250",
					  PREFIX "TIMEOUT",
					  "9",
					  PREFIX "CERTIFICATE",
					  "/ca",
					  "OTEL_SERVICE_NAME",
					  "svc",
					  "OTEL_RESOURCE_ATTRIBUTES",
					  "a=b",
					  "OTEL_BSP_SCHEDULE_DELAY",
					  "7",
					  "OTEL_BSP_MAX_QUEUE_SIZE",
					  "10",
					  NULL};
	g_auto(otlp_config) c = {0};
	variables = all;
	g_assert_true(otlp_config_read(get, &c, NULL));
	static const char *const headers[] = {"authorization", "Bearer x", "b", "1"};
	g_assert_cmpuint(c.headers->len, ==, G_N_ELEMENTS(headers));
	for (size_t i = 0; i < G_N_ELEMENTS(headers); i++)
		g_assert_cmpstr(c.headers->pdata[i], ==, headers[i]);
	g_assert_cmpint(c.timeout_ms, ==, 250);
	g_assert_cmpstr(c.ca_file, ==, "/ca");
	g_assert_cmpstr(c.service, ==, "svc");
	g_assert_cmpint(c.delay_ms, ==, 7);
	g_assert_cmpint(c.queue_spans, ==, 10);
	g_assert_cmpint(c.batch_spans, ==, 10); /* no more than the queue */
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/endpoints", test_endpoints);
	g_test_add_func("/config/errors", test_errors);
	g_test_add_func("/config/values", test_values);
	return g_test_run();
}
