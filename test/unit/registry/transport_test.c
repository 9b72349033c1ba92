/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"
#include "format/compress.h"
#include "lib/outcome.h"
#include "os/ca_roots.h"
#include "lib/http_server.h"
#include <glib/gstdio.h>
#include <unistd.h>

#define PLAIN "twelve bytes"

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

/* "/LABEL" answers plain bytes with that Content-Encoding, "/LABEL/gzip" a gzip of them. */
static void serve(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	g_auto(GStrv) parts = g_strsplit(q->path + 1, "/", 2);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	r->status = 200;
	g_assert_cmpstr(http_server_header(q, "accept-encoding"), ==, *q->query ? NULL : "gzip");
	if (!g_str_equal(parts[0], "none"))
		http_server_reply_header(r, "Content-Encoding", parts[0]);
	if (parts[1] && g_str_has_prefix(parts[1], "gzip"))
		assert_succeeds(gzip_member(6, PLAIN, strlen(PLAIN), append, bytes, &failure));
	else if (!parts[1])
		append(bytes, PLAIN, strlen(PLAIN), NULL);
	if (g_strcmp0(parts[1], "gzip-cut") == 0)
		g_byte_array_set_size(bytes, bytes->len - 5);
	g_byte_array_append(r->body, bytes->data, bytes->len);
}

/* The bytes in reply.body, without requesting an encoding. */
static char *get_document(transport *t, const char *url, size_t max, GError **error)
{
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	struct transport_request q = {.method = "GET", .url = url, .body_size = -1, .decode = true, .body_max = max};
	if (!transport_do(t, &q, NULL, &reply, &failure, error))
		return NULL;
	return g_strndup((const char *)reply.body->data, reply.body->len);
}

static char *get(transport *t, const char *url, GError **error)
{
	g_autoptr(GByteArray) got = g_byte_array_new();
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	struct transport_request q = {.method = "GET",
				      .url = url,
				      .body_size = -1,
				      .decode = true,
				      .ask_gzip = true,
				      .on_bytes = append,
				      .data = got};
	if (!transport_do(t, &q, NULL, &reply, &failure, error))
		return NULL;
	return g_strndup(got->data ? (const char *)got->data : "", got->len);
}

static void test_encodings(void)
{
	static const struct {
		const char *path;
		bool gzip; /* the server sends gzip */
		const char *want;
	} rows[] = {
		{"none", false, PLAIN},
		{"identity", false, PLAIN},
		{"br", false, PLAIN},
		{"zstd", false, PLAIN},
		{"deflate", false, PLAIN},
		{"compress", false, PLAIN},
		{"utf-8", false, PLAIN},
		{"aws-chunked", false, PLAIN},
		{"gzip,aws-chunked", false, PLAIN},
		{"gzip", false, "!gzip: invalid header"},
		{"gzip/gzip", false, PLAIN},
		{"GZip/gzip", false, PLAIN},
		{"gzip/empty", false, ""},
		{"gzip/gzip-cut", false, "!gzip: unexpected EOF"},
		{"none/gzip", true, NULL},
		{"br/gzip", true, NULL},
		{"gzip,gzip/gzip", true, NULL},
	};
	struct server *s = http_server_start(serve, NULL);
	transport *t = transport_new();
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *url = g_strdup_printf("http://%s/%s", s->address, rows[i].path);
		g_autofree char *got = get(t, url, &error);
		g_autofree char *said = got ? g_strdup(got) : g_strconcat("!", error->message, NULL);
		g_test_message("%s", rows[i].path);
		if (rows[i].gzip)
			g_assert_true(g_str_has_prefix(said, "\x1f\x8b"));
		else
			g_assert_cmpstr(said, ==, rows[i].want);
	}
	transport_free(t);
	http_server_stop(s);
}

static void test_documents(void)
{
	struct server *s = http_server_start(serve, NULL);
	transport *t = transport_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *url = g_strdup_printf("http://%s/gzip/gzip?", s->address);
	g_autofree char *labelled = g_strconcat(url, "x", NULL);
	g_autofree char *got = get_document(t, labelled, strlen(PLAIN), &error);
	g_assert_cmpstr(got, ==, PLAIN);
	g_assert_null(get_document(t, labelled, strlen(PLAIN) - 1, &error));
	g_assert_nonnull(strstr(error->message, "is larger than 11 bytes"));
	transport_free(t);
	http_server_stop(s);
}

