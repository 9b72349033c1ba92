/* SPDX-License-Identifier: Apache-2.0 */
#include "tracing.h"
#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 2048
#define EXPORT_MS 2000

static void sink(void *data, struct trace_record *r)
{
	struct client_tracing *t = data;
	if (t->exporter)
		otlp_exporter_add(t->exporter, r);
	g_mutex_lock(&t->mu);
	if (t->is_build && t->spans->len < SPANS_MAX)
		g_ptr_array_add(t->spans, trace_record_ref(r));
	g_mutex_unlock(&t->mu);
}

/* ---- the attribute "command" */

/* Arguments may contain tokens and passwords; the values of these keys are shown. */
static bool is_harmless(const char *key, size_t n)
{
	static const char *const keys[] = {"context", "dest",     "dockerfile", "filename", "id",  "mode",
					   "name",    "no-cache", "platform",   "push",     "ref", "src",
					   "tar",     "target",   "type",       NULL};
	g_autofree char *name = g_strndup(key, n);
	return g_strv_contains(keys, name);
}

/* "KEY=VALUE,KEY=VALUE" with the values of other keys masked. */
static char *masked(const char *argument)
{
	g_auto(GStrv) fields = g_strsplit(argument, ",", -1);
	for (char **f = fields; *f; f++) {
		size_t option = strspn(*f, "-");
		const char *equals = strchr(*f, '=');
		const char *key = *f + option;
		bool is_option = option > 0 && equals; /* --opt=KEY=VALUE */
		const char *second = is_option ? strchr(equals + 1, '=') : equals;
		if (!second)
			continue;
		key = is_option ? equals + 1 : key;
		if (is_harmless(key, (size_t)(second - key)))
			continue;
		char *text = g_strdup_printf("%.*s=xxxxx", (int)(second - *f), *f);
		g_free(*f);
		*f = text;
	}
	return g_strjoinv(",", fields);
}

static void put_command(trace_span *s, int argc, char *const *argv)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	for (int i = 0; i < argc; i++)
		g_ptr_array_add(words, masked(argv[i]));
	g_ptr_array_add(words, NULL);
	trace_put_texts(s, "command", (const char *const *)words->pdata);
}

/* ---- */

bool client_tracing_begin(struct client_tracing *t, struct context *x, const char *command, int argc, char *const *argv,
			  GError **error)
{
	const struct trace_headers headers = {.parent = getenv("TRACEPARENT"), .state = getenv("TRACESTATE")};
	*t = (struct client_tracing){.is_build = strcmp(command, "build") == 0 || strcmp(command, "b") == 0};
	g_mutex_init(&t->mu);
	if (!otlp_config_read(getenv, &t->config, error))
		return false;
	if (t->config.disabled || !(t->is_build || t->config.endpoint || trace_has_parent(&headers)))
		return true;
	t->tracer = tracer_new(t->config.service ? t->config.service : "buildctl", t->config.attributes);
	t->spans = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	if (t->config.endpoint && !(t->exporter = otlp_exporter_new(&t->config, x->loop, error)))
		return false;
	tracer_set_sink(t->tracer, sink, t);
	t->root = trace_root(t->tracer, &headers, t->is_build ? "build" : command, TRACE_INTERNAL);
	put_command(t->root, argc, argv);
	t->scope = trace_scope_enter(t->root);
	return true;
}

/* The daemon may have ended, or be an older one without the service: nothing depends on it. */
static void send_to_daemon(struct client_tracing *t, struct context *x)
{
	int64_t rejected = 0;
	g_autoptr(GBytes) message = trace_pack(t->spans, 0, t->spans->len);
	if (t->spans->len > 0)
		otlp_export(x->conn, NULL, message, EXPORT_MS, NULL, &rejected, NULL);
}

void client_tracing_end(struct client_tracing *t, struct context *x, const GError *failure)
{
	trace_scope_end(&t->scope);
	if (t->root) {
		if (failure)
			trace_set_error(t->root, failure->message);
		else
			trace_set_ok(t->root);
		trace_end(t->root);
	}
	if (t->tracer)
		tracer_set_sink(t->tracer, NULL, NULL);
	if (t->is_build && t->spans && x->conn)
		send_to_daemon(t, x);
	otlp_exporter_free(t->exporter, EXPORT_MS);
	trace_span_unref(t->root);
	tracer_unref(t->tracer);
	g_clear_pointer(&t->spans, g_ptr_array_unref);
	otlp_config_clear(&t->config);
	g_mutex_clear(&t->mu);
}
