/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners and their clients: unix sockets, tcp, TLS and mutual TLS. */
#include "lib/rpc_rig.h"
#include <openssl/evp.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ---- certificates */

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

static X509 *make_cert(const char *name, EVP_PKEY *key, const struct authority *issuer, const char *san)
{
	static long serial;
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->cert : x));
	X509_EXTENSION *e = san ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san)
				: X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	X509_sign(x, issuer ? issuer->key : key, EVP_sha256());
	return x;
}

static struct authority new_authority(const char *name)
{
	struct authority a = {.key = EVP_EC_gen("P-256")};
	a.cert = make_cert(name, a.key, NULL, NULL);
	return a;
}

static void authority_free(struct authority *a)
{
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
}

static char *write_cert(const char *dir, const char *name, X509 *x)
{
	char *path = g_build_filename(dir, name, NULL);
	FILE *f = fopen(path, "w");
	PEM_write_X509(f, x);
	fclose(f);
	return path;
}

static char *write_key(const char *dir, const char *name, EVP_PKEY *key)
{
	char *path = g_build_filename(dir, name, NULL);
	FILE *f = fopen(path, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	return path;
}

struct files {
	char *ca, *other_ca, *cert, *key, *client_cert, *client_key, *foreign_cert, *foreign_key;
};

static void make_pair(const char *dir, const char *name, const struct authority *a, const char *san, char **ret_cert,
		      char **ret_key)
{
	g_autofree char *cert_name = g_strconcat(name, ".pem", NULL);
	g_autofree char *key_name = g_strconcat(name, ".key", NULL);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_cert(name, key, a, san);
	*ret_cert = write_cert(dir, cert_name, x);
	*ret_key = write_key(dir, key_name, key);
	X509_free(x);
	EVP_PKEY_free(key);
}

static struct files make_files(const char *dir)
{
	struct files f = {0};
	struct authority ca = new_authority("ca");
	struct authority other = new_authority("other");
	f.ca = write_cert(dir, "ca.pem", ca.cert);
	f.other_ca = write_cert(dir, "other.pem", other.cert);
	make_pair(dir, "server", &ca, "DNS:builder.test,IP:127.0.0.1", &f.cert, &f.key);
	make_pair(dir, "client", &ca, "DNS:me", &f.client_cert, &f.client_key);
	make_pair(dir, "foreign", &other, "DNS:me", &f.foreign_cert, &f.foreign_key);
	authority_free(&ca);
	authority_free(&other);
	return f;
}

static void remove_files(struct files *f)
{
	char **all = (char **)f;
	for (size_t i = 0; i < sizeof(*f) / sizeof(char *); i++) {
		g_unlink(all[i]);
		g_free(all[i]);
	}
}

/* ---- TLS */

static bool try_call(rpc_loop *loop, int port, const struct rpc_tls *tls)
{
	g_autofree char *address = g_strdup_printf("tcp://127.0.0.1:%d", port);
	struct rpc_dial_options options = {.tls = tls, .timeout_ms = 5000};
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_conn) c = rpc_connect(loop, address, &options, NULL, &error);
	if (!c) {
		g_assert_true(error_is(error, ERROR_UNAVAILABLE) || error_is(error, ERROR_DEADLINE_EXCEEDED));
		return false;
	}
	g_autofree uint8_t *large = g_malloc0(3000000);
	g_autoptr(bytes_message) reply = rig_unary(c, "/test.Rig/Echo", large, 3000000, &error);
	if (reply)
		g_assert_cmpuint(reply->data.len, ==, 3000000);
	return reply;
}

static void test_tls(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	struct files f = make_files(r.dir);
	struct rpc_tls server = {.cert_file = f.cert, .key_file = f.key};
	struct rpc_listen_options options = {.tls = &server};
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", &options, &error));
	int port = rpc_server_port(r.server);
	g_assert_true(try_call(r.loop, port, &(struct rpc_tls){.ca_file = f.ca}));
	g_assert_true(try_call(r.loop, port, &(struct rpc_tls){.ca_file = f.ca, .server_name = "builder.test"}));
	g_assert_false(try_call(r.loop, port, &(struct rpc_tls){.ca_file = f.ca, .server_name = "evil.test"}));
	g_assert_false(try_call(r.loop, port, &(struct rpc_tls){.ca_file = f.other_ca}));
	g_assert_false(try_call(r.loop, port, NULL));
	remove_files(&f);
}

