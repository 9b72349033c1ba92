/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"
#include "base/scope.h"
#include "format/compress.h"
#include "lib/http_server.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <glib/gstdio.h>

/*
 * The server stores blobs and manifests by digest for all repositories; the first component of a repository's name
 * selects its misbehaviour ("truncate/x").
 */
struct fake {
	GHashTable *blobs; /* digest to GBytes */
	GHashTable *once;  /* set of requests that already failed once */
	GByteArray *layer;
	struct digest layer_digest;
	char *manifest;
	struct digest manifest_digest;
	struct server *other; /* target of redirects */
	bool leaked;          /* the other host received an Authorization header */
	char *tag;            /* pushed tag */
	const char *put_mode; /* misbehaviour of uploads, or NULL */
};

static bool first_time(struct fake *f, const char *what)
{
	return g_hash_table_add(f->once, g_strdup(what));
}

static void fail_json(struct server_reply *r, int status, const char *code, const char *message)
{
	g_autofree char *text = g_strdup_printf("{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\"}]}", code, message);
	http_server_reply_text(r, status, text);
}

static bool authorize(struct server *s, struct fake *f, const struct server_request *q, struct server_reply *r,
		      const char *mode)
{
	const char *sent = http_server_header(q, "authorization");
	if (g_str_equal(mode, "token-revoked") && sent && first_time(f, "revoked")) {
		g_autofree char *again = g_strdup_printf(
			"Bearer realm=\"http://%s/token\",service=\"kit\",error=\"invalid_token\"", s->address);
		http_server_reply_header(r, "WWW-Authenticate", again);
		fail_json(r, 401, "UNAUTHORIZED", "authentication required");
		return false;
	}
	if (g_str_equal(mode, "basic")) {
		if (g_strcmp0(sent, "Basic a2l0OnNlY3JldA==") == 0)
			return true;
		http_server_reply_header(r, "WWW-Authenticate", "Basic realm=\"kit\"");
	} else if (g_str_has_prefix(mode, "token")) {
		if (g_strcmp0(sent, "Bearer good") == 0)
			return true;
		g_autofree char *challenge = g_strdup_printf(
			"Bearer realm=\"http://%s/token\",service=\"kit\",scope=\"repository:x:pull\"%s", s->address,
			g_str_equal(mode, "token-scope") && sent ? ",error=\"insufficient_scope\"" : "");
		http_server_reply_header(r, "WWW-Authenticate", challenge);
	} else if (g_str_equal(mode, "foreign-realm")) {
		http_server_reply_header(r, "WWW-Authenticate",
					 "Bearer realm=\"http://127.0.0.2:1/token\",service=\"kit\"");
	} else {
		return true;
	}
	fail_json(r, 401, "UNAUTHORIZED", "authentication required");
	return false;
}

static void serve_token(struct server *s, const struct server_request *q, struct server_reply *r)
{
	const char *sent = http_server_header(q, "authorization");
	bool good = g_strcmp0(sent, "Basic a2l0OnNlY3JldA==") == 0;
	http_server_reply_text(r, 200, good ? "{\"token\":\"good\",\"expires_in\":300}" : "{\"token\":\"anon\"}");
}

