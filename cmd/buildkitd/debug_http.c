/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_http.h"
#include "base/secret.h"
#include "control/debug_text.h"
#include "control/pages.h"
#include "debug_access.h"
#include "debug_process.h"
#include "debug_server.h"
#include "timeline/page.h"
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

#define OK "200 OK"

struct debug_http {
	debug_server *server; /* owned */
	struct debug_source source;
	control_pages *builds; /* owned */
	debug_access *access;  /* owned */
	char *policy;          /* owned; of pages for a browser */
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

/* ---- pages that need the token */

static const char *write_stuck(debug_http *h, GString *out)
{
	control_debug_stuck(h->source.builder, out);
	return OK;
}

static const char *write_graph(debug_http *h, GString *out)
{
	control_debug_graph(h->source.builder, out);
	return OK;
}

static const char *write_cache(debug_http *h, GString *out)
{
	control_debug_cache(h->source.builder, out);
	return OK;
}

static const char *write_stacks(debug_http *h, GString *out)
{
	debug_process_threads(out);
	return OK;
}

static const char *write_memory(debug_http *h, GString *out)
{
	debug_process_memory(out);
	return OK;
}

static const char *write_files(debug_http *h, GString *out)
{
	debug_process_files(out);
	return OK;
}

static const char *write_index(debug_http *h, GString *out);

/* Writes the body and returns the status line's text. */
typedef const char *(*page_fn)(debug_http *h, GString *out);
static const struct page {
	const char *path, *type;
	page_fn write;
	bool guarded; /* needs the token on tcp */
	const char *text;
} pages[] = {
	{"/metrics", "text/plain; version=0.0.4", write_metrics, false, "metrics in Prometheus' text format"},
	{"/readyz", "text/plain", write_ready, false, "whether the daemon accepts builds"},
	{"/debug/vars", "application/json", write_vars, false, "the daemon's gauges as JSON"},
	{"/debug/threads", "text/plain", write_threads, false, "ids and names of the threads"},
	{"/debug", "text/plain", write_index, false, "this list"},
	{"/debug/stuck", "text/plain", write_stuck, true, "what each running build waits for"},
	{"/debug/graph", "text/plain", write_graph, true,
	 "vertices, edges, cache keys and work items of running builds"},
	{"/debug/cache", "text/plain", write_cache, true, "cache records"},
	{"/debug/stacks", "text/plain", write_stacks, true,
	 "threads: state, CPU time, system call, stack in the kernel"},
	{"/debug/memory", "text/plain", write_memory, true, "memory of malloc, and of all mappings"},
	{"/debug/fds", "text/plain", write_files, true, "open descriptors"},
};

static const char *write_index(debug_http *h, GString *out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pages); i++)
		g_string_append_printf(out, "%-16s %s%s\n", pages[i].path, pages[i].text,
				       pages[i].guarded ? " (with a token on tcp)" : "");
	g_string_append_printf(out, "%-16s builds, for a browser (with a token on tcp)\n", "/");
	return OK;
}

/* ---- answers */

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {{200, OK},
		    {303, "303 See Other"},
		    {400, "400 Bad Request"},
		    {401, "401 Unauthorized"},
		    {403, "403 Forbidden"},
		    {404, "404 Not Found"},
		    {405, "405 Method Not Allowed"}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "500 Internal Server Error";
}

static void put_answer(GString *out, const char *status, const char *type, const char *fields, const char *body,
		       size_t n)
{
	g_string_append_printf(out,
			       "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
			       status, type, n, fields);
	g_string_append_len(out, body, (gssize)n);
}

static void put_text(GString *out, int status, const char *text)
{
	put_answer(out, status_text(status), "text/plain", "", text, strlen(text));
}

/* Pages for a browser: they may load nothing but their own style and script, and no other site may embed or read them. */
static void put_page(debug_http *h, GString *out, const struct control_page *page, const char *more_fields)
{
	g_autofree char *fields = g_strdup_printf(
		"Content-Security-Policy: %s\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
		"Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
		"Cross-Origin-Opener-Policy: same-origin\r\nCache-Control: no-store\r\n%s%s%s%s",
		h->policy, page->filename ? "Content-Disposition: attachment; filename=\"" : "",
		page->filename ? page->filename : "", page->filename ? "\"\r\n" : "", more_fields);
	put_answer(out, status_text(page->status), page->type, fields, page->body, strlen(page->body));
}

