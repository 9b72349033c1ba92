/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/s3.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include "registry/libcurl.h"
#include "remotecache/attributes.h"
#include <string.h>

#define ERROR_BODY_MAX 4096
#define DEFAULT_ATTEMPTS 3
#define MAX_ATTEMPTS 20
#define FIRST_WAIT_MS 200
#define MAX_PUT_BYTES GIB(5) /* larger objects need a multipart upload */
#define DAY_NS (24 * 3600 * NS_PER_S)

struct s3 {
	gint refs;
	transport *transport; /* borrowed */
	char *bucket, *base;  /* base: URL before the key, with a slash */
	char *prefix, *manifests_prefix, *blobs_prefix;
	char **names;
	char *scope, *user_password, *session_token;
	int64_t touch_refresh_ns;
	int parallelism, attempts;
};

/* ---- attributes */

static char *attr_or(GHashTable *attrs, const char *key, const char *fallback)
{
	const char *value = g_hash_table_lookup(attrs, key);
	return g_strdup(value ? value : fallback);
}

static char *attr_or_env(GHashTable *attrs, const char *key, const char *variable, GError **error)
{
	char *value = attr_or(attrs, key, g_getenv(variable));
	if (!value)
		error_set(error, ERROR_INVALID_ARGUMENT, "%s ($%s) not set for s3 cache", key, variable);
	return value;
}

static bool read_positive(GHashTable *attrs, const char *key, int fallback, int max, int *ret, GError **error)
{
	const char *text = g_hash_table_lookup(attrs, key);
	int64_t n = fallback;
	if (text && (!int_parse(text, 10, &n, NULL) || n <= 0))
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s must be a positive integer", key);
	*ret = (int)MIN(n, max);
	return true;
}

static bool read_credentials(s3 *s, GHashTable *attrs, GError **error)
{
	const char *key = attribute(attrs, "access_key_id"), *secret = attribute(attrs, "secret_access_key");
	const char *token = attribute(attrs, "session_token");
	if (!*key || !*secret) {
		key = g_getenv("AWS_ACCESS_KEY_ID");
		secret = g_getenv("AWS_SECRET_ACCESS_KEY");
		token = g_getenv("AWS_SESSION_TOKEN");
	}
	if (!key || !secret)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "s3 cache needs access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and "
				 "AWS_SECRET_ACCESS_KEY in the daemon's environment");
	s->user_password = g_strdup_printf("%s:%s", key, secret);
	s->session_token = token && *token ? g_strdup(token) : NULL;
	return true;
}

/* Path style only with endpoint_url; otherwise the bucket is the first label of the host name. */
static bool read_endpoint(s3 *s, GHashTable *attrs, const char *region, GError **error)
{
	const char *given = attribute(attrs, "endpoint_url");
	g_autofree char *url = *given ? g_strdup(given) : g_strdup_printf("https://s3.%s.amazonaws.com", region);
	bool path_style = false;
	if (*given && !bool_parse(attribute(attrs, "use_path_style"), &path_style, NULL))
		path_style = false;
	const char *host = strstr(url, "://");
	if (!host || (!g_str_has_prefix(url, "http://") && !g_str_has_prefix(url, "https://")))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid endpoint_url: %.200s", url);
	host += strlen("://");
	while (g_str_has_suffix(url, "/"))
		url[strlen(url) - 1] = '\0';
	if (path_style)
		s->base = g_strdup_printf("%s/%s/", url, s->bucket);
	else
		s->base = g_strdup_printf("%.*s%s.%s/", (int)(host - url), url, s->bucket, host);
	return true;
}

static bool read_retries(s3 *s, GHashTable *attrs, GError **error)
{
	const char *mode = g_hash_table_lookup(attrs, "retry_mode");
	if (mode && strcmp(mode, "standard") != 0 && strcmp(mode, "adaptive") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "retry_mode must be \"standard\" or \"adaptive\"");
	return read_positive(attrs, "retry_max_attempts", DEFAULT_ATTEMPTS, MAX_ATTEMPTS, &s->attempts, error) &&
	       read_positive(attrs, "upload_parallelism", 4, 64, &s->parallelism, error);
}