static void serve_manifest(struct fake *f, const struct server_request *q, struct server_reply *r, const char *mode,
			   const char *name)
{
	if (g_str_equal(q->method, "PUT")) {
		g_free(f->tag);
		f->tag = g_strdup(name);
		r->status = 201;
		return;
	}
	bool known = g_str_equal(name, "latest") || g_str_equal(name, f->manifest_digest.text);
	if (!known || g_str_equal(mode, "push")) {
		fail_json(r, 404, "MANIFEST_UNKNOWN", "manifest unknown");
		return;
	}
	if (g_str_equal(mode, "500once") && first_time(f, "500"))
		return fail_json(r, 500, "UNKNOWN", "injected");
	if (g_str_equal(mode, "500"))
		return fail_json(r, 500, "UNKNOWN", "injected");
	if (g_str_equal(mode, "429") && first_time(f, "429")) {
		http_server_reply_header(r, "Retry-After", "1");
		return fail_json(r, 429, "TOOMANYREQUESTS", "slow down");
	}
	if (g_str_equal(mode, "429long")) {
		http_server_reply_header(r, "Retry-After", "3600");
		return fail_json(r, 429, "TOOMANYREQUESTS", "slow down");
	}
	if (g_str_equal(mode, "403"))
		return fail_json(r, 403, "DENIED", "injected");
	http_server_reply_header(r, "Content-Type", DOCKER_MANIFEST);
	if (!g_str_equal(mode, "nodigest"))
		http_server_reply_header(r, "Docker-Content-Digest", f->manifest_digest.text);
	http_server_reply_text(r, 200, f->manifest);
	if (g_str_equal(mode, "badmanifest") && g_str_equal(q->method, "GET"))
		http_server_reply_text(r, 200, " ");
}

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static void serve_blob(struct server *s, struct fake *f, const struct server_request *q, struct server_reply *r,
		       const char *mode, const char *name)
{
	GBytes *bytes = g_hash_table_lookup(f->blobs, name);
	if (!bytes) {
		fail_json(r, 404, "BLOB_UNKNOWN", "blob unknown to registry");
		return;
	}
	gsize n;
	const guint8 *data = g_bytes_get_data(bytes, &n);
	if (g_str_has_prefix(mode, "redirect")) {
		g_autofree char *to =
			g_strdup_printf("http://%s/%s/%s", f->other->address,
					g_str_equal(mode, "redirect-auth") ? "guarded" : "elsewhere", name);
		http_server_reply_header(r, "Location", to);
		r->status = 307;
		return;
	}
	gsize from = 0;
	const char *range = http_server_header(q, "range");
	if (range && !g_str_equal(mode, "norange") && !g_str_equal(mode, "gzip-label")) {
		from = (gsize)g_ascii_strtoull(range + strlen("bytes="), NULL, 10);
		g_autofree char *text = g_strdup_printf("bytes %zu-%zu/%zu", from, n - 1, n);
		http_server_reply_header(r, "Content-Range", text);
		r->status = 206;
	}
	g_byte_array_append(r->body, data + from, (guint)(n - from));
	bool truncates = g_str_equal(mode, "truncate") || g_str_equal(mode, "norange");
	if (truncates && first_time(f, mode)) {
		g_autofree char *length = g_strdup_printf("%zu", n - from);
		http_server_reply_header(r, "Content-Length", length);
		r->cut = (gssize)((n - from) / 2);
	}
	if (g_str_equal(mode, "gzip-label")) {
		g_autoptr(GByteArray) packed = g_byte_array_new();
		assert_succeeds(gzip_member(1, (const char *)r->body->data, r->body->len, append, packed, &failure));
		g_byte_array_set_size(r->body, 0);
		g_byte_array_append(r->body, packed->data, packed->len);
		http_server_reply_header(r, "Content-Encoding", "gzip");
		if (first_time(f, mode)) {
			g_autofree char *length = g_strdup_printf("%u", packed->len);
			http_server_reply_header(r, "Content-Length", length);
			r->cut = packed->len / 2;
		}
	}
	if (g_str_equal(mode, "flip"))
		r->body->data[100] ^= 1;
	if (g_str_equal(mode, "longer"))
		g_byte_array_append(r->body, (const guint8 *)"x", 1);
}

static void serve_upload(struct server *s, struct fake *f, const struct server_request *q, struct server_reply *r,
			 const char *mode)
{
	if (g_str_equal(q->method, "POST")) {
		const char *mount = strstr(q->query, "mount=");
		if (mount && strstr(q->query, "from=library/base")) {
			r->status = 201;
			return;
		}
		http_server_reply_header(r, "Location", "/v2/upload-session?state=1");
		r->status = 202;
		return;
	}
	if (g_str_equal(mode, "put500") && first_time(f, "put"))
		return fail_json(r, 500, "UNKNOWN", "injected");
	if (g_str_equal(mode, "put408") && first_time(f, "put"))
		return fail_json(r, 408, "UNKNOWN", "injected");
	const char *digest = strstr(q->query, "digest=");
	struct digest got;
	digest_of(q->body->data, q->body->len, &got);
	if (!digest || !g_str_equal(digest + strlen("digest="), got.text))
		return fail_json(r, 400, "DIGEST_INVALID", "digest");
	g_hash_table_replace(f->blobs, g_strdup(got.text), g_bytes_new(q->body->data, q->body->len));
	r->status = g_str_equal(mode, "put200") ? 200 : 201;
	if (g_str_equal(mode, "putlie"))
		http_server_reply_header(r, "Docker-Content-Digest", f->manifest_digest.text);
}