/* A truncated head is not a response. */
static gpointer serve_half_a_head(gpointer listener)
{
	g_autoptr(GSocketConnection) c = g_socket_listener_accept(listener, NULL, NULL, NULL);
	char request[1000];
	g_assert_cmpint(
		g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(c)), request, sizeof request, NULL, NULL),
		>, 0);
	static const char half[] = "HTTP/1.1 201 Created\r\nDocker-Content-Dig";
	g_assert_true(g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(c)), half, strlen(half), NULL,
						NULL, NULL));
	return NULL;
}

static void test_half_a_head(void)
{
	g_autoptr(GSocketListener) listener = g_socket_listener_new();
	guint16 port = g_socket_listener_add_any_inet_port(listener, NULL, NULL);
	GThread *thread = g_thread_new("server", serve_half_a_head, listener);
	transport *t = transport_new();
	g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", port);
	g_autoptr(GError) error = NULL;
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	struct transport_request q = {.method = "HEAD", .url = url, .body_size = -1};
	g_assert_false(transport_do(t, &q, NULL, &reply, &failure, &error));
	g_assert_cmpint(failure, ==, TRANSPORT_BROKEN);
	g_assert_true(g_str_has_suffix(error->message, ": unexpected EOF"));
	g_thread_join(thread);
	transport_free(t);
}

/* Plain HTTP does not pay for parsing the roots: a bundle that is written after a request is still found. */
static void test_roots_of_plain_requests(void)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIBcTCCARegAwIBAgIUY/x7lGVMMgZmG3Gk4MEFa/ATHy0wCgYIKoZIzj0EAwIw\n"
				  "DjEMMAoGA1UEAwwDb25lMB4XDTI2MTEzMDE4MTkyMloXDTI2MTIwMjE4MTkyMlow\n"
				  "DjEMMAoGA1UEAwwDb25lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETF4TxwBW\n"
				  "OFqIPSdUjEpUq3OTPjhVd2MZnBb7+J21dBHod7FeWTS16Ac7mLUd0KaG+JtpVoEe\n"
				  "e42ZlU0DHoXMvaNTMFEwHQYDVR0OBBYEFHNltnRcIFwFhW24tnsc1H3AiugXMB8G\n"
				  "A1UdIwQYMBaAFHNltnRcIFwFhW24tnsc1H3AiugXMA8GA1UdEwEB/wQFMAMBAf8w\n"
				  "CgYIKoZIzj0EAwIDSAAwRQIgCdnwADxlCQ1V6aAfvT8ro62HeYGi4FKzWXsBy8kW\n"
				  "cpUCIQCc1a4cx03clSXoIkzHeQg6g6tcfZkOzDK1rfMfgvfGig==\n"
				  "-----END CERTIFICATE-----\n";
	const char *path = g_getenv("SSL_CERT_FILE");
	struct server *s = http_server_start(serve, NULL);
	transport *t = transport_new();
	g_autofree char *url = g_strdup_printf("http://%s/none?document", s->address);
	g_autoptr(GError) error = NULL;
	g_autofree char *got = get_document(t, url, 100, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(got, ==, PLAIN);
	g_assert_true(g_file_set_contents(path, pem, -1, &error));
	g_assert_false(ca_roots_is_empty(ca_roots_system()));
	g_unlink(path);
	transport_free(t);
	http_server_stop(s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_autofree char *path = g_strdup_printf("%s/transport-roots-%d.pem", g_get_tmp_dir(), getpid());
	g_setenv("SSL_CERT_FILE", path, TRUE);
	g_setenv("SSL_CERT_DIR", "/nonexistent", TRUE);
	g_test_add_func("/transport/roots-of-plain-requests", test_roots_of_plain_requests);
	g_test_add_func("/transport/encodings", test_encodings);
	g_test_add_func("/transport/documents", test_documents);
	g_test_add_func("/transport/half-a-head", test_half_a_head);
	return g_test_run();
}
