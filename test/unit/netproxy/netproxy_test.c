/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy between raw clients and servers of this process, over loopback. */
#include "netproxy/netproxy.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/thread.h"
#include "lib/http_server.h"
#include "netproxy/certificates.h"
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

static int listen_on_loopback(uint16_t *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&at, n), ==, 0);
	g_assert_cmpint(listen(fd, 200), ==, 0);
	g_assert_cmpint(getsockname(fd, (struct sockaddr *)&at, &n), ==, 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static int dial(uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	struct timeval limit = {.tv_sec = 30};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
}

struct rig {
	netproxy *proxy;
	netproxy_capture *capture;
	uint16_t port;
	struct server *server;
};

static void handle(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	if (strcmp(q->path, "/echo") == 0) {
		http_server_reply_text(r, 200, "");
		g_byte_array_append(r->body, q->body->data, q->body->len);
	} else if (strcmp(q->path, "/redirect") == 0) {
		http_server_reply_text(r, 302, "");
		http_server_reply_header(r, "Location", "/file");
	} else if (strcmp(q->path, "/headers") == 0) {
		g_autofree char *text =
			g_strdup_printf("%s|%s|%s", http_server_header(q, "authorization"),
					http_server_header(q, "accept-encoding"), http_server_header(q, "host"));
		http_server_reply_text(r, 200, text);
	} else if (strcmp(q->path, "/cut") == 0) {
		http_server_reply_text(r, 200, "0123456789");
		r->cut = 4;
	} else if (strcmp(q->path, "/file") == 0) {
		http_server_reply_text(r, 200, "file");
	} else {
		http_server_reply_text(r, 404, "nothing");
	}
}

static void rig_init(struct rig *r, netproxy_policy *policy)
{
	g_autoptr(GError) error = NULL;
	*r = (struct rig){.capture = netproxy_capture_new(), .server = http_server_start(handle, NULL)};
	const struct netproxy_options o = {
		.listen_fd = listen_on_loopback(&r->port), .egress_fd = -1, .policy = policy, .capture = r->capture};
	r->proxy = netproxy_start(&o, &error);
	g_assert_no_error(error);
}

static void rig_clear(struct rig *r)
{
	netproxy_stop(r->proxy);
	http_server_stop(r->server);
	netproxy_capture_unref(r->capture);
}

/* Sends bytes and returns everything until the end of the connection; %A is the server's address. */
static char *talk(const struct rig *r, const char *text)
{
	scoped_fd fd = dial(r->port);
	g_auto(GStrv) parts = g_strsplit(text, "%A", -1);
	g_autofree char *all = g_strjoinv(r->server->address, parts);
	GString *out = g_string_new(NULL);
	char buffer[4096];
	ssize_t n;
	g_assert_cmpint(send(fd, all, strlen(all), MSG_NOSIGNAL), ==, (ssize_t)strlen(all));
	while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
		g_string_append_len(out, buffer, n);
	g_assert_cmpint(n, ==, 0);
	return g_string_free(out, FALSE);
}

static char *stop_and_log(struct rig *r)
{
	g_clear_pointer(&r->proxy, netproxy_stop); /* then the records are complete */
	g_autofree char *log = netproxy_capture_log(r->capture);
	g_auto(GStrv) parts = g_strsplit(log ? log : "", r->server->address, -1);
	return g_strjoinv("%A", parts);
}

static char *incomplete_text(const struct rig *r)
{
	GString *text = g_string_new(NULL);
	g_autoptr(GPtrArray) all = netproxy_capture_all_incomplete(r->capture);
	for (guint i = 0; i < all->len; i++) {
		const struct netproxy_incomplete *in = all->pdata[i];
		g_string_append_printf(text, "%s %s\n", in->method, in->reason);
	}
	return g_string_free(text, FALSE);
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define GO_ON " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_get(void)
{
	struct rig r;
	rig_init(&r, NULL);
	g_autofree char *all = talk(&r, "GET http://%A/redirect" GO_ON "GET http://%A/file" END);
	g_assert_true(g_str_has_prefix(all, "HTTP/1.1 302 "));
	g_assert_nonnull(strstr(all, "\r\n\r\nHTTP/1.1 200 "));
	g_assert_true(g_str_has_suffix(all, "Connection: close\r\n\r\nfile"));
	g_autofree char *log = stop_and_log(&r);
	g_assert_cmpstr(log, ==,
			"proxy network requests:\n- GET http://%A/redirect -> 302\n- GET http://%A/file -> 200\n");
	g_autoptr(GPtrArray) materials = netproxy_capture_materials(r.capture);
	struct digest digest;
	digest_of_text("file", &digest);
	g_assert_cmpuint(materials->len, ==, 2);
	for (guint i = 0; i < 2; i++)
		g_assert_cmpstr(((const struct netproxy_material *)materials->pdata[i])->digest.text, ==, digest.text);
	rig_clear(&r);
}

static void test_headers(void)
{
	struct rig r;
	rig_init(&r, NULL);
	g_autofree char *all =
		talk(&r, "GET http://user:pass@%A/headers HTTP/1.1\r\nHost: other\r\nAccept-Encoding: gzip\r\n"
			 "Connection: close\r\n\r\n");
	g_autofree char *expected = g_strconcat("\r\n\r\nBasic dXNlcjpwYXNz|(null)|", r.server->address, NULL);
	g_assert_true(g_str_has_suffix(all, expected));
	g_autofree char *log = stop_and_log(&r);
	g_assert_cmpstr(log, ==, "proxy network requests:\n- GET http://%A/headers -> 200\n");
	rig_clear(&r);
}

static void test_bodies(void)
{
	struct rig r;
	rig_init(&r, NULL);
	g_autofree char *sized =
		talk(&r, "POST http://%A/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
			 "hello"
			 "POST http://%A/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	g_assert_nonnull(strstr(sized, "\r\n\r\nhelloHTTP/1.1 200 "));
	g_autofree char *waiting = talk(&r, "POST http://%A/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: "
					    "100-continue\r\nConnection: close\r\n\r\nok");
	g_assert_true(g_str_has_prefix(waiting, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "));
	g_assert_true(g_str_has_suffix(waiting, "\r\n\r\nok"));
	g_autofree char *text = NULL;
	g_free(stop_and_log(&r));
	text = incomplete_text(&r);
	g_assert_cmpstr(
		text, ==,
		"POST method_not_materializable\nPOST method_not_materializable\nPOST method_not_materializable\n");
	rig_clear(&r);
}

static void test_failures(void)
{
	struct rig r;
	uint16_t closed_port;
	rig_init(&r, NULL);
	int closed = listen_on_loopback(&closed_port);
	close(closed);
	g_autofree char *request = g_strdup_printf("GET http://127.0.0.1:%u/" END, closed_port);
	g_autofree char *refused = talk(&r, request);
	g_assert_true(g_str_has_prefix(refused, "HTTP/1.1 502 Bad Gateway\r\n"));
	g_assert_nonnull(strstr(refused, "connection refused"));
	g_autofree char *missing = talk(&r, "GET http://%A/none" END);
	g_assert_true(g_str_has_prefix(missing, "HTTP/1.1 404 "));
	g_autofree char *cut = talk(&r, "GET http://%A/cut" END);
	g_assert_true(g_str_has_suffix(cut, "0123"));
	g_autofree char *part =
		talk(&r, "GET http://%A/file HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n");
	g_assert_true(g_str_has_suffix(part, "file"));
	g_free(stop_and_log(&r));
	g_autofree char *text = incomplete_text(&r);
	g_assert_cmpstr(text, ==,
			"GET upstream_error\nGET unsuccessful_response\nGET body_read_failed\nGET partial_response\n");
	g_autoptr(GPtrArray) materials = netproxy_capture_materials(r.capture);
	g_assert_cmpuint(materials->len, ==, 0);
	rig_clear(&r);
}

/* The server never sees what is not clear. */
static void test_smuggling(void)
{
	static const struct {
		const char *text, *answer;
	} cases[] = {
		{"POST http://%A/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n0\r\n\r\n"
		 "GET http://%A/file" END,
		 "HTTP/1.1 400 Bad Request\r\n"},
		{"GET /file" END, "HTTP/1.1 400 Bad Request\r\n"},
		{"GET http://%A/file HTTP/1.1\nHost: x\n\n\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"GET http://0x7f.1/file" END, "HTTP/1.1 400 Bad Request\r\n"},
		{"CONNECT %A HTTP/1.1\r\nHost: x\r\n\r\nGET http://%A/file" END, "HTTP/1.1 400 Bad Request\r\n"},
	};
	struct rig r;
	rig_init(&r, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *all = talk(&r, cases[i].text);
		g_test_message("%s", cases[i].text);
		g_assert_true(g_str_has_prefix(all, cases[i].answer));
		g_assert_null(strstr(all + 1, "HTTP/1.1 200"));
	}
	/* Nothing after an invalid chunk is a request. */
	g_free(talk(&r,
		    "PUT http://%A/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"
		    "GET http://%A/file" END));
	g_autofree char *large = g_strnfill(LIMIT_PROXY_HEAD_BYTES + 1, 'x');
	g_autofree char *head = g_strconcat("GET http://%A/file HTTP/1.1\r\nX: ", large, NULL);
	g_autofree char *too_large = talk(&r, head);
	g_assert_true(g_str_has_prefix(too_large, "HTTP/1.1 431 "));
	g_assert_cmpuint(http_server_count(r.server, "GET"), ==, 0);
	rig_clear(&r);
}

/* ---- policies */

static bool check(void *data, const char *method, const char *url, cancel *c, char **ret_url, GError **error)
{
	const struct rig *r = data;
	if (strstr(url, "/denied"))
		return error_set(error, ERROR_UNKNOWN, "no");
	if (strstr(url, "/other"))
		*ret_url = g_strdup_printf("http://%s/file", r->server->address);
	if (strstr(url, "/ftp"))
		*ret_url = g_strdup("ftp://h/");
	return true;
}

static void test_policy(void)
{
	struct rig r;
	netproxy_policy *policy = netproxy_policy_new("x", check, &r);
	rig_init(&r, policy);
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET http://%A/denied", "403 Forbidden"}, {"GET http://%A/a/../%64enied", "403 Forbidden"},
		{"GET http://%A/other", "200 "},           {"HEAD http://%A/other", "403 Forbidden"},
		{"GET http://%A/ftp", "403 Forbidden"},    {"GET http://%A/file", "200 "},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(cases[i].request, END, NULL);
		g_autofree char *all = talk(&r, text), *start = g_strconcat("HTTP/1.1 ", cases[i].answer, NULL);
		g_test_message("%s", cases[i].request);
		g_assert_true(g_str_has_prefix(all, start));
	}
	g_assert_cmpuint(http_server_count(r.server, "GET /file"), ==, 2);
	g_assert_cmpuint(r.server->log->len, ==, 2);
	netproxy_policy_close(policy);
	g_autofree char *late = talk(&r, "GET http://%A/file" END);
	g_assert_true(g_str_has_prefix(late, "HTTP/1.1 403 "));
	g_autofree char *log = stop_and_log(&r);
	g_assert_nonnull(strstr(log, "- GET http://%A/denied -> 403\n"));
	rig_clear(&r);
	netproxy_policy_unref(policy);
}

/* ---- many connections */

/* Those that wait for a request make room for others. */
static void test_many(void)
{
	struct rig r;
	int fds[150];
	g_assert_cmpuint(G_N_ELEMENTS(fds), >, LIMIT_PROXY_CONNECTIONS);
	rig_init(&r, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		fds[i] = dial(r.port);
	g_autofree char *all = talk(&r, "GET http://%A/file" END);
	g_assert_true(g_str_has_suffix(all, "file"));
	netproxy_stop(g_steal_pointer(&r.proxy));
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
		char byte;
		g_assert_cmpint(recv(fds[i], &byte, 1, 0), <=, 0);
		close(fds[i]);
	}
	rig_clear(&r);
}

/* ---- TLS */

struct tls_server {
	netproxy_ca *ca;
	int fd; /* listens */
	uint16_t port;
	GThread *thread;
};

static gpointer serve_tls(gpointer data)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
	struct tls_server *s = data;
	struct pollfd ready = {.fd = s->fd, .events = POLLIN};
	char buffer[4096];
	g_assert_cmpint(poll(&ready, 1, 30000), ==, 1);
	scoped_fd fd = accept(s->fd, NULL, NULL);
	SSL *ssl = netproxy_ca_accept(s->ca, "127.0.0.1", NULL);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1 && SSL_read(ssl, buffer, sizeof buffer) > 0) {
		g_assert_true(g_str_has_prefix(buffer, "GET /s HTTP/1.1\r\n"));
		SSL_write(ssl, answer, sizeof answer - 1);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	return NULL;
}

/* Connects to the proxy and asks for a tunnel. */
static int open_tunnel(const struct rig *r, uint16_t port)
{
	int fd = dial(r->port);
	char buffer[256];
	g_autofree char *text = g_strdup_printf("CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: x\r\n\r\n", port);
	g_assert_cmpint(send(fd, text, strlen(text), 0), >, 0);
	ssize_t n = recv(fd, buffer, sizeof buffer - 1, 0);
	g_assert_cmpint(n, >, 0);
	buffer[n] = '\0';
	g_assert_cmpstr(buffer, ==, "HTTP/1.1 200 Connection Established\r\n\r\n");
	return fd;
}

/* Returns what the server answers, as seen by a client that trusts the proxy; NULL: the handshake failed. */
static char *ask_in_tunnel(const struct rig *r, int fd, const char *server_name, const char *text)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	BIO *bio = BIO_new_mem_buf(netproxy_ca_certificate(r->proxy), -1);
	X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root);
	X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_X509_STRICT);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (server_name)
		SSL_set_tlsext_host_name(ssl, server_name);
	X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), "127.0.0.1");
	GString *out = g_string_new(NULL);
	char buffer[4096];
	int n = 0;
	bool ok = SSL_connect(ssl) == 1;
	if (ok) {
		g_assert_cmpint(SSL_write(ssl, text, (int)strlen(text)), >, 0);
		while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0)
			g_string_append_len(out, buffer, n);
	}
	SSL_free(ssl);
	SSL_CTX_free(context);
	X509_free(root);
	BIO_free(bio);
	return g_string_free(out, !ok);
}