static void handle(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	struct fake *f = data;
	if (g_str_equal(q->path, "/token"))
		return serve_token(s, q, r);
	if (g_str_has_prefix(q->path, "/elsewhere/")) {
		f->leaked = f->leaked || http_server_header(q, "authorization");
		return serve_blob(s, f, q, r, "", q->path + strlen("/elsewhere/"));
	}
	if (g_str_has_prefix(q->path, "/guarded/")) {
		const char *sent = http_server_header(q, "authorization");
		f->leaked = f->leaked || (sent && first_time(f, "guarded"));
		if (g_strcmp0(sent, "Basic a2l0OnNlY3JldA==") == 0)
			return serve_blob(s, f, q, r, "", q->path + strlen("/guarded/"));
		g_hash_table_add(f->once, g_strdup("guarded"));
		http_server_reply_header(r, "WWW-Authenticate", "Basic realm=\"other\"");
		return fail_json(r, 401, "UNAUTHORIZED", "authentication required");
	}
	bool is_write = g_str_equal(q->method, "POST") || g_str_equal(q->method, "PUT");
	if (f->put_mode && g_str_equal(f->put_mode, "307") && is_write && !strstr(q->query, "moved=1")) {
		g_autofree char *to = g_strdup_printf("%s?moved=1%s%s", q->path, *q->query ? "&" : "", q->query);
		http_server_reply_header(r, "Location", to);
		r->status = 307;
		return;
	}
	if (g_str_equal(q->path, "/v2/upload-session"))
		return serve_upload(s, f, q, r, f->put_mode ? f->put_mode : "");
	g_auto(GStrv) parts = g_strsplit(q->path + strlen("/v2/"), "/", -1);
	guint n = g_strv_length(parts);
	const char *mode = parts[0];
	if (n < 3 || !authorize(s, f, q, r, mode))
		return;
	if (strstr(q->path, "/manifests/"))
		serve_manifest(f, q, r, mode, parts[n - 1]);
	else if (strstr(q->path, "/blobs/uploads/"))
		serve_upload(s, f, q, r, mode);
	else
		serve_blob(s, f, q, r, mode, parts[n - 1]);
}

/* ---- fixture */

struct fixture {
	struct fake fake;
	struct server *server;
	registry *registry;
	blob_store *blobs;
	char *directory;
	struct work work;
};
static const char *user = "", *secret = "";

static bool credentials(struct work *work, const char *host, char **ret_user, char **ret_secret, GError **error)
{
	*ret_user = g_strdup(user);
	*ret_secret = g_strdup(secret);
	return true;
}
static char *identity(struct work *work)
{
	return g_strconcat("session ", user, NULL);
}
static const struct registry_auth auth = {.credentials = credentials, .identity = identity};

