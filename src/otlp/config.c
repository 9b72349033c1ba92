/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/config.h"
#include "base/log.h"
#include <inttypes.h>
#include <string.h>

#define QUEUE_MAX 65536

typedef char *(*get_fn)(const char *name);

/* An empty variable counts as one that is not set. */
static const char *lookup(get_fn get, const char *name)
{
	const char *value = get(name);
	return value && *value ? value : NULL;
}

/* OTEL_EXPORTER_OTLP_TRACES_<name>, or the variable without TRACES_. */
static const char *lookup_otlp(get_fn get, const char *name)
{
	g_autofree char *own = g_strconcat("OTEL_EXPORTER_OTLP_TRACES_", name, NULL),
			*general = g_strconcat("OTEL_EXPORTER_OTLP_", name, NULL);
	const char *value = lookup(get, own);
	return value ? value : lookup(get, general);
}

static bool is_true(const char *value)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
	return value && g_strv_contains(yes, value);
}

/* Sets ret, which has the default, if the variable is set. */
static bool read_number(const char *name, const char *value, int64_t min, int64_t max, int64_t *ret, GError **error)
{
	gint64 number;
	if (!value)
		return true;
	if (!g_ascii_string_to_signed(value, 10, min, max, &number, NULL))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "%s: \"%s\" is not a number from %" PRId64 " to %" PRId64, name, value, min, max);
	*ret = number;
	return true;
}

static bool read_batches(get_fn get, struct otlp_config *c, GError **error)
{
	struct {
		const char *name;
		int64_t *ret;
		int64_t max;
	} rows[] = {{"OTEL_BSP_SCHEDULE_DELAY", &c->delay_ms, G_MAXINT},
		    {"OTEL_BSP_EXPORT_TIMEOUT", &c->export_ms, G_MAXINT},
		    {"OTEL_BSP_MAX_QUEUE_SIZE", &c->queue_spans, QUEUE_MAX},
		    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &c->batch_spans, QUEUE_MAX}};
	c->delay_ms = 5000;
	c->export_ms = 30000;
	c->queue_spans = 2048;
	c->batch_spans = 512;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (!read_number(rows[i].name, lookup(get, rows[i].name), 1, rows[i].max, rows[i].ret, error))
			return false;
	c->batch_spans = MIN(c->batch_spans, c->queue_spans);
	return true;
}

/* ---- "name=value,name=value", percent-encoded */

static bool is_header_text(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* A name that is not a token of HTTP, or that is ours, is an error. */
static bool read_header(struct otlp_config *c, char *pair, GError **error)
{
	char *equals = strchr(pair, '=');
	if (!equals)
		return error_set(error, ERROR_INVALID_ARGUMENT, "OTEL_EXPORTER_OTLP_HEADERS: \"%s\" has no value",
				 pair);
	*equals = 0;
	g_autofree char *name = g_ascii_strdown(g_strstrip(pair), -1);
	g_autofree char *value = g_uri_unescape_string(equals + 1, NULL);
	g_strstrip(value ? value : equals + 1);
	bool valid = *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == 0 && value &&
		     is_header_text(value) && !g_str_has_prefix(name, "grpc-");
	if (!valid)
		return error_set(error, ERROR_INVALID_ARGUMENT, "OTEL_EXPORTER_OTLP_HEADERS: invalid header \"%s\"",
				 name);
	g_ptr_array_add(c->headers, g_steal_pointer(&name));
	g_ptr_array_add(c->headers, g_steal_pointer(&value));
	return true;
}

static bool read_headers(get_fn get, struct otlp_config *c, GError **error)
{
	const char *text = lookup_otlp(get, "HEADERS");
	g_auto(GStrv) pairs = g_strsplit(text ? text : "", ",", -1);
	c->headers = g_ptr_array_new_with_free_func(g_free);
	for (char **p = pairs; *p; p++)
		if (*g_strstrip(*p) && !read_header(c, *p, error))
			return false;
	return true;
}

/* ---- endpoints */

static bool bad_endpoint(const char *endpoint, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "OTEL_EXPORTER_OTLP_ENDPOINT: \"%s\" is not an endpoint",
			 endpoint);
}

