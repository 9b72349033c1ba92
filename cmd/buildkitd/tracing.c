/* SPDX-License-Identifier: Apache-2.0 */
#include "tracing.h"
#include "base/log.h"
#include "base/scope.h"
#include "otlp/service.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#define FLUSH_MS 5000

/*
 * Steps of any user may connect: they see the socket where it is mounted. By default it is a file of the state directory,
 * because a fixed path would be used by only one daemon of a machine; the path is short, whatever that of the directory.
 */
static bool open_server(struct tracing *t, const char *path, rpc_loop *loop, int root_fd, GError **error)
{
	const struct rpc_listen_options options = {.socket_mode = 0666, .uid = geteuid(), .gid = getegid()};
	g_autofree char *file = *path ? g_strdup(path) : g_strdup_printf("/proc/self/fd/%d/otel-grpc.sock", root_fd);
	g_autofree char *address = g_strconcat("unix://", file, NULL);
	t->server = rpc_server_new(loop);
	otlp_register(t->server, t->tracer);
	if (!rpc_server_listen(t->server, address, &options, error))
		return error_prefix(error, "otel.socketPath: ");
	t->socket_fd = open(file, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return t->socket_fd > 0 || error_set_errno(error, errno, "otel.socketPath: open %s", file);
}

bool tracing_open(struct tracing *t, const struct config *config, rpc_loop *loop, int root_fd, GError **error)
{
	*t = (struct tracing){0};
	if (!otlp_config_read(getenv, &t->config, error) || t->config.disabled)
		return t->config.disabled;
	t->tracer = tracer_new(t->config.service ? t->config.service : "buildkitd", t->config.attributes);
	tracer_keep(t->tracer);
	if (t->config.endpoint && !(t->exporter = otlp_exporter_new(&t->config, loop, error)))
		return error_prefix(error, "export traces: ");
	if (t->exporter) {
		tracer_set_sink(t->tracer, otlp_exporter_add, t->exporter);
		log_info("exporting traces to %s", t->config.endpoint);
	}
	return open_server(t, config->otel_socket, loop, root_fd, error);
}

void tracing_stop_server(struct tracing *t)
{
	g_clear_pointer(&t->server, rpc_server_free);
	if (t->socket_fd > 0)
		close(t->socket_fd);
	t->socket_fd = 0;
}

void tracing_close(struct tracing *t)
{
	tracing_stop_server(t);
	if (t->tracer)
		tracer_set_sink(t->tracer, NULL, NULL);
	otlp_exporter_free(t->exporter, FLUSH_MS);
	g_clear_pointer(&t->tracer, tracer_unref);
	otlp_config_clear(&t->config);
	t->exporter = NULL;
}

static void put(GString *out, const char *name, const char *help, uint64_t value)
{
	g_string_append_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %" PRIu64 "\n", name, help, name, name, value);
}

void tracing_write_metrics(const struct tracing *t, GString *out)
{
	struct trace_counts spans = {0};
	struct otlp_counts sent = {0};
	if (!t->tracer)
		return;
	tracer_count(t->tracer, &spans);
	if (t->exporter)
		otlp_exporter_count(t->exporter, &sent);
	put(out, "buildkit_trace_spans_total", "Spans of the daemon.", spans.ended);
	put(out, "buildkit_trace_received_spans_total", "Spans that clients and steps sent.", spans.foreign);
	put(out, "buildkit_trace_unrecorded_spans_total", "Spans left out of build records, which are limited.",
	    spans.dropped);
	put(out, "buildkit_trace_exported_spans_total", "Spans that the collector accepted.", sent.sent);
	put(out, "buildkit_trace_dropped_spans_total", "Spans that did not fit into the queue of the exporter.",
	    sent.dropped);
	put(out, "buildkit_trace_failed_spans_total", "Spans that the collector did not accept.",
	    sent.failed + sent.rejected);
}