static void set_up(struct fixture *x, gconstpointer data)
{
	struct fake *f = &x->fake;
	f->blobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	f->once = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	f->layer = g_byte_array_new();
	for (guint i = 0; i < 3 * 1000 * 1000; i++) {
		guint8 byte = (guint8)(i * 2654435761u >> 24);
		g_byte_array_append(f->layer, &byte, 1);
	}
	digest_of(f->layer->data, f->layer->len, &f->layer_digest);
	g_hash_table_insert(f->blobs, g_strdup(f->layer_digest.text), g_bytes_new(f->layer->data, f->layer->len));
	f->manifest = g_strdup("{\"schemaVersion\":2,\"layers\":[]}");
	digest_of_text(f->manifest, &f->manifest_digest);
	x->server = http_server_start(handle, f);
	f->other = http_server_start(handle, f);
	x->registry = registry_new(&(struct registry_config){.user_agent = "test"});
	x->directory = g_dir_make_tmp("registry-test-XXXXXX", NULL);
	scoped_fd fd = open(x->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x->blobs = blob_store_open(fd, NULL);
	g_assert_nonnull(x->blobs);
	user = "";
	secret = "";
}

static void tear_down(struct fixture *x, gconstpointer data)
{
	registry_free(x->registry);
	http_server_stop(x->server);
	http_server_stop(x->fake.other);
	blob_store_close(x->blobs);
	g_hash_table_unref(x->fake.blobs);
	g_hash_table_unref(x->fake.once);
	g_byte_array_unref(x->fake.layer);
	g_free(x->fake.manifest);
	g_free(x->fake.tag);
	g_autofree char *argv0 = g_strdup("rm");
	char *argv[] = {argv0, (char *)"-rf", x->directory, NULL};
	g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(x->directory);
}

static reference *name(const struct fixture *x, const char *repository)
{
	g_autofree char *text = g_strdup_printf("%s/%s", x->server->address, repository);
	GError *error = NULL;
	reference *r = reference_parse_normalized(text, &error);
	g_assert_no_error(error);
	reference_tag_default(r);
	return r;
}

static char *resolve_error(struct fixture *x, const char *repository)
{
	g_autoptr(reference) ref = name(x, repository);
	oci_descriptor *d = NULL;
	g_autoptr(GError) error = NULL;
	if (registry_resolve(x->registry, ref, &auth, &x->work, &d, NULL, &error)) {
		g_assert_cmpstr(d->digest.text, ==, x->fake.manifest_digest.text);
		g_assert_cmpint(d->size, ==, strlen(x->fake.manifest));
		g_assert_cmpstr(d->media_type, ==, DOCKER_MANIFEST);
		oci_descriptor_free(d);
		return NULL;
	}
	/* The port differs between runs. */
	g_auto(GStrv) parts = g_strsplit(error->message, x->server->address, -1);
	return g_strjoinv("HOST", parts);
}

static void resolve_ok(struct fixture *x, const char *repository)
{
	g_autofree char *error = resolve_error(x, repository);
	g_assert_cmpstr(error, ==, NULL);
}

static void resolve_fails(struct fixture *x, const char *repository, const char *text)
{
	g_autofree char *error = resolve_error(x, repository);
	g_assert_cmpstr(error, ==, text);
}

static char *fetch_error(struct fixture *x, const char *repository, int64_t size)
{
	g_autoptr(reference) ref = name(x, repository);
	g_autoptr(oci_descriptor) d = oci_descriptor_new(OCI_LAYER_GZIP, &x->fake.layer_digest, size);
	g_autoptr(GPtrArray) layers = g_ptr_array_new();
	g_ptr_array_add(layers, d);
	g_autoptr(blob_provider) p = registry_provider_of(x->registry, ref, &auth, layers);
	g_autoptr(GError) error = NULL;
	bool ok = blob_provider_fetch(p, x->blobs, &x->fake.layer_digest, size, &x->work, &error);
	g_assert_true(ok == (error == NULL));
	g_assert_true(ok == blob_store_has(x->blobs, &x->fake.layer_digest));
	return error ? g_strdup(error->message) : NULL;
}

static void fetch_ok(struct fixture *x, const char *repository)
{
	g_autofree char *error = fetch_error(x, repository, (int64_t)x->fake.layer->len);
	g_assert_cmpstr(error, ==, NULL);
}

/* ---- tests */

static void test_resolve(struct fixture *x, gconstpointer data)
{
	resolve_ok(x, "plain/app");
	g_assert_cmpuint(http_server_count(x->server, "HEAD "), ==, 1);
	g_assert_cmpuint(http_server_count(x->server, "GET "), ==, 0);
	resolve_ok(x, "nodigest/app");
	resolve_fails(x, "plain/app:none", "HOST/plain/app:none: not found");
	resolve_fails(x, "403/app",
		      "unexpected status from HEAD request to http://HOST/v2/403/app/manifests/latest: 403 Forbidden\n"
		      "denied: injected");
	/* A Retry-After of an hour is not respected: it is retried with our delay, five times in all. */
	resolve_fails(x, "429long/app",
		      "unexpected status from HEAD request to http://HOST/v2/429long/app/manifests/latest: 429 Status");
	g_assert_cmpuint(http_server_count(x->server, "HEAD /v2/429long/"), ==, 5);
}

static void test_resolve_bytes(struct fixture *x, gconstpointer data)
{
	g_autoptr(reference) ref = name(x, "plain/app");
	g_autoptr(oci_descriptor) d = NULL;
	g_autoptr(GBytes) bytes = NULL;
	GError *error = NULL;
	g_assert_true(registry_resolve(x->registry, ref, &auth, &x->work, &d, &bytes, &error));
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, strlen(x->fake.manifest));
	g_autoptr(GBytes) again = registry_fetch_small(x->registry, ref, d, 1000, &auth, &x->work, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(bytes, again));
	g_assert_null(registry_fetch_small(x->registry, ref, d, 10, &auth, &x->work, &error));
	g_assert_error(error, error_domain(), ERROR_RESOURCE_EXHAUSTED);
	g_clear_error(&error);
	g_autoptr(reference) bad = name(x, "badmanifest/app");
	g_assert_null(registry_fetch_small(x->registry, bad, d, 1000, &auth, &x->work, &error));
	g_assert_true(g_str_has_prefix(error->message, "failed commit on ref \"manifest-sha256:"));
	g_assert_nonnull(strstr(error->message, ": unexpected commit digest sha256:"));
	g_clear_error(&error);
}