s3 *s3_new(GHashTable *attrs, transport *t, GError **error)
{
	g_autoptr(s3) s = g_new0(s3, 1);
	s->refs = 1;
	s->transport = t;
	s->bucket = attr_or_env(attrs, "bucket", "AWS_BUCKET", error);
	g_autofree char *region = s->bucket ? attr_or_env(attrs, "region", "AWS_REGION", error) : NULL;
	if (!region || !read_credentials(s, attrs, error) || !read_endpoint(s, attrs, region, error) ||
	    !read_retries(s, attrs, error))
		return NULL;
	s->prefix = attr_or(attrs, "prefix", "");
	s->manifests_prefix = attr_or(attrs, "manifests_prefix", "manifests/");
	s->blobs_prefix = attr_or(attrs, "blobs_prefix", "blobs/");
	s->scope = g_strdup_printf("aws:amz:%s:s3", region);
	g_autofree char *names = attr_or(attrs, "name", "buildkit");
	s->names = *names ? g_strsplit(names, ";", -1) : g_strsplit("buildkit", ";", -1);
	if (!duration_parse(attribute(attrs, "touch_refresh"), &s->touch_refresh_ns, NULL))
		s->touch_refresh_ns = DAY_NS;
	return g_steal_pointer(&s);
}

void s3_unref(s3 *s)
{
	if (!s || !g_atomic_int_dec_and_test(&s->refs))
		return;
	g_free(s->bucket);
	g_free(s->base);
	g_free(s->prefix);
	g_free(s->manifests_prefix);
	g_free(s->blobs_prefix);
	g_strfreev(s->names);
	g_free(s->scope);
	secret_free(s->user_password);
	secret_free(s->session_token);
	g_free(s);
}

const char *const *s3_names(const s3 *s)
{
	return (const char *const *)s->names;
}

int s3_parallelism(const s3 *s)
{
	return s->parallelism;
}

int64_t s3_touch_refresh_ns(const s3 *s)
{
	return s->touch_refresh_ns;
}

char *s3_blob_key(const s3 *s, const struct digest *digest)
{
	return g_strconcat(s->prefix, s->blobs_prefix, digest->text, NULL);
}

char *s3_manifest_key(const s3 *s, const char *name)
{
	return g_strconcat(s->prefix, s->manifests_prefix, name, NULL);
}

/* ---- requests */

struct call {
	const char *method, *key;
	const char *const *more; /* headers, or NULL */
	const char *payload;     /* hex SHA-256 of the body */
};

static GPtrArray *headers_of(const s3 *s, const struct call *c)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(list, g_strconcat("x-amz-content-sha256: ", c->payload, NULL));
	if (s->session_token)
		g_ptr_array_add(list, g_strconcat("x-amz-security-token: ", s->session_token, NULL));
	for (const char *const *h = c->more; h && *h; h++)
		g_ptr_array_add(list, g_strdup(*h));
	g_ptr_array_add(list, NULL);
	return list;
}

static bool is_passing(int status)
{
	return status >= 500 || status == 429 || status == 408;
}

/* Returns the reply, or an error after all attempts. Calls again(data), if set, before each attempt. */
static bool request(s3 *s, const struct call *c, struct transport_request *q, bool (*again)(void *, GError **),
		    struct work *work, transport_reply *ret, GError **error)
{
	/* Escaped in the same way for the path and for the signed text. */
	g_autofree char *path = g_uri_escape_string(c->key, "/", FALSE), *url = g_strconcat(s->base, path, NULL);
	g_autoptr(GPtrArray) headers = headers_of(s, c);
	struct transport_signature signature = {s->scope, s->user_password};
	q->method = c->method;
	q->url = url;
	q->headers = (const char *const *)headers->pdata;
	q->signature = &signature;
	for (int attempt = 0;; attempt++) {
		g_autoptr(GError) why = NULL;
		enum transport_failure failure = TRANSPORT_OK;
		if (attempt > 0 && again && !again(q->data, error))
			return false;
		bool answered = transport_do(s->transport, q, work->cancel, ret, &failure, &why);
		bool passing = answered ? is_passing(ret->status)
					: failure == TRANSPORT_BROKEN || failure == TRANSPORT_TIMEOUT;
		if (!passing || attempt + 1 >= s->attempts) {
			if (why)
				g_propagate_error(error, g_steal_pointer(&why));
			return answered;
		}
		transport_reply_clear(ret);
		if (!cancel_sleep(work->cancel, (int64_t)FIRST_WAIT_MS << MIN(attempt, 6), error))
			return false;
	}
}

static bool refuse(const s3 *s, const struct call *c, const transport_reply *reply, GError **error)
{
	g_autofree char *body =
		reply->body ? text_from_data(reply->body->data, MIN(reply->body->len, 300)) : g_strdup("");
	return error_set(error, reply->status == 404 ? ERROR_NOT_FOUND : ERROR_UNKNOWN,
			 "s3: %s %s in bucket %s: status %d %s: %s", c->method, c->key, s->bucket, reply->status,
			 reply->reason ? reply->reason : "", body);
}

static char *empty_payload(void)
{
	struct digest digest;
	digest_of("", 0, &digest);
	return g_strdup(digest_hex(&digest));
}

