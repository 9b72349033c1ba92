/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"
#include "format/compress.h"
#include "unit/registry/server.h"

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
	g_assert_cmpstr(server_header(q, "accept-encoding"), ==, "gzip");
	if (!g_str_equal(parts[0], "none"))
		server_reply_header(r, "Content-Encoding", parts[0]);
	if (parts[1] && g_str_has_prefix(parts[1], "gzip"))
		g_assert_true(gzip_member(6, PLAIN, strlen(PLAIN), append, bytes, NULL));
	else if (!parts[1])
		append(bytes, PLAIN, strlen(PLAIN), NULL);
	if (g_strcmp0(parts[1], "gzip-cut") == 0)
		g_byte_array_set_size(bytes, bytes->len - 5);
	g_byte_array_append(r->body, bytes->data, bytes->len);
}

static char *get(transport *t, const char *url, GError **error)
{
	g_autoptr(GByteArray) got = g_byte_array_new();
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	struct transport_request q = {
		.method = "GET", .url = url, .body_size = -1, .decode = true, .on_bytes = append, .data = got};
	if (!transport_do(t, &q, NULL, &reply, &failure, error))
		return NULL;
	return g_strndup(got->data ? (const char *)got->data : "", got->len);
}

static void test_encodings(void)
{
	static const struct {
		const char *path;
		bool gzip; /* the bytes arrive as a gzip */
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
	struct server *s = server_start(serve, NULL);
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
	server_stop(s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/transport/encodings", test_encodings);
	return g_test_run();
}