static void test_retries(struct fixture *x, gconstpointer data)
{
	resolve_ok(x, "500once/app");
	gint64 before = g_get_monotonic_time();
	resolve_ok(x, "429/app");
	g_assert_cmpint(g_get_monotonic_time() - before, >=, G_USEC_PER_SEC);
	g_autoptr(cancel) c = cancel_new(NULL);
	cancel_set(c, ERROR_CANCELED, NULL);
	x->work.cancel = c;
	g_autofree char *error = resolve_error(x, "500/app");
	g_assert_cmpstr(error, ==, "context canceled");
}

static void test_no_answer(struct fixture *x, gconstpointer data)
{
	g_autoptr(reference) ref = reference_parse_normalized("127.0.0.1:1/a/b:c", NULL);
	oci_descriptor *d = NULL;
	g_autoptr(GError) error = NULL;
	g_assert_false(registry_resolve(x->registry, ref, NULL, &x->work, &d, NULL, &error));
	g_assert_cmpstr(error->message, ==,
			"failed to do request: Head \"http://127.0.0.1:1/v2/a/b/manifests/c\": "
			"dial tcp 127.0.0.1:1: connect: connection refused");
}

static void test_auth(struct fixture *x, gconstpointer data)
{
	resolve_fails(
		x, "basic/app",
		"unexpected status from HEAD request to http://HOST/v2/basic/app/manifests/latest: 401 Unauthorized");
	resolve_fails(
		x, "token/app",
		"unexpected status from HEAD request to http://HOST/v2/token/app/manifests/latest: 401 Unauthorized");
	resolve_fails(x, "token-scope/app",
		      "pull access denied, repository does not exist or may require authorization: server "
		      "message: insufficient_scope: authorization failed");
	user = "kit";
	secret = "secret";
	resolve_ok(x, "basic/app");
	resolve_ok(x, "token/app");
	/* The second time the token exists before it is needed. */
	guint asked = http_server_count(x->server, "GET /token"), heads = http_server_count(x->server, "HEAD ");
	resolve_ok(x, "token/app");
	g_assert_cmpuint(http_server_count(x->server, "GET /token"), ==, asked);
	g_assert_cmpuint(http_server_count(x->server, "HEAD "), ==, heads + 1);
	fetch_ok(x, "token/app");
	g_autofree char *error = resolve_error(x, "foreign-realm/app");
	g_assert_nonnull(strstr(error, "refusing to send credentials for HOST to http://127.0.0.2:1/token"));
}

/* A token that is refused early is requested again; a token for one repository is not used for another. */
static void test_tokens(struct fixture *x, gconstpointer data)
{
	user = "kit";
	secret = "secret";
	resolve_ok(x, "token-revoked/app");
	g_assert_cmpuint(http_server_count(x->server, "GET /token"), ==, 2);
	resolve_ok(x, "token/one");
	resolve_ok(x, "token/two");
	g_assert_cmpuint(
		http_server_count(x->server,
				  "GET /token?scope=repository%3Atoken%2Ftwo%3Apull&scope=repository%3Ax%3Apull&"),
		==, 1);
}