bool s3_head(s3 *s, const char *key, struct s3_object *ret, struct work *work, GError **error)
{
	g_autofree char *payload = empty_payload();
	struct call c = {"HEAD", key, NULL, payload};
	struct transport_request q = {.body_size = -1, .body_max = ERROR_BODY_MAX};
	g_auto(transport_reply) reply = {0};
	if (!request(s, &c, &q, NULL, work, &reply, error))
		return false;
	*ret = (struct s3_object){.found = reply.status == 200};
	if (reply.status != 200)
		return reply.status == 404 || refuse(s, &c, &reply, error);
	const char *modified = transport_reply_header(&reply, "last-modified");
	if (modified)
		ret->modified_s = MAX(0, (int64_t)libcurl.getdate(modified, NULL));
	return true;
}

bool s3_put(s3 *s, const char *key, int fd, const void *bytes, int64_t size, const struct digest *digest,
	    struct work *work, GError **error)
{
	if (size > MAX_PUT_BYTES)
		return error_set(error, ERROR_UNIMPLEMENTED, "s3: a layer of more than %lld bytes is not supported",
				 MAX_PUT_BYTES);
	struct call c = {"PUT", key, NULL, digest_hex(digest)};
	struct transport_request q = {
		.body = bytes, .body_fd = fd, .has_body_fd = fd >= 0, .body_size = size, .body_max = ERROR_BODY_MAX};
	g_auto(transport_reply) reply = {0};
	return request(s, &c, &q, NULL, work, &reply, error) && (reply.status == 200 || refuse(s, &c, &reply, error));
}

bool s3_touch(s3 *s, const char *key, struct work *work, GError **error)
{
	g_autofree char *payload = empty_payload(), *now = time_format_rfc3339(progress_now_ns());
	g_autofree char *source = g_strdup_printf("x-amz-copy-source: %s/%s", s->bucket, key);
	g_autofree char *updated = g_strconcat("x-amz-meta-updated-at: ", now, NULL);
	const char *more[] = {source, "x-amz-metadata-directive: REPLACE", updated, NULL};
	struct call c = {"PUT", key, more, payload};
	struct transport_request q = {.body = "", .body_fd = -1, .body_size = 0, .body_max = ERROR_BODY_MAX};
	g_auto(transport_reply) reply = {0};
	return request(s, &c, &q, NULL, work, &reply, error) && (reply.status == 200 || refuse(s, &c, &reply, error));
}

bool s3_get(s3 *s, const char *key, size_t max, GBytes **ret, struct work *work, GError **error)
{
	g_autofree char *payload = empty_payload();
	struct call c = {"GET", key, NULL, payload};
	struct transport_request q = {.body_size = -1, .body_max = max};
	g_auto(transport_reply) reply = {0};
	*ret = NULL;
	if (!request(s, &c, &q, NULL, work, &reply, error))
		return false;
	if (reply.status == 404)
		return true;
	if (reply.status != 200)
		return refuse(s, &c, &reply, error);
	*ret = g_bytes_new(reply.body ? reply.body->data : NULL, reply.body ? reply.body->len : 0);
	return true;
}

/* ---- blobs */

struct download {
	blob_writer *writer;
	struct progress_transfer progress;
};

static bool take_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct download *d = data;
	if (!blob_writer_append(d->writer, bytes, n, error))
		return false;
	progress_transfer_report(&d->progress, (int64_t)blob_writer_size(d->writer), false);
	return true;
}

static bool start_over(void *data, GError **error)
{
	return blob_writer_reset(((struct download *)data)->writer, error);
}

static bool provider_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
			   GError **error)
{
	s3 *s = self;
	g_autoptr(blob_writer) writer =
		blob_store_write(into, digest, (uint64_t)(size >= 0 ? size : LIMIT_LAYER_BYTES), error);
	if (!writer)
		return false;
	g_autofree char *payload = empty_payload(), *key = s3_blob_key(s, digest);
	struct download d = {writer,
			     {.sink = work->progress, .id = digest->text, .name = "downloading", .total = size}};
	struct call c = {"GET", key, NULL, payload};
	struct transport_request q = {.body_size = -1, .body_max = ERROR_BODY_MAX, .on_bytes = take_bytes, .data = &d};
	g_auto(transport_reply) reply = {0};
	if (!request(s, &c, &q, start_over, work, &reply, error))
		return false;
	if (reply.status != 200)
		return refuse(s, &c, &reply, error);
	if (!blob_writer_commit(writer, NULL, error))
		return false;
	progress_transfer_report(&d.progress, (int64_t)blob_writer_size(writer), true);
	return true;
}

static void provider_free(void *self)
{
	s3_unref(self);
}

blob_provider *s3_provider(s3 *s)
{
	static const struct blob_provider_class class = {.fetch = provider_fetch, .free = provider_free};
	g_atomic_int_inc(&s->refs);
	return blob_provider_new(&class, s);
}
