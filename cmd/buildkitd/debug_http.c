/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_http.h"
#include "base/scope.h"
#include <dirent.h>
#include <gio/gio.h>
#include <string.h>

#define REQUEST_BYTES 8192
#define TIMEOUT_S 10

struct debug_http {
	GSocketListener *listener; /* owned */
	GCancellable *stop;        /* owned */
	GThread *thread;
	debug_counters_fn counters;
	void *data;
};

static int64_t count_entries(const char *path)
{
	int64_t n = 0;
	DIR *dir = opendir(path);
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static int64_t resident_kib(void)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
		return 0;
	const char *line = strstr(text, "VmRSS:");
	return line ? g_ascii_strtoll(line + strlen("VmRSS:"), NULL, 10) : 0;
}

static void each_counter(debug_http *h, void (*add)(void *to, const char *name, int64_t value), void *to)
{
	add(to, "threads", count_entries("/proc/self/task"));
	add(to, "open_files", count_entries("/proc/self/fd"));
	add(to, "resident_kib", resident_kib());
	h->counters(h->data, add, to);
}

static void add_json(void *to, const char *name, int64_t value)
{
	GString *out = to;
	g_string_append_printf(out, "%s\"%s\": %" G_GINT64_FORMAT, out->len > 2 ? ",\n" : "", name, value);
}

static void add_metric(void *to, const char *name, int64_t value)
{
	g_string_append_printf(to, "# TYPE buildkitd_%s gauge\nbuildkitd_%s %" G_GINT64_FORMAT "\n", name, name, value);
}

static void write_vars(debug_http *h, GString *out)
{
	g_string_append(out, "{\n");
	each_counter(h, add_json, out);
	g_string_append(out, "\n}\n");
}

static void write_metrics(debug_http *h, GString *out)
{
	each_counter(h, add_metric, out);
}

static void write_threads(debug_http *h, GString *out)
{
	DIR *dir = opendir("/proc/self/task");
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
		g_autofree char *path = g_build_filename("/proc/self/task", d->d_name, "comm", NULL);
		g_autofree char *name = NULL;
		if (d->d_name[0] != '.' && g_file_get_contents(path, &name, NULL, NULL))
			g_string_append_printf(out, "%s %s", d->d_name, name);
	}
	if (dir)
		closedir(dir);
}

static const struct page {
	const char *path, *type;
	void (*write)(debug_http *h, GString *out);
} pages[] = {
	{"/debug/vars", "application/json", write_vars},
	{"/metrics", "text/plain; version=0.0.4", write_metrics},
	{"/debug/threads", "text/plain", write_threads},
};

/* "GET /path HTTP/1.1": the path, cut at '?'. NULL for anything else. */
static char *requested_path(const char *request)
{
	if (!g_str_has_prefix(request, "GET "))
		return NULL;
	size_t n = strcspn(request + 4, " ?\r\n");
	return g_strndup(request + 4, n);
}

static void answer(debug_http *h, const char *request, GString *out)
{
	g_autofree char *path = requested_path(request);
	g_autoptr(GString) body = g_string_new(NULL);
	const struct page *page = NULL;
	for (size_t i = 0; path && i < G_N_ELEMENTS(pages); i++)
		if (strcmp(pages[i].path, path) == 0)
			page = &pages[i];
	if (page)
		page->write(h, body);
	else
		g_string_append(body, path ? "404 page not found\n" : "405 method not allowed\n");
	g_string_append_printf(out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
			       page ? "200 OK" : path ? "404 Not Found" : "405 Method Not Allowed",
			       page ? page->type : "text/plain", (size_t)body->len);
	g_string_append_len(out, body->str, (gssize)body->len);
}

static void serve(debug_http *h, GSocketConnection *connection)
{
	char request[REQUEST_BYTES + 1];
	size_t have = 0;
	GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
	g_socket_set_timeout(g_socket_connection_get_socket(connection), TIMEOUT_S);
	request[0] = '\0';
	while (have < REQUEST_BYTES && !strstr(request, "\r\n\r\n")) {
		gssize n = g_input_stream_read(in, request + have, REQUEST_BYTES - have, h->stop, NULL);
		if (n <= 0)
			return;
		have += (size_t)n;
		request[have] = '\0';
	}
	g_autoptr(GString) out = g_string_new(NULL);
	answer(h, request, out);
	g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), out->str, out->len, NULL, h->stop,
				  NULL);
}

static gpointer run(gpointer data)
{
	debug_http *h = data;
	while (!g_cancellable_is_cancelled(h->stop)) {
		g_autoptr(GSocketConnection) connection = g_socket_listener_accept(h->listener, NULL, h->stop, NULL);
		if (connection)
			serve(h, connection);
	}
	return NULL;
}

debug_http *debug_http_start(const char *address, debug_counters_fn counters, void *data, GError **error)
{
	const char *host_port = g_str_has_prefix(address, "tcp://") ? address + strlen("tcp://") : address;
	g_autoptr(GSocketConnectable) parsed = g_network_address_parse(host_port, 0, error);
	if (!parsed)
		return NULL;
	g_autoptr(GSocketAddressEnumerator) addresses = g_socket_connectable_enumerate(parsed);
	g_autoptr(GSocketAddress) socket_address = g_socket_address_enumerator_next(addresses, NULL, error);
	g_autoptr(GSocketListener) listener = g_socket_listener_new();
	if (!socket_address || !g_socket_listener_add_address(listener, socket_address, G_SOCKET_TYPE_STREAM,
							      G_SOCKET_PROTOCOL_TCP, NULL, NULL, error)) {
		g_prefix_error(error, "debug address %s: ", address);
		return NULL;
	}
	debug_http *h = g_new0(debug_http, 1);
	h->listener = g_steal_pointer(&listener);
	h->stop = g_cancellable_new();
	h->counters = counters;
	h->data = data;
	h->thread = g_thread_new("debug", run, h);
	return h;
}

void debug_http_stop(debug_http *h)
{
	if (!h)
		return;
	g_cancellable_cancel(h->stop);
	g_thread_join(h->thread);
	g_object_unref(h->listener);
	g_object_unref(h->stop);
	g_free(h);
}
