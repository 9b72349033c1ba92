/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: a small HTTP/1.1 server on the loopback for tests; the handler decides, every request is logged.
 *
 *	struct server *s = server_start(handler, data);        s->port, s->address ("127.0.0.1:port")
 *	... server_log(s) gives "GET /v2/..." lines ...
 *	server_stop(s);
 *
 * Thread: the handler runs on threads of its own, one a connection, under the server's lock.
 */
#pragma once
#include <gio/gio.h>
#include <string.h>

struct server_request {
	char *method, *path, *query; /* query "" when none */
	GHashTable *headers;         /* lower-case names */
	GByteArray *body;
};
struct server_reply {
	int status;
	GString *headers; /* "Name: value\r\n" lines */
	GByteArray *body;
	gssize cut; /* send only so many bytes of the body, then close; -1: all */
};
struct server;
typedef void (*server_handler)(struct server *s, const struct server_request *q, struct server_reply *r, void *data);
struct server {
	GSocketService *service;
	GThread *thread;
	GMainContext *context;
	gint stopping;
	GMutex mu;
	GPtrArray *log; /* "METHOD path?query" */
	server_handler handler;
	void *data;
	guint16 port;
	char address[32];
};

static inline const char *server_header(const struct server_request *q, const char *name)
{
	return g_hash_table_lookup(q->headers, name);
}

static inline void server_reply_header(struct server_reply *r, const char *name, const char *value)
{
	g_string_append_printf(r->headers, "%s: %s\r\n", name, value);
}

static inline void server_reply_text(struct server_reply *r, int status, const char *text)
{
	r->status = status;
	g_byte_array_append(r->body, (const guint8 *)text, (guint)strlen(text));
}

static inline gboolean server_read_request(GDataInputStream *in, struct server_request *q)
{
	g_autofree char *line = g_data_input_stream_read_line(in, NULL, NULL, NULL);
	if (!line)
		return FALSE;
	g_strchomp(line);
	g_auto(GStrv) words = g_strsplit(line, " ", 3);
	if (g_strv_length(words) < 2)
		return FALSE;
	const char *mark = strchr(words[1], '?');
	q->method = g_strdup(words[0]);
	q->path = mark ? g_strndup(words[1], (gsize)(mark - words[1])) : g_strdup(words[1]);
	q->query = g_strdup(mark ? mark + 1 : "");
	q->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	q->body = g_byte_array_new();
	for (;;) {
		g_autofree char *header = g_data_input_stream_read_line(in, NULL, NULL, NULL);
		if (!header)
			return FALSE;
		g_strchomp(header);
		if (!*header)
			break;
		char *colon = strchr(header, ':');
		if (!colon)
			continue;
		*colon = '\0';
		g_hash_table_replace(q->headers, g_ascii_strdown(header, -1), g_strstrip(g_strdup(colon + 1)));
	}
	const char *length = server_header(q, "content-length");
	gsize n = length ? (gsize)g_ascii_strtoull(length, NULL, 10) : 0, got = 0;
	g_byte_array_set_size(q->body, (guint)n);
	return n == 0 || (g_input_stream_read_all(G_INPUT_STREAM(in), q->body->data, n, &got, NULL, NULL) && got == n);
}

static inline void server_request_clear(struct server_request *q)
{
	g_free(q->method);
	g_free(q->path);
	g_free(q->query);
	g_clear_pointer(&q->headers, g_hash_table_unref);
	g_clear_pointer(&q->body, g_byte_array_unref);
}