/* The target of a redirect gets its own credentials, and only if it requests them. */
static void test_redirect_asks(struct fixture *x, gconstpointer data)
{
	user = "kit";
	secret = "secret";
	resolve_ok(x, "basic/app");
	fetch_ok(x, "redirect-auth/app");
	g_assert_false(x->fake.leaked);
	g_assert_cmpuint(http_server_count(x->fake.other, "GET /guarded/"), ==, 2);
}

static void test_fetch(struct fixture *x, gconstpointer data)
{
	fetch_ok(x, "plain/app");
	guint gets = http_server_count(x->server, "GET ");
	fetch_ok(x, "plain/app"); /* the blob exists */
	g_assert_cmpuint(http_server_count(x->server, "GET "), ==, gets);
}

static void test_fetch_resumes(struct fixture *x, gconstpointer data)
{
	fetch_ok(x, data);
	g_assert_cmpuint(http_server_count(x->server, "GET "), ==, 2);
}

static void test_fetch_redirect(struct fixture *x, gconstpointer data)
{
	user = "kit";
	secret = "secret";
	/* Makes the client have credentials for this host, so that a leak would be detected. */
	resolve_ok(x, "basic/app");
	fetch_ok(x, "redirect/app");
	g_assert_cmpuint(http_server_count(x->fake.other, "GET /elsewhere/"), ==, 1);
	g_assert_false(x->fake.leaked);
}

static void test_fetch_wrong(struct fixture *x, gconstpointer data)
{
	int64_t size = (int64_t)x->fake.layer->len;
	g_autofree char *flipped = fetch_error(x, "flip/app", size);
	g_assert_true(g_str_has_prefix(flipped, "failed commit on ref \"layer-sha256:"));
	g_autofree char *longer = fetch_error(x, "longer/app", size);
	g_assert_nonnull(strstr(longer, "is larger than declared"));
	g_autofree char *declared = fetch_error(x, "plain/app", size - 1);
	g_assert_nonnull(strstr(declared, "is larger than declared"));
	g_hash_table_remove_all(x->fake.blobs);
	g_autofree char *missing = fetch_error(x, "plain/app", size);
	g_autofree char *text =
		g_strdup_printf("failed to copy: httpReadSeeker: failed open: could not fetch content descriptor %s "
				"(" OCI_LAYER_GZIP ") from remote: not found",
				x->fake.layer_digest.text);
	g_assert_cmpstr(missing, ==, text);
}

static bool push(struct fixture *x, const char *repository, const char *from, GError **error)
{
	g_autoptr(reference) ref = name(x, repository);
	static const char text[] = "a blob to push";
	struct digest digest;
	digest_of(text, strlen(text), &digest);
	g_autoptr(oci_descriptor) d = oci_descriptor_new(OCI_CONFIG, &digest, strlen(text));
	struct digest stored;
	assert_succeeds(blob_store_put(x->blobs, text, strlen(text), &stored, &failure));
	scoped_fd fd = blob_store_find(x->blobs, &stored, NULL);
	struct registry_push_options o = {0};
	if (!registry_push_blob(x->registry, ref, d, fd, from, &auth, &o, &x->work, error))
		return false;
	g_autoptr(oci_descriptor) m =
		oci_descriptor_new(OCI_MANIFEST, &x->fake.manifest_digest, (int64_t)strlen(x->fake.manifest));
	return registry_push_manifest(x->registry, ref, m, x->fake.manifest, true, &auth, &o, &x->work, error);
}