static void test_tls(void)
{
	struct rig r;
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), "netproxy-roots-XXXXXX", NULL);
	struct tls_server s = {.ca = netproxy_ca_new(NULL)};
	close(g_mkstemp(path));
	g_assert_true(g_file_set_contents(path, netproxy_ca_pem(s.ca), -1, NULL));
	g_setenv("SSL_CERT_FILE", path, TRUE); /* the roots of this process, read at the first use */
	s.fd = listen_on_loopback(&s.port);
	s.thread = thread_start("server", serve_tls, &s, NULL);
	rig_init(&r, NULL);
	scoped_fd fd = open_tunnel(&r, s.port);
	g_autofree char *host = g_strdup_printf("127.0.0.1:%u", s.port);
	g_autofree char *text = g_strdup_printf("GET /s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	g_autofree char *all = ask_in_tunnel(&r, fd, NULL, text);
	g_assert_true(g_str_has_suffix(all, "\r\n\r\nsecret"));
	/* Another server in Host, and in SNI. */
	scoped_fd second = open_tunnel(&r, s.port), third = open_tunnel(&r, s.port);
	g_autofree char *other = ask_in_tunnel(&r, second, NULL, "GET /s HTTP/1.1\r\nHost: other\r\n\r\n");
	g_assert_true(g_str_has_prefix(other, "HTTP/1.1 421 "));
	g_assert_null(ask_in_tunnel(&r, third, "other", text));
	g_thread_join(s.thread);
	g_clear_pointer(&r.proxy, netproxy_stop);
	g_autofree char *log = netproxy_capture_log(r.capture);
	g_autofree char *expected = g_strdup_printf("proxy network requests:\n- GET https://%s/s -> 200\n", host);
	g_assert_cmpstr(log, ==, expected);
	rig_clear(&r);
	close(s.fd);
	netproxy_ca_free(s.ca);
	unlink(path);
}

