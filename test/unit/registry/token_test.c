/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/token.h"
#include "lib/http_server.h"

/* A token server: the first component of the path selects the answer. */
struct fake {
	struct server *other; /* target of redirects */
	char *sent;           /* last request to the other server: Authorization and body */
};

static void handle(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	struct fake *f = data;
	const char *authorization = http_server_header(q, "authorization");
	g_autofree char *body = g_strndup((const char *)q->body->data, q->body->len);
	if (s == f->other) {
		g_free(f->sent);
		f->sent = g_strconcat(authorization ? authorization : "", body, NULL);
	}
	bool post = g_str_equal(q->method, "POST");
	if (g_str_equal(q->path, "/wrong"))
		return http_server_reply_text(
			r, 401, "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"bad credentials\"}]}");
	if (g_str_equal(q->path, "/details"))
		return http_server_reply_text(r, 403, "{\"details\":\"incorrect username or password\"}");
	if (g_str_equal(q->path, "/text"))
		return http_server_reply_text(r, 403, "no");
	if (g_str_equal(q->path, "/get-only") && post)
		return http_server_reply_text(r, 404, "");
	if (g_str_equal(q->path, "/post-only") && !post)
		return http_server_reply_text(r, 405, "");
	if (g_str_equal(q->path, "/moved") || g_str_equal(q->path, "/away")) {
		g_autofree char *to = g_strdup_printf("http://%s/token",
						      g_str_equal(q->path, "/away") ? f->other->address : s->address);
		http_server_reply_header(r, "Location", to);
		r->status = 307;
		return;
	}
	if (g_str_equal(q->path, "/none"))
		return http_server_reply_text(r, 200, "{}");
	if (g_str_equal(q->path, "/split"))
		return http_server_reply_text(r, 200, "{\"token\":\"a\\r\\nX: y\"}");
	http_server_reply_text(
		r, 200,
		"{\"token\":\"t\",\"access_token\":\"a\",\"expires_in\":300,\"issued_at\":\"2020-01-02T03:04:05Z\"}");
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
	g_free(x->fake.sent);
}

/* The error with HOST in place of the server's address, or NULL. */
static char *fetch(struct fixture *x, const char *path, const char *user, const char *secret, bool post_first)
{
	g_autofree char *origin = g_strdup_printf("http://%s", x->server->address);
	g_autofree char *realm = strstr(path, "://") ? g_strdup(path) : g_strconcat(origin, path, NULL);
	static const char *const scopes[] = {"repository:a/b:pull", "repository:c:pull,push", NULL};
	struct token_request q = {
		.transport = x->transport,
		.host = x->server->address,
		.origin = origin,
		.realm = realm,
		.service = "the kit",
		.scopes = scopes,
		.user = user,
		.secret = secret,
		.user_agent = "test",
		.post_first = post_first,
	};
	g_auto(registry_token) token = {0};
	g_autoptr(GError) error = NULL;
	if (token_fetch(&q, &token, &error)) {
		g_assert_cmpstr(token.text, ==, "a");
		g_assert_cmpint(token.expires_s, ==, 300);
		g_assert_cmpint(token.issued_s, ==, 1577934245);
		return NULL;
	}
	g_auto(GStrv) parts = g_strsplit(error->message, x->server->address, -1);
	return g_strjoinv("HOST", parts);
}

static void expect(struct fixture *x, const char *path, const char *secret, bool post_first, const char *text)
{
	g_autofree char *error = fetch(x, path, *secret ? "kit" : "", secret, post_first);
	g_assert_cmpstr(error, ==, text);
}

/* Order and encoding are those of Go's url.Values. */
static void test_requests(struct fixture *x, gconstpointer data)
{
	expect(x, "/token?z=1&account=kit", "", false, NULL);
	g_assert_cmpuint(http_server_count(x->server, "GET /token?account=kit&scope=repository%3Aa%2Fb%3Apull&"
						      "scope=repository%3Ac%3Apull%2Cpush&service=the+kit&z=1"),
			 ==, 1);
	expect(x, "/get-only", "secret", true, NULL);
	expect(x, "/post-only", "secret", false, NULL);
	expect(x, "/moved", "secret", false, NULL);
	expect(x, "/moved", "secret", true, NULL);
	g_assert_cmpuint(http_server_count(x->server, "POST /get-only"), ==, 1);
	g_assert_cmpuint(http_server_count(x->server, "POST /token"), ==, 1);
	g_autofree char *identity = fetch(x, "/token", "", "refresh", true);
	g_assert_cmpstr(identity, ==, NULL);
}

static void test_errors(struct fixture *x, gconstpointer data)
{
	expect(x, "/wrong", "bad", true, "failed to fetch oauth token: unauthorized: bad credentials");
	expect(x, "/wrong", "bad", false, "failed to fetch oauth token: unauthorized: bad credentials");
	expect(x, "/details", "bad", true,
	       "failed to fetch oauth token: unexpected status from POST request to http://HOST/details: 403 "
	       "Forbidden: "
	       "incorrect username or password");
	expect(x, "/text", "bad", true,
	       "failed to fetch oauth token: unexpected status from POST request to http://HOST/text: 403 Forbidden: "
	       "no");
	expect(x, "/wrong", "", true,
	       "failed to fetch anonymous token: unexpected status from GET request to "
	       "http://HOST/wrong?scope=repository%3A"
	       "a%2Fb%3Apull&scope=repository%3Ac%3Apull%2Cpush&service=the+kit: 401 Unauthorized");
	expect(x, "/none", "", true,
	       "failed to fetch anonymous token: authorization server did not include a token in the response");
	g_autofree char *split = fetch(x, "/split", "", "", false);
	g_assert_nonnull(strstr(split, "is not a valid HTTP header value"));
}

/* A password is sent to the registry's own scheme, host and port, or over https. */
static void test_secrets_stay(struct fixture *x, gconstpointer data)
{
	static const char *const forms[] = {
		"http://%s/token",     "HTTP://%s/token",           "http://127.0.0.1:1@%s/token",
		"http://localhost:%s", "http://user:word@%s/token",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
		const char *address = strstr(forms[i], "localhost") ? strchr(x->fake.other->address, ':') + 1
								    : x->fake.other->address;
		g_auto(GStrv) parts = g_strsplit(forms[i], "%s", -1);
		g_autofree char *realm = g_strjoinv(address, parts);
		for (unsigned post = 0; post < 2; post++) {
			g_autofree char *error = fetch(x, realm, "kit", "secret", post);
			g_assert_nonnull(strstr(error, "refusing to send credentials for HOST to "));
		}
	}
	g_assert_null(x->fake.sent);
	/* Redirects: a GET continues without the password, a POST fails. */
	g_autofree char *got = fetch(x, "/away", "kit", "secret", false);
	g_assert_cmpstr(got, ==, NULL);
	g_assert_cmpstr(x->fake.sent, ==, "");
	g_autofree char *posted = fetch(x, "/away", "kit", "secret", true);
	g_assert_nonnull(strstr(posted, "refusing redirect to "));
	g_assert_nonnull(strstr(posted, "the request carries credentials"));
	g_assert_cmpuint(http_server_count(x->fake.other, "POST"), ==, 0);
	/* Without a password there is nothing to protect. */
	g_autofree char *other = g_strdup_printf("http://%s/token", x->fake.other->address);
	expect(x, other, "", false, NULL);
}

#define ADD(path, fn) g_test_add("/token/" path, struct fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("requests", test_requests);
	ADD("errors", test_errors);
	ADD("secrets-stay", test_secrets_stay);
	return g_test_run();
}