static void test_mutual_tls(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	struct files f = make_files(r.dir);
	struct rpc_tls server = {.ca_file = f.ca, .cert_file = f.cert, .key_file = f.key};
	struct rpc_listen_options options = {.tls = &server};
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", &options, &error));
	int port = rpc_server_port(r.server);
	struct rpc_tls client = {.ca_file = f.ca, .cert_file = f.client_cert, .key_file = f.client_key};
	g_assert_true(try_call(r.loop, port, &client));
	g_assert_false(try_call(r.loop, port, &(struct rpc_tls){.ca_file = f.ca}));
	client.cert_file = f.foreign_cert;
	client.key_file = f.foreign_key;
	g_assert_false(try_call(r.loop, port, &client));
	server.key_file = NULL;
	g_assert_false(rpc_server_listen(r.server, "tcp://127.0.0.1:0", &options, &error));
	g_assert_cmpstr(error->message, ==, "you must specify key and cert file if one is specified");
	g_clear_error(&error);
	server.key_file = f.client_key; /* of another certificate */
	g_assert_false(rpc_server_listen(r.server, "tcp://127.0.0.1:0", &options, &error));
	g_assert_true(g_str_has_prefix(error->message, "could not load certificate or key: "));
	g_assert_true(g_str_has_suffix(error->message, "key values mismatch"));
	remove_files(&f);
}

/* ---- unix sockets */