/* A server whose certificate the daemon does not trust is no server. */
static void test_untrusted(void)
{
	struct rig r;
	struct tls_server s = {.ca = netproxy_ca_new(NULL)};
	s.fd = listen_on_loopback(&s.port);
	s.thread = thread_start("server", serve_tls, &s, NULL);
	rig_init(&r, NULL);
	scoped_fd fd = open_tunnel(&r, s.port);
	g_autofree char *text =
		g_strdup_printf("GET /s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n\r\n", s.port);
	g_autofree char *all = ask_in_tunnel(&r, fd, NULL, text);
	g_assert_true(g_str_has_prefix(all, "HTTP/1.1 502 Bad Gateway\r\n"));
	g_assert_nonnull(strstr(all, "certificate signed by unknown authority"));
	g_thread_join(s.thread);
	rig_clear(&r);
	close(s.fd);
	netproxy_ca_free(s.ca);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	signal(SIGPIPE, SIG_IGN); /* as our programs */
	g_test_add_func("/netproxy/tls", test_tls);
	g_test_add_func("/netproxy/tls/untrusted", test_untrusted);
	g_test_add_func("/netproxy/get", test_get);
	g_test_add_func("/netproxy/headers", test_headers);
	g_test_add_func("/netproxy/bodies", test_bodies);
	g_test_add_func("/netproxy/failures", test_failures);
	g_test_add_func("/netproxy/smuggling", test_smuggling);
	g_test_add_func("/netproxy/policy", test_policy);
	g_test_add_func("/netproxy/many", test_many);
	return g_test_run();
}
