/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_http.h"
#include "base/scope.h"
#include "base/thread.h"
#include "rpc/bind.h"
#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define REQUEST_BYTES 8192
#define TIMEOUT_MS 10000
#define ACCEPT_RETRY_MS 100
#define OK "200 OK"

struct debug_http {
	struct bound bound; /* owned */
	int stop;           /* owned; becomes readable when the server is stopped */
	GThread *thread;
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

static void answer(debug_http *h, const char *request, GString *out)
{
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

/* Returns false when the server is stopped, or after TIMEOUT_MS without an event. */
static bool wait_for(debug_http *h, int fd, short events, int timeout_ms)
{
	struct pollfd wait[] = {{.fd = fd, .events = events}, {.fd = h->stop, .events = POLLIN}};
	int n;
	do
		n = poll(wait, G_N_ELEMENTS(wait), timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0 && wait[1].revents == 0;
}

static bool write_all(debug_http *h, int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EAGAIN && wait_for(h, fd, POLLOUT, TIMEOUT_MS))
			continue;
		if (done < 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return true;
}

static void serve(debug_http *h, int fd)
{
	char request[REQUEST_BYTES + 1];
	size_t have = 0;
	request[0] = '\0';
	while (have < REQUEST_BYTES && !strstr(request, "\r\n\r\n")) {
		ssize_t n =
			wait_for(h, fd, POLLIN, TIMEOUT_MS) ? recv(fd, request + have, REQUEST_BYTES - have, 0) : -1;
		if (n <= 0)
			return;
		have += (size_t)n;
		request[have] = '\0';
	}
	g_autoptr(GString) out = g_string_new(NULL);
	answer(h, request, out);
	write_all(h, fd, out->str, out->len);
}

static gpointer run(gpointer data)
{
	debug_http *h = data;
	while (wait_for(h, h->bound.fd, POLLIN, -1)) {
		scoped_fd fd = accept4(h->bound.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			serve(h, fd);
		else /* no descriptor is free: the connection stays in the backlog; retry */
			wait_for(h, -1, 0, ACCEPT_RETRY_MS);
	}
	return NULL;
}

static void debug_http_free(debug_http *h)
{
	bound_clear(&h->bound);
	fd_close(&h->stop);
	g_free(h);
}

debug_http *debug_http_start(const char *address, const struct debug_source *source, GError **error)
{
	g_autofree char *full = strstr(address, "://") ? g_strdup(address) : g_strconcat("tcp://", address, NULL);
	debug_http *h = g_new0(debug_http, 1);
	h->stop = -1;
	h->source = *source;
	if (bind_address(full, NULL, &h->bound, error) && (h->stop = eventfd(0, EFD_CLOEXEC)) < 0)
		error_set_errno(error, errno, "eventfd");
	if (h->stop >= 0)
		h->thread = thread_start("debug", run, h, error);
	if (h->thread)
		return h;
	g_prefix_error(error, "debug address %s: ", address);
	debug_http_free(h);
	return NULL;
}

void debug_http_stop(debug_http *h)
{
	if (!h)
		return;
	eventfd_write(h->stop, 1);
	g_thread_join(h->thread);
	debug_http_free(h);
}