static void test_modes(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	struct stat st;
	g_assert_cmpint(stat(r.address + 7, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 07777, ==, 0660);
	g_autofree char *parent = g_path_get_dirname(r.address + 7);
	g_assert_cmpint(stat(parent, &st), ==, 0);
	/* The socket is in use. */
	rpc_server *second = rpc_server_new(r.loop);
	g_assert_false(rpc_server_listen(second, r.address, NULL, &error));
	g_assert_true(error_is(error, ERROR_ALREADY_EXISTS));
	g_clear_error(&error);
	rpc_server_free(second);
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
}

static void test_stale(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_autofree char *parent = g_path_get_dirname(r.address + 7);
	g_assert_cmpint(g_mkdir(parent, 0700), ==, 0);
	g_strlcpy(address.sun_path, r.address + 7, sizeof(address.sun_path));
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(dead, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	close(dead);
	g_assert_true(rpc_server_listen(r.server, r.address, NULL, &error));
	r.conn = rpc_connect(r.loop, r.address, NULL, NULL, &error);
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
}

#define LONG_PATH                                                                                                      \
	"/tmp/"                                                                                                        \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"       \
	"aa"

static void test_bad_addresses(void)
{
	static const char *const bad[][2] = {
		{"nothing", "address nothing does not contain proto, you meant unix://nothing ?"},
		{"http://x", "addr http://x not supported"},
		{"tcp://127.0.0.1", "address 127.0.0.1: missing port in address"},
		{"tcp://127.0.0.1:notaport", "lookup 127.0.0.1:notaport: Servname not supported for ai_socktype"},
		{"unix://" LONG_PATH,
		 "failed to create unix socket on " LONG_PATH ": \"" LONG_PATH "\": unix socket path too long (> 104)"},
	};
	scoped_rig r = {0};
	rig_up(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_false(rpc_server_listen(r.server, bad[i][0], NULL, &error));
		g_assert_nonnull(error);
		g_assert_cmpstr(error->message, ==, bad[i][1]);
		g_assert_null(rpc_connect(r.loop, bad[i][0], NULL, NULL, NULL));
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(rpc_connect(r.loop, "unix:///nonexistent/x.sock", NULL, NULL, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_assert_cmpstr(error->message, ==, "dial unix /nonexistent/x.sock: connect: no such file or directory");
}

static void test_many_connections(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	rpc_conn *all[200];
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		all[i] = rpc_connect(r.loop, r.address, NULL, NULL, &error);
		g_autoptr(bytes_message) reply = rig_unary(all[i], "/test.Rig/Echo", "x", 1, &error);
		g_assert_no_error(error);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		rpc_conn_unref(all[i]);
}

struct held {
	rpc_conn *conn;
	rpc_call *call;
};

/* Opens a connection with a running call; false if it was refused. */
static bool hold(struct rig *r, const char *address, struct held *h)
{
	h->conn = rpc_connect(r->loop, address, NULL, NULL, NULL);
	h->call = h->conn ? rpc_call_start(h->conn, "/test.Rig/Hang", NULL, NULL, 0, NULL) : NULL;
	if (!h->call)
		return false;
	rpc_call_metadata(h->call); /* the handler runs, or the connection was closed */
	g_autoptr(bytes_message) reply = rig_unary(h->conn, "/test.Rig/Echo", "x", 1, NULL);
	return reply;
}

static void let_go(struct held *h)
{
	if (h->call)
		rpc_call_abort(h->call);
	rpc_call_unref(h->call);
	rpc_conn_unref(h->conn);
}

/* One address may have its limit of tcp connections with running calls; idle ones are closed to admit new ones. */
static void test_connections_of_one_source(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", NULL, &error));
	g_autofree char *address = g_strdup_printf("tcp://127.0.0.1:%d", rpc_server_port(r.server));
	struct held all[70] = {0};
	guint served = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		served += hold(&r, address, &all[i]);
	g_assert_cmpuint(served, ==, LIMIT_ADDRESS_CONNECTIONS);
	rpc_call_abort(all[0].call); /* its connection stays open, idle */
	struct held late = {0};
	for (int i = 0; i < 600 && !hold(&r, address, &late); i++) {
		let_go(&late);
		late = (struct held){0};
		/* Nothing reports that the server counts the connection as idle. */
		g_usleep(50000);
	}
	g_assert_nonnull(late.call);
	g_assert_true(cancel_is_set(rpc_conn_closed(all[0].conn)));
	let_go(&late);
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		let_go(&all[i]);
}

/* ---- refused connections, with source and reason */

struct refusals {
	GMutex mu;
	GCond changed;
	char *peer, *reason;
};

static void on_refused(const char *peer, const char *reason, void *data)
{
	struct refusals *r = data;
	g_mutex_lock(&r->mu);
	if (!r->peer) {
		r->peer = g_strdup(peer);
		r->reason = g_strdup(reason);
	}
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
}

static void expect_refusal(struct refusals *r, const char *reason)
{
	gint64 until = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	g_mutex_lock(&r->mu);
	while (!r->peer)
		g_assert_true(g_cond_wait_until(&r->changed, &r->mu, until));
	g_assert_true(g_str_has_prefix(r->peer, "127.0.0.1:"));
	if (!strstr(r->reason, reason))
		g_error("\"%s\" instead of \"%s\"", r->reason, reason);
	g_clear_pointer(&r->peer, g_free);
	g_clear_pointer(&r->reason, g_free);
	g_mutex_unlock(&r->mu);
}

static int dial_port(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
	return fd;
}

static void test_refused(void)
{
	scoped_rig r = {0};
	struct refusals seen = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	rpc_server_set_refused_hook(r.server, on_refused, &seen);
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", NULL, &error));
	static const struct {
		const char *bytes, *reason;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "the client uses HTTP/1, not HTTP/2"},
		{"\x16\x03\x01\x02\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
		 "\x01",
		 "the client uses TLS, but this address does not"},
		{"PRX * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the client does not begin with the HTTP/2 preface"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", "PROTOCOL_ERROR"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int fd = dial_port(rpc_server_port(r.server));
		g_assert_cmpint(write(fd, cases[i].bytes, strlen(cases[i].bytes)), >, 0);
		expect_refusal(&seen, cases[i].reason);
		close(fd);
	}
}

/* A probe, which connects and leaves without sending anything, was not refused. */
static void test_probe(void)
{
	scoped_rig r = {0};
	struct refusals seen = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	rpc_server_set_refused_hook(r.server, on_refused, &seen);
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", NULL, &error));
	int fd = dial_port(rpc_server_port(r.server));
	char first;
	g_assert_cmpint(read(fd, &first, 1), ==, 1); /* the server has accepted the connection */
	/* Unread data is left, so that the server's next read or write fails instead of returning the end. */
	close(fd);
	fd = dial_port(rpc_server_port(r.server));
	g_assert_cmpint(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
	expect_refusal(&seen, "the client uses HTTP/1, not HTTP/2");
	close(fd);
}

/* A closing client of grpc-go sends the number of its last stream: the connection was not refused. */
static void test_leaving(void)
{
	static const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0"                            /* SETTINGS */
				    "\0\0\x10\7\0\0\0\0\0\0\0\0\1\0\0\0\0shutdown"; /* GOAWAY, last stream 1 */
	scoped_rig r = {0};
	struct refusals seen = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	rpc_server_set_refused_hook(r.server, on_refused, &seen);
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", NULL, &error));
	int fd = dial_port(rpc_server_port(r.server));
	g_assert_cmpint(write(fd, bytes, sizeof(bytes) - 1), ==, sizeof(bytes) - 1);
	char answer[256];
	while (read(fd, answer, sizeof(answer)) > 0)
		;
	close(fd);
	/* Ends are reported in order: the first report must be of the second connection. */
	fd = dial_port(rpc_server_port(r.server));
	g_assert_cmpint(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
	expect_refusal(&seen, "the client uses HTTP/1, not HTTP/2");
	close(fd);
}

/*
 * Returns the first frame that the server sends to a client with these protocols in ALPN (NULL: no extension); -1:
 * refused.
 */
static int first_frame(int port, const char *alpn)
{
	static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	int fd = dial_port(port);
	int type = -1;
	uint8_t head[9];
	SSL_set_fd(ssl, fd);
	if (alpn)
		SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	if (SSL_connect(ssl) == 1 && SSL_write(ssl, preface, sizeof(preface) - 1) > 0 &&
	    SSL_read(ssl, head, sizeof(head)) == (int)sizeof(head))
		type = head[3];
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	return type;
}

static void test_alpn(void)
{
	scoped_rig r = {0};
	struct refusals seen = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	rpc_server_set_refused_hook(r.server, on_refused, &seen);
	struct files f = make_files(r.dir);
	struct rpc_tls server = {.cert_file = f.cert, .key_file = f.key};
	struct rpc_listen_options options = {.tls = &server};
	g_assert_true(rpc_server_listen(r.server, "tcp://127.0.0.1:0", &options, &error));
	int port = rpc_server_port(r.server);
	g_assert_cmpint(first_frame(port, NULL), ==, 4); /* SETTINGS */
	g_assert_cmpint(first_frame(port, "\x02h2"), ==, 4);
	g_assert_cmpint(first_frame(port, "\x08http/1.1\x02h2"), ==, 4);
	g_assert_cmpint(first_frame(port, "\x08http/1.1"), ==, 4);
	g_assert_cmpint(first_frame(port, "\x05other"), ==, -1);
	expect_refusal(&seen, "no application protocol");
	remove_files(&f);
}

static void test_pipes(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up_server(&r);
	int to[2];
	int from[2];
	g_assert_cmpint(pipe(to), ==, 0);
	g_assert_cmpint(pipe(from), ==, 0);
	g_autoptr(rpc_conn) server_end = rpc_server_attach(r.server, to[0], from[1]);
	g_autoptr(rpc_conn) c = rpc_connect_fds(r.loop, from[0], to[1], NULL, &error);
	g_autofree uint8_t *large = g_malloc0(3000000);
	g_autoptr(bytes_message) reply = rig_unary(c, "/test.Rig/Echo", large, 3000000, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(reply->data.len, ==, 3000000);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/listen/tls", test_tls);
	g_test_add_func("/listen/mutual-tls", test_mutual_tls);
	g_test_add_func("/listen/modes", test_modes);
	g_test_add_func("/listen/stale", test_stale);
	g_test_add_func("/listen/bad-addresses", test_bad_addresses);
	g_test_add_func("/listen/many-connections", test_many_connections);
	g_test_add_func("/listen/connections-of-one-source", test_connections_of_one_source);
	g_test_add_func("/listen/pipes", test_pipes);
	g_test_add_func("/listen/refused", test_refused);
	g_test_add_func("/listen/leaving", test_leaving);
	g_test_add_func("/listen/probe", test_probe);
	g_test_add_func("/listen/alpn", test_alpn);
	return g_test_run();
}