static inline gboolean server_answer(struct server *s, GOutputStream *out, const struct server_request *q)
{
	struct server_reply r = {.status = 200, .headers = g_string_new(NULL), .body = g_byte_array_new(), .cut = -1};
	g_mutex_lock(&s->mu);
	g_ptr_array_add(s->log, g_strconcat(q->method, " ", q->path, *q->query ? "?" : "", q->query, NULL));
	s->handler(s, q, &r, s->data);
	g_mutex_unlock(&s->mu);
	gboolean has_length = strstr(r.headers->str, "Content-Length:") != NULL;
	g_autofree char *length = has_length ? g_strdup("") : g_strdup_printf("Content-Length: %u\r\n", r.body->len);
	g_autofree char *head = g_strdup_printf("HTTP/1.1 %d %s\r\n%s%s\r\n", r.status,
						r.status == 200   ? "OK"
						: r.status == 401 ? "Unauthorized"
						: r.status == 404 ? "Not Found"
						: r.status == 403 ? "Forbidden"
								  : "Status",
						r.headers->str, length);
	gboolean is_head = g_str_equal(q->method, "HEAD");
	gsize n = is_head ? 0 : r.cut >= 0 ? MIN((gsize)r.cut, r.body->len) : r.body->len;
	gboolean keep = g_output_stream_write_all(out, head, strlen(head), NULL, NULL, NULL) &&
			g_output_stream_write_all(out, r.body->data, n, NULL, NULL, NULL) && r.cut < 0;
	g_string_free(r.headers, TRUE);
	g_byte_array_unref(r.body);
	return keep;
}

static inline gboolean server_run(GThreadedSocketService *service, GSocketConnection *c, GObject *source, gpointer data)
{
	struct server *s = data;
	g_autoptr(GDataInputStream) in = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(c)));
	g_data_input_stream_set_newline_type(in, G_DATA_STREAM_NEWLINE_TYPE_LF);
	for (gboolean keep = TRUE; keep;) {
		struct server_request q = {0};
		keep = server_read_request(in, &q) &&
		       server_answer(s, g_io_stream_get_output_stream(G_IO_STREAM(c)), &q);
		server_request_clear(&q);
	}
	g_io_stream_close(G_IO_STREAM(c), NULL, NULL);
	return TRUE;
}

static inline gpointer server_loop(gpointer data)
{
	struct server *s = data;
	g_main_context_push_thread_default(s->context);
	while (!g_atomic_int_get(&s->stopping))
		g_main_context_iteration(s->context, TRUE);
	g_main_context_pop_thread_default(s->context);
	return NULL;
}

static inline struct server *server_start(server_handler handler, void *data)
{
	struct server *s = g_new0(struct server, 1);
	s->handler = handler;
	s->data = data;
	s->log = g_ptr_array_new_with_free_func(g_free);
	g_mutex_init(&s->mu);
	s->context = g_main_context_new();
	g_main_context_push_thread_default(s->context);
	s->service = g_threaded_socket_service_new(64);
	g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
	g_autoptr(GSocketAddress) any = g_inet_socket_address_new(loopback, 0);
	GSocketAddress *bound = NULL;
	gboolean ok = g_socket_listener_add_address(G_SOCKET_LISTENER(s->service), any, G_SOCKET_TYPE_STREAM,
						    G_SOCKET_PROTOCOL_TCP, NULL, &bound, NULL);
	g_assert_true(ok);
	s->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
	g_object_unref(bound);
	g_snprintf(s->address, sizeof s->address, "127.0.0.1:%u", s->port);
	g_signal_connect(s->service, "run", G_CALLBACK(server_run), s);
	g_socket_service_start(s->service);
	g_main_context_pop_thread_default(s->context);
	s->thread = g_thread_new("server", server_loop, s);
	return s;
}

/* Connections must be gone: free the client first. */
static inline void server_stop(struct server *s)
{
	g_socket_service_stop(s->service);
	g_socket_listener_close(G_SOCKET_LISTENER(s->service));
	g_atomic_int_set(&s->stopping, 1);
	g_main_context_wakeup(s->context);
	g_thread_join(s->thread);
	g_object_unref(s->service);
	g_main_context_unref(s->context);
	g_ptr_array_unref(s->log);
	g_mutex_clear(&s->mu);
	g_free(s);
}

/* How many logged requests have this beginning. */
static inline guint server_count(struct server *s, const char *prefix)
{
	guint n = 0;
	g_mutex_lock(&s->mu);
	for (guint i = 0; i < s->log->len; i++)
		n += g_str_has_prefix(g_ptr_array_index(s->log, i), prefix);
	g_mutex_unlock(&s->mu);
	return n;
}
