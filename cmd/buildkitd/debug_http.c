/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_http.h"
#include "debug_server.h"
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

#define OK "200 OK"

struct debug_http {
	debug_server *server; /* owned */
	struct debug_source source;
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
	h->source.counters(h->source.data, add, to);
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

static const char *write_vars(debug_http *h, GString *out)
{
	g_string_append(out, "{\n");
	each_counter(h, add_json, out);
	g_string_append(out, "\n}\n");
	return OK;
}

/* CPU time and limits of the process, with the names of Prometheus' client libraries. */
static void write_process(GString *out)
{
	struct rusage usage;
	struct rlimit files;
	char seconds[G_ASCII_DTOSTR_BUF_SIZE];
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		double used = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / G_USEC_PER_SEC;
		g_string_append_printf(out, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %s\n",
				       g_ascii_dtostr(seconds, sizeof seconds, used));
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		g_string_append_printf(out, "# TYPE process_max_fds gauge\nprocess_max_fds %llu\n",
				       (unsigned long long)files.rlim_cur);
	g_string_append_printf(
		out,
		"# TYPE process_open_fds gauge\nprocess_open_fds %" G_GINT64_FORMAT "\n"
		"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %" G_GINT64_FORMAT "\n",
		count_entries("/proc/self/fd"), resident_kib() * 1024);
}

static const char *write_metrics(debug_http *h, GString *out)
{
	each_counter(h, add_metric, out);
	write_process(out);
	h->source.metrics(h->source.data, out);
	return OK;
}

static const char *write_threads(debug_http *h, GString *out)
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
	return OK;
}

static const char *write_ready(debug_http *h, GString *out)
{
	bool ready = h->source.ready(h->source.data);
	g_string_append(out, ready ? "ok\n" : "stopping\n");
	return ready ? OK : "503 Service Unavailable";
}

/* Writes the body and returns the status line's text. */
typedef const char *(*page_fn)(debug_http *h, GString *out);
static const struct page {
	const char *path, *type;
	page_fn write;
} pages[] = {
	{"/debug/vars", "application/json", write_vars},
	{"/metrics", "text/plain; version=0.0.4", write_metrics},
	{"/debug/threads", "text/plain", write_threads},
	{"/readyz", "text/plain", write_ready},
};

static void answer(const char *request, GString *out, void *data)
{
	debug_http *h = data;
	/* The path of "GET /path HTTP/1.1" up to '?', or NULL for any other request. */
	bool get = g_str_has_prefix(request, "GET ");
	g_autofree char *path = get ? g_strndup(request + 4, strcspn(request + 4, " ?\r\n")) : NULL;
	g_autoptr(GString) body = g_string_new(NULL);
	const struct page *page = NULL;
	for (size_t i = 0; path && i < G_N_ELEMENTS(pages); i++)
		if (strcmp(pages[i].path, path) == 0)
			page = &pages[i];
	const char *status = page ? page->write(h, body) : path ? "404 Not Found" : "405 Method Not Allowed";
	if (!page)
		g_string_append(body, path ? "404 page not found\n" : "405 method not allowed\n");
	g_string_append_printf(out,
			       "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
			       status, page ? page->type : "text/plain", (size_t)body->len);
	g_string_append_len(out, body->str, (gssize)body->len);
}

debug_http *debug_http_start(const char *address, const struct debug_source *source, GError **error)
{
	debug_http *h = g_new0(debug_http, 1);
	h->source = *source;
	h->server = debug_server_start(address, answer, h, error);
	if (h->server)
		return h;
	g_free(h);
	return NULL;
}

void debug_http_stop(debug_http *h)
{
	if (!h)
		return;
	debug_server_stop(h->server);
	g_free(h);
}
