/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"
#include "lib/http_server.h"

/*
 * "/hop/N" redirects to "/hop/N-1"; "/status/N?to=URL" answers N with that Location; other paths answer with the
 * method.
 */
struct fake {
	struct server *other;
	char *seen; /* last request to the other server: method, target, Authorization, Content-Type and body */
};

static void handle(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	struct fake *f = data;
	const char *authorization = http_server_header(q, "authorization"),
		   *type = http_server_header(q, "content-type");
	if (s == f->other) {
		g_autofree char *body = g_strdup_printf("%.*s", (int)q->body->len, (const char *)q->body->data);
		g_free(f->seen);
		f->seen = g_strdup_printf("%s %s %s %s %s", q->method, q->path, authorization ? authorization : "-",
					  type ? type : "-", *body ? body : "-");
	}
	if (g_str_has_prefix(q->path, "/hop/") && !g_str_equal(q->path, "/hop/0")) {
		g_autofree char *to = g_strdup_printf("%" G_GUINT64_FORMAT,
						      g_ascii_strtoull(q->path + strlen("/hop/"), NULL, 10) - 1);
		http_server_reply_header(r, "Location", to);
		r->status = 302;
		return;
	}
	if (g_str_has_prefix(q->path, "/status/")) {
		if (*q->query)
			http_server_reply_header(r, "Location", q->query + strlen("to="));
		r->status = (int)g_ascii_strtoull(q->path + strlen("/status/"), NULL, 10);
		return;
	}
	http_server_reply_text(r, 200, q->method);
}

struct fixture {
	struct fake fake;
	struct server *server;
	transport *transport;
};

static void set_up(struct fixture *x, gconstpointer data)
{
	x->server = http_server_start(handle, &x->fake);
	x->fake.other = http_server_start(handle, &x->fake);
	x->transport = transport_new();
}

static void tear_down(struct fixture *x, gconstpointer data)
{
	transport_free(x->transport);
	http_server_stop(x->server);
	http_server_stop(x->fake.other);
	g_free(x->fake.seen);
}

/* "STATUS BODY", or the error with HOST and OTHER in place of the addresses. */
static char *ask(struct fixture *x, const char *method, const char *target, const char *body)
{
	g_autofree char *url = g_strdup_printf("http://%s%s", x->server->address, target);
	static const char *const headers[] = {"Content-Type: text/plain", NULL};
	struct transport_request q = {
		.method = method,
		.url = url,
		.headers = headers,
		.authorization = "Basic x",
		.body = body,
		.body_size = body ? (int64_t)strlen(body) : -1,
		.redirects = true,
		.body_max = 1000,
	};
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	g_autoptr(GError) error = NULL;
	if (transport_do(x->transport, &q, NULL, &reply, &failure, &error))
		return g_strdup_printf("%d %.*s", reply.status, (int)reply.body->len, (const char *)reply.body->data);
	g_auto(GStrv) parts = g_strsplit(error->message, x->server->address, -1);
	return g_strjoinv("HOST", parts);
}

static void expect(struct fixture *x, const char *method, const char *target, const char *body, const char *answer)
{
	g_autofree char *got = ask(x, method, target, body);
	g_assert_cmpstr(got, ==, answer);
}

/* The server receives the target unchanged. */
static void test_request_lines(struct fixture *x, gconstpointer data)
{
	static const char *const table[][2] = {
		{"/a/../b/./c//d", "/a/../b/./c//d"},
		{"/%2e%2e/%7Ea%2Fb%2f", "/%2e%2e/%7Ea%2Fb%2f"},
		{"/x?a=%zz&b=c d|\"{}", "/x?a=%zz&b=c%20d|\"{}"},
		{"/x?", "/x"},
		{"/a b", "/a%20b"},
		{"?x", "/?x"},
		{"/_state=a%3D%3D&x=~!$'()*+,;:@", "/_state=a%3D%3D&x=~!$'()*+,;:@"},
		{"/x#fragment", "/x"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		expect(x, "GET", table[i][0], NULL, "200 GET");
		g_autofree char *line = g_strconcat("GET ", table[i][1], NULL);
		g_assert_cmpstr(x->server->log->pdata[x->server->log->len - 1], ==, line);
	}
}

/* Nine redirects are followed, the tenth is not, as in Go. */
static void test_hops(struct fixture *x, gconstpointer data)
{
	expect(x, "GET", "/hop/9", NULL, "200 GET");
	expect(x, "GET", "/hop/10", NULL, "Get \"0\": stopped after 10 redirects");
	expect(x, "GET", "/status/302", NULL, "302 ");
	expect(x, "GET", "/status/302?to=file:///etc/passwd", NULL,
	       "Get \"http://HOST/status/302?to=file:///etc/passwd\": refusing redirect to file:///etc/passwd: "
	       "unsupported protocol "
	       "scheme \"file\" of \"file:///etc/passwd\"");
}

/* 307 and 308 repeat method and body, others become GET; the header for the first origin is not sent to others. */
static void test_methods(struct fixture *x, gconstpointer data)
{
	static const struct {
		int status;
		const char *method, *body, *answer, *seen;
	} table[] = {
		{307, "PUT", "bytes", "200 PUT", "PUT /x - text/plain bytes"},
		{308, "POST", "", "200 POST", "POST /x - text/plain -"},
		{301, "PUT", "bytes", "200 GET", "GET /x - - -"},
		{302, "POST", "bytes", "200 GET", "GET /x - - -"},
		{303, "DELETE", NULL, "200 GET", "GET /x - - -"},
		{303, "HEAD", NULL, "200 ", "HEAD /x - - -"},
		{300, "GET", NULL, "300 ", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		g_clear_pointer(&x->fake.seen, g_free);
		g_autofree char *target =
			g_strdup_printf("/status/%d?to=http://%s/x", table[i].status, x->fake.other->address);
		expect(x, table[i].method, target, table[i].body, table[i].answer);
		g_assert_cmpstr(x->fake.seen, ==, table[i].seen);
	}
	expect(x, "PUT", "/status/307?to=/status/307?to=/x", "bytes", "200 PUT");
}

#define ADD(path, fn) g_test_add("/redirects/" path, struct fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("request-lines", test_request_lines);
	ADD("hops", test_hops);
	ADD("methods", test_methods);
	return g_test_run();
}