/* http and https with host and port, unix, or host and port alone. */
static bool read_grpc_endpoint(get_fn get, const char *text, struct otlp_config *c, GError **error)
{
	static const struct {
		const char *prefix;
		bool tls;
	} schemes[] = {{"http://", false}, {"https://", true}};
	if (g_str_has_prefix(text, "unix:")) {
		const char *path = text + strlen("unix:");
		path += g_str_has_prefix(path, "//") ? 2 : 0;
		c->endpoint = g_strconcat("unix://", path, NULL);
		return *path == '/' || bad_endpoint(text, error);
	}
	const char *rest = text;
	c->tls = !is_true(lookup_otlp(get, "INSECURE"));
	for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
		if (!g_str_has_prefix(text, schemes[i].prefix))
			continue;
		rest = text + strlen(schemes[i].prefix);
		c->tls = schemes[i].tls;
	}
	g_autofree char *host = g_strndup(rest, strcspn(rest, "/?#"));
	const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
	bool has_port = colon && (!bracket || colon > bracket);
	if (!*host || strchr(host, '@') || strstr(rest, "://"))
		return bad_endpoint(text, error);
	c->endpoint = g_strconcat("tcp://", host, has_port ? "" : ":4317", NULL);
	return true;
}

static bool read_http_endpoint(get_fn get, struct otlp_config *c, GError **error)
{
	const char *own = lookup(get, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
		   *general = lookup(get, "OTEL_EXPORTER_OTLP_ENDPOINT");
	const char *text = own ? own : general ? general : "http://localhost:4318";
	const char *host = g_str_has_prefix(text, "http://")    ? text + strlen("http://")
			   : g_str_has_prefix(text, "https://") ? text + strlen("https://")
								: NULL;
	if (!host || !*host || *host == '/' || strpbrk(text, "@ \t\r\n"))
		return bad_endpoint(text, error);
	if (own)
		c->endpoint = g_strconcat(own, strchr(host, '/') ? "" : "/", NULL);
	else
		c->endpoint = g_strconcat(text, g_str_has_suffix(text, "/") ? "" : "/", "v1/traces", NULL);
	return true;
}

static bool read_endpoint(get_fn get, struct otlp_config *c, GError **error)
{
	const char *protocol = lookup_otlp(get, "PROTOCOL"), *endpoint = lookup_otlp(get, "ENDPOINT");
	if (!protocol || strcmp(protocol, "grpc") == 0)
		return read_grpc_endpoint(get, endpoint ? endpoint : "http://localhost:4317", c, error);
	if (strcmp(protocol, "http/protobuf") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported otlp protocol %s", protocol);
	c->protocol = OTLP_HTTP;
	return read_http_endpoint(get, c, error);
}

/* ---- */

static bool read_exporter(get_fn get, struct otlp_config *c, GError **error)
{
	const char *exporter = lookup(get, "OTEL_TRACES_EXPORTER");
	int64_t timeout_ms = 10000;
	if (exporter && strcmp(exporter, "none") == 0)
		return true;
	if (exporter && strcmp(exporter, "otlp") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported opentelemetry exporter %s", exporter);
	if (!exporter && !lookup_otlp(get, "ENDPOINT"))
		return true;
	c->ca_file = g_strdup(lookup_otlp(get, "CERTIFICATE"));
	c->cert_file = g_strdup(lookup_otlp(get, "CLIENT_CERTIFICATE"));
	c->key_file = g_strdup(lookup_otlp(get, "CLIENT_KEY"));
	if (!read_headers(get, c, error) || !read_batches(get, c, error) ||
	    !read_number("OTEL_EXPORTER_OTLP_TIMEOUT", lookup_otlp(get, "TIMEOUT"), 1, G_MAXINT, &timeout_ms, error))
		return false;
	c->timeout_ms = (int)timeout_ms;
	return read_endpoint(get, c, error);
}

bool otlp_config_read(char *(*get)(const char *name), struct otlp_config *ret, GError **error)
{
	struct otlp_config c = {.disabled = is_true(lookup(get, "OTEL_SDK_DISABLED")),
				.service = g_strdup(lookup(get, "OTEL_SERVICE_NAME")),
				.attributes = g_strdup(lookup(get, "OTEL_RESOURCE_ATTRIBUTES"))};
	g_autoptr(GError) why = NULL;
	if (!c.disabled && !read_exporter(get, &c, &why)) {
		g_clear_pointer(&c.endpoint, g_free);
		if (!is_true(lookup(get, "OTEL_IGNORE_ERROR"))) {
			otlp_config_clear(&c);
			return error_propagate(error, g_steal_pointer(&why));
		}
		log_warn("traces are not exported: %s", why->message);
	}
	*ret = c;
	return true;
}

void otlp_config_clear(struct otlp_config *c)
{
	g_free(c->service);
	g_free(c->attributes);
	g_free(c->endpoint);
	g_clear_pointer(&c->headers, g_ptr_array_unref);
	g_free(c->ca_file);
	g_free(c->cert_file);
	g_free(c->key_file);
	*c = (struct otlp_config){0};
}