static void test_push(struct fixture *x, gconstpointer data)
{
	GError *error = NULL;
	g_assert_true(push(x, "push/app:v1", NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpstr(x->fake.tag, ==, "v1");
	guint puts = http_server_count(x->server, "PUT /v2/upload-session");
	g_assert_cmpuint(puts, ==, 1);
	g_assert_true(push(x, "push/app:v2", NULL, &error)); /* the blob exists */
	g_assert_cmpuint(http_server_count(x->server, "PUT /v2/upload-session"), ==, puts);
}

static void test_push_retry(struct fixture *x, gconstpointer data)
{
	GError *error = NULL;
	x->fake.put_mode = data;
	g_assert_true(push(x, "push/app:v1", NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(http_server_count(x->server, "POST "), ==, 2);
}

/* Redirects of POST and PUT repeat the body; some registries answer 200; the digest of the answer is checked. */
static void test_push_answers(struct fixture *x, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	x->fake.put_mode = data;
	bool ok = push(x, "push/app:v1", NULL, &error);
	if (g_str_equal(data, "putlie")) {
		g_assert_false(ok);
		g_assert_true(g_str_has_prefix(error->message, "failed commit on ref \"config-sha256:"));
		g_assert_nonnull(strstr(error->message, "\": got digest sha256:"));
		return;
	}
	g_assert_no_error(error);
	g_assert_cmpstr(x->fake.tag, ==, "v1");
	g_assert_cmpuint(http_server_count(x->server, "PUT /v2/push/app/manifests/v1"), ==,
			 g_str_equal(data, "307") ? 2 : 1);
}

static void test_push_mount(struct fixture *x, gconstpointer data)
{
	GError *error = NULL;
	g_assert_true(push(x, "push/app:v1", "library/base", &error));
	g_assert_cmpuint(http_server_count(x->server, "PUT /v2/upload-session"), ==, 0);
	g_assert_true(push(x, "push/app:v1", "library/other", &error));
	g_assert_cmpuint(http_server_count(x->server, "PUT /v2/upload-session"), ==, 1);
}

static void test_push_denied(struct fixture *x, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(push(x, "token/app:v1", NULL, &error));
	g_autofree char *prefix = g_strdup_printf(
		"unexpected status from HEAD request to http://%s/v2/token/app/blobs/sha256:", x->server->address);
	g_assert_true(g_str_has_prefix(error->message, prefix));
	g_assert_true(g_str_has_suffix(error->message, ": 401 Unauthorized"));
}

static void test_mirrors(struct fixture *x, gconstpointer data)
{
	const char *mirrors[] = {"127.0.0.1:1", x->server->address, NULL};
	const struct registry_host hosts[] = {
		{.host = "mirror.invalid", .mirrors = mirrors, .http = -1, .insecure = -1},
	};
	g_autoptr(registry) r =
		registry_new(&(struct registry_config){.hosts = hosts, .n_hosts = 1, .user_agent = "test"});
	g_autoptr(reference) ref = reference_parse_normalized("mirror.invalid/plain/app:latest", NULL);
	g_autoptr(oci_descriptor) d = NULL;
	GError *error = NULL;
	g_assert_true(registry_resolve(r, ref, &auth, &x->work, &d, NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(http_server_count(x->server, "HEAD /v2/plain/app/manifests/latest?ns=mirror.invalid"), ==, 1);
}

#define ADD(path, data, fn) g_test_add("/registry/" path, struct fixture, data, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	ADD("resolve", NULL, test_resolve);
	ADD("resolve/bytes", NULL, test_resolve_bytes);
	ADD("retries", NULL, test_retries);
	ADD("no-answer", NULL, test_no_answer);
	ADD("auth", NULL, test_auth);
	ADD("tokens", NULL, test_tokens);
	ADD("fetch/redirect-asks", NULL, test_redirect_asks);
	ADD("fetch", NULL, test_fetch);
	ADD("fetch/resumes", "truncate/app", test_fetch_resumes);
	ADD("fetch/starts-over", "norange/app", test_fetch_resumes);
	ADD("fetch/decodes", "gzip-label/app", test_fetch_resumes);
	ADD("fetch/redirect", NULL, test_fetch_redirect);
	ADD("fetch/wrong", NULL, test_fetch_wrong);
	ADD("push", NULL, test_push);
	ADD("push/retry", "put500", test_push_retry);
	ADD("push/retry-408", "put408", test_push_retry);
	ADD("push/redirect", "307", test_push_answers);
	ADD("push/answer-200", "put200", test_push_answers);
	ADD("push/answer-lies", "putlie", test_push_answers);
	ADD("push/mount", NULL, test_push_mount);
	ADD("push/denied", NULL, test_push_denied);
	ADD("mirrors", NULL, test_mirrors);
	return g_test_run();
}
