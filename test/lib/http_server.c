/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http_server.h"

struct server_connection {
	struct server *s;
	GSocketConnection *socket; /* owned */
};

const char *http_server_header(const struct server_request *q, const char *name)
{
	return g_hash_table_lookup(q->headers, name);
}

void http_server_reply_header(struct server_reply *r, const char *name, const char *value)
{
	g_string_append_printf(r->headers, "%s: %s\r\n", name, value);
}

void http_server_reply_text(struct server_reply *r, int status, const char *text)
{
	r->status = status;
	g_byte_array_append(r->body, (const guint8 *)text, (guint)strlen(text));
}

static gboolean server_read_request(GDataInputStream *in, struct server_request *q)
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
	const char *length = http_server_header(q, "content-length");
	gsize n = length ? (gsize)g_ascii_strtoull(length, NULL, 10) : 0, got = 0;
	g_byte_array_set_size(q->body, (guint)n);
	return n == 0 || (g_input_stream_read_all(G_INPUT_STREAM(in), q->body->data, n, &got, NULL, NULL) && got == n);
}

static void server_request_clear(struct server_request *q)
{
	g_free(q->method);
	g_free(q->path);
	g_free(q->query);
	g_clear_pointer(&q->headers, g_hash_table_unref);
	g_clear_pointer(&q->body, g_byte_array_unref);
}

static gboolean server_answer(struct server *s, GOutputStream *out, const struct server_request *q)
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

static gpointer server_serve(gpointer data)
{
	struct server_connection *c = data;
	GIOStream *stream = G_IO_STREAM(c->socket);
	GDataInputStream *in = g_data_input_stream_new(g_io_stream_get_input_stream(stream));
	g_data_input_stream_set_newline_type(in, G_DATA_STREAM_NEWLINE_TYPE_LF);
	for (gboolean keep = TRUE; keep;) {
		struct server_request q = {0};
		keep = server_read_request(in, &q) && server_answer(c->s, g_io_stream_get_output_stream(stream), &q);
		server_request_clear(&q);
	}
	g_object_unref(in);
	g_io_stream_close(stream, NULL, NULL);
	g_object_unref(c->socket);
	g_free(c);
	return NULL;
}

static gpointer server_accept(gpointer data)
{
	struct server *s = data;
	GSocketConnection *socket;
	while ((socket = g_socket_listener_accept(s->listener, NULL, s->stop, NULL))) {
		struct server_connection *c = g_new0(struct server_connection, 1);
		c->s = s;
		c->socket = socket;
		g_ptr_array_add(s->threads, g_thread_new("connection", server_serve, c));
	}
	return NULL;
}

struct server *http_server_start(server_handler handler, void *data)
{
	struct server *s = g_new0(struct server, 1);
	s->handler = handler;
	s->data = data;
	s->log = g_ptr_array_new_with_free_func(g_free);
	s->threads = g_ptr_array_new();
	s->stop = g_cancellable_new();
	s->listener = g_socket_listener_new();
	g_mutex_init(&s->mu);
	g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
	g_autoptr(GSocketAddress) any = g_inet_socket_address_new(loopback, 0);
	GSocketAddress *bound = NULL;
	gboolean ok = g_socket_listener_add_address(s->listener, any, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL,
						    &bound, NULL);
	g_assert_true(ok);
	s->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(bound));
	g_object_unref(bound);
	g_snprintf(s->address, sizeof s->address, "127.0.0.1:%u", s->port);
	s->thread = g_thread_new("server", server_accept, s);
	return s;
}

void http_server_stop(struct server *s)
{
	g_cancellable_cancel(s->stop);
	g_thread_join(s->thread);
	for (guint i = 0; i < s->threads->len; i++)
		g_thread_join(g_ptr_array_index(s->threads, i));
	g_socket_listener_close(s->listener);
	g_object_unref(s->listener);
	g_object_unref(s->stop);
	g_ptr_array_unref(s->threads);
	g_ptr_array_unref(s->log);
	g_mutex_clear(&s->mu);
	g_free(s);
}

guint http_server_count(struct server *s, const char *prefix)
{
	guint n = 0;
	g_mutex_lock(&s->mu);
	for (guint i = 0; i < s->log->len; i++)
		n += g_str_has_prefix(g_ptr_array_index(s->log, i), prefix);
	g_mutex_unlock(&s->mu);
	return n;
}