static void put_message(debug_http *h, GString *out, int status, const char *title, const char *text, bool ask_token)
{
	struct control_page page = {.status = status,
				    .type = "text/html; charset=utf-8",
				    .body = timeline_page_message(title, text, ask_token)};
	put_page(h, out, &page, "");
	control_page_clear(&page);
}

static void refuse(debug_http *h, GString *out, enum debug_access_result result)
{
	if (result == DEBUG_ACCESS_HOST)
		put_message(h, out, 403, "Unknown host",
			    "Use an IP address, localhost or the host of the daemon's debug address.", false);
	else
		put_message(h, out, 401, "Token needed",
			    "The token is in the file debug-token of the daemon's state directory, e.g. "
			    "/var/lib/buildkit/debug-token.",
			    true);
}

/* The browser keeps a cookie, and the token leaves its address line. */
static void put_login(debug_http *h, GString *out, const char *path)
{
	g_autofree char *cookie = debug_access_cookie(h->access);
	g_autofree char *fields =
		g_strdup_printf("Location: %s\r\nSet-Cookie: %s\r\nCache-Control: no-store\r\n", path, cookie);
	put_answer(out, status_text(303), "text/plain", fields, "", 0);
}

/* body: of the form of the page that asks for the token. */
static void login(debug_http *h, GString *out, const struct http_request *r, const char *body)
{
	scoped_secret token = http_form_get(body, "token");
	if (debug_access_check(h->access, r) == DEBUG_ACCESS_HOST)
		refuse(h, out, DEBUG_ACCESS_HOST);
	else if (debug_access_is_token(h->access, token))
		put_login(h, out, "/");
	else
		refuse(h, out, DEBUG_ACCESS_TOKEN);
}

/* False: the request was answered here. */
static bool may_see(debug_http *h, GString *out, const struct http_request *r)
{
	enum debug_access_result result = debug_access_check(h->access, r);
	scoped_secret token = http_form_get(r->query, "token");
	if (result != DEBUG_ACCESS_HOST && debug_access_is_token(h->access, token))
		put_login(h, out, r->path);
	else if (result != DEBUG_ACCESS_OK)
		refuse(h, out, result);
	else
		return true;
	return false;
}

static void answer_build_page(debug_http *h, GString *out, const struct http_request *r)
{
	struct control_page page;
	if (!may_see(h, out, r))
		return;
	if (control_pages_get(h->builds, r->path, r->query, &page)) {
		put_page(h, out, &page, "");
		control_page_clear(&page);
	} else {
		put_text(out, 404, "404 page not found\n");
	}
}

static bool is_build_page(const char *path)
{
	return strcmp(path, "/") == 0 || strcmp(path, "/compare") == 0 || g_str_has_prefix(path, "/builds/");
}

static void answer(const struct http_request *r, const char *body, GString *out, void *data)
{
	debug_http *h = data;
	if (!r) {
		put_text(out, 400, "400 bad request\n");
		return;
	}
	if (strcmp(r->method, "POST") == 0 && strcmp(r->path, "/login") == 0) {
		login(h, out, r, body);
		return;
	}
	if (strcmp(r->method, "GET") != 0) {
		put_text(out, 405, "405 method not allowed\n");
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(pages); i++) {
		if (strcmp(pages[i].path, r->path) != 0)
			continue;
		if (pages[i].guarded && !may_see(h, out, r))
			return;
		g_autoptr(GString) text = g_string_new(NULL);
		const char *status = pages[i].write(h, text);
		put_answer(out, status, pages[i].type, "", text->str, text->len);
		return;
	}
	if (is_build_page(r->path))
		answer_build_page(h, out, r);
	else
		put_text(out, 404, "404 page not found\n");
}

static void debug_http_free(debug_http *h)
{
	control_pages_free(h->builds);
	debug_access_free(h->access);
	g_free(h->policy);
	g_free(h);
}

debug_http *debug_http_start(const char *address, const struct debug_source *shown, GError **error)
{
	debug_http *h = g_new0(debug_http, 1);
	h->source = *shown;
	h->builds = control_pages_new(shown->builder);
	h->policy = timeline_policy(true);
	h->access = debug_access_new(shown->root_fd, address, error);
	h->server = h->access ? debug_server_start(address, answer, h, error) : NULL;
	if (h->server)
		return h;
	debug_http_free(h);
	return NULL;
}

void debug_http_stop(debug_http *h)
{
	if (!h)
		return;
	debug_server_stop(h->server);
	debug_http_free(h);
}
