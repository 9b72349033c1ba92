/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"
#include "base/limits.h"
#include "base/secret.h"
#include "format/compress.h"
#include "os/ca_roots.h"
#include "registry/http_failure.h"
#include "registry/libcurl.h"
#include "registry/proxy.h"
#include "trace/trace.h"
#include <errno.h>
#include <openssl/x509.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define POOL_MAX 16
#define HEADERS_MAX 256
#define HEADER_VALUE_MAX KIB(64)
#define HEADERS_BYTES_MAX ((size_t)MIB(10))
#define CONNECT_MS 30000L
#define STALL_BYTES_PER_SECOND 64L
#define ANSWER_SECONDS 600L /* a registry may take long to process a large upload */

/*
 * A handle with its own multi: connections belong to the multi, and curl_multi_wakeup ends its wait when the request is
 * canceled. libcurl does not record which roots verified a connection, so a handle serves requests with one set of roots
 * only.
 */
struct handle {
	CURL *easy;
	CURLM *multi;
	X509_STORE *roots; /* a reference; NULL: of the system */
};

struct transport {
	GMutex mu;
	GQueue idle; /* of struct handle *, newest first: open connections are used first */
};

/* One request and its response (a redirect makes another one). */
struct exchange {
	const struct transport_request *q;
	const char *method;
	bool with_body;
	struct http_url url;
	char *proxy;                /* owned; NULL: none */
	struct curl_slist *headers; /* owned */
	struct transport_reply *reply;
	size_t header_bytes;
	bool head_complete;   /* the last line of the head was received */
	bool head_done;       /* on_head ran */
	bool streaming;       /* bytes go to on_bytes */
	decompressor *gunzip; /* owned; NULL: bytes are passed unchanged */
	int64_t sent;
	bool stopped; /* a callback returned false */
	bool oversized;
	GError *error; /* owned, set by a callback */
	char detail[CURL_ERROR_SIZE];
};

transport *transport_new(void)
{
	transport *t = g_new0(transport, 1);
	g_mutex_init(&t->mu);
	g_queue_init(&t->idle);
	return t;
}

static void handle_free(gpointer data)
{
	struct handle *h = data;
	libcurl.easy_cleanup(h->easy);
	libcurl.multi_cleanup(h->multi);
	X509_STORE_free(h->roots);
	g_free(h);
}

void transport_free(transport *t)
{
	if (!t)
		return;
	g_queue_clear_full(&t->idle, handle_free);
	g_mutex_clear(&t->mu);
	g_free(t);
}

static gint roots_differ(gconstpointer handle, gconstpointer roots)
{
	return ((const struct handle *)handle)->roots != roots;
}

static struct handle *handle_take(transport *t, X509_STORE *roots, GError **error)
{
	if (!libcurl_load(error))
		return NULL;
	g_mutex_lock(&t->mu);
	GList *idle = g_queue_find_custom(&t->idle, roots, roots_differ);
	struct handle *h = idle ? idle->data : NULL;
	if (idle)
		g_queue_delete_link(&t->idle, idle);
	g_mutex_unlock(&t->mu);
	if (h)
		return h;
	h = g_new0(struct handle, 1);
	h->easy = libcurl.easy_init();
	h->multi = libcurl.multi_init();
	/* Without a descriptor for its wake-up a multi comes into being all the same, but could not be canceled. */
	bool can_wake = h->multi && libcurl.multi_wakeup(h->multi) == CURLM_OK;
	if (!h->easy || !can_wake) {
		bool no_memory = !h->easy || !h->multi;
		handle_free(h);
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "create HTTP client: %s",
				  no_memory ? "out of memory" : "no descriptor for its wake-up");
	}
	if (roots)
		X509_STORE_up_ref(roots);
	h->roots = roots;
	return h;
}

static void handle_give_back(transport *t, struct handle *h)
{
	libcurl.easy_reset(h->easy);
	g_mutex_lock(&t->mu);
	g_queue_push_head(&t->idle, h);
	struct handle *oldest = t->idle.length > POOL_MAX ? g_queue_pop_tail(&t->idle) : NULL;
	g_mutex_unlock(&t->mu);
	if (oldest)
		handle_free(oldest);
}

/* ---- responses */

void transport_reply_clear(struct transport_reply *reply)
{
	g_clear_pointer(&reply->reason, g_free);
	g_clear_pointer(&reply->url, g_free);
	g_clear_pointer(&reply->headers, g_ptr_array_unref);
	g_clear_pointer(&reply->body, g_byte_array_unref);
}

const char *transport_reply_header(const struct transport_reply *reply, const char *name)
{
	for (guint i = 0; reply->headers && i + 1 < reply->headers->len; i += 2)
		if (g_str_equal(g_ptr_array_index(reply->headers, i), name))
			return g_ptr_array_index(reply->headers, i + 1);
	return NULL;
}

static void reply_begin(struct transport_reply *reply, const char *line, size_t n)
{
	transport_reply_clear(reply);
	reply->headers = g_ptr_array_new_with_free_func(g_free);
	reply->body = g_byte_array_new();
	reply->content_length = -1;
	g_autofree char *text = g_strndup(line, n);
	g_strchomp(text);
	const char *space = strchr(text, ' ');
	reply->status = space ? (int)g_ascii_strtoll(space + 1, NULL, 10) : 0;
	const char *reason = space ? strchr(space + 1, ' ') : NULL;
	reply->reason = g_strdup(reason ? reason + 1 : "");
}

static void reply_add_header(struct transport_reply *reply, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	if (!colon || !reply->headers || reply->headers->len >= 2 * HEADERS_MAX || n > (size_t)HEADER_VALUE_MAX)
		return;
	char *name = g_ascii_strdown(line, colon - line);
	char *value = g_strstrip(g_strndup(colon + 1, n - (size_t)(colon + 1 - line)));
	if (g_str_equal(name, "content-length")) {
		char *end;
		int64_t length = g_ascii_strtoll(value, &end, 10);
		reply->content_length = *value && !*end && length >= 0 ? length : -1;
	}
	g_ptr_array_add(reply->headers, name);
	g_ptr_array_add(reply->headers, value);
}

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t len = size * n;
	x->header_bytes += len;
	if (x->header_bytes > HEADERS_BYTES_MAX) {
		error_set(&x->error, ERROR_RESOURCE_EXHAUSTED, "headers of the answer of %s are larger than %zu bytes",
			  x->url.authority, HEADERS_BYTES_MAX);
		return 0;
	}
	bool is_status = len >= 5 && g_ascii_strncasecmp(line, "HTTP/", 5) == 0;
	if (is_status)
		reply_begin(x->reply, line, len);
	else
		reply_add_header(x->reply, line, len);
	bool is_empty = len > 0 && (line[0] == '\n' || (line[0] == '\r' && len == 2));
	x->head_complete = !is_status && (x->head_complete || is_empty);
	return len;
}

static bool is_success(const struct transport_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

/* Appends to reply.body; false if there are more than body_max bytes. */
static bool keep_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct exchange *x = data;
	size_t room = x->q->body_max > x->reply->body->len ? x->q->body_max - x->reply->body->len : 0;
	g_byte_array_append(x->reply->body, bytes, (guint)MIN(n, room));
	if (n <= room)
		return true;
	/* Too many bytes: fatal for a document, ignored in an error text. */
	x->oversized = is_success(x->reply);
	x->stopped = true;
	return false;
}

static bool take_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct exchange *x = data;
	return x->streaming ? x->q->on_bytes(x->q->data, bytes, n, error) : keep_bytes(x, bytes, n, error);
}

/* Go's HTTP client decodes gzip, and so does containerd for registries. Any other encoding is part of the file. */
static void exchange_decode(struct exchange *x)
{
	const char *encoding = transport_reply_header(x->reply, "content-encoding");
	if (!x->q->decode || !is_success(x->reply) || x->reply->status == 206 || !encoding ||
	    g_ascii_strcasecmp(encoding, "gzip") != 0 || x->reply->content_length == 0)
		return;
	if (!g_str_equal(x->method, "HEAD"))
		x->gunzip = decompressor_new_gzip(UINT64_MAX, take_bytes, x);
	x->reply->content_length = -1;
}

static bool exchange_head(struct exchange *x)
{
	if (x->head_done)
		return true;
	x->head_done = true;
	x->streaming = is_success(x->reply) && x->q->on_bytes;
	exchange_decode(x);
	return !x->streaming || !x->q->on_head || x->q->on_head(x->q->data, x->reply, &x->error);
}

static bool exchange_take(struct exchange *x, const void *bytes, size_t n)
{
	return x->gunzip ? decompressor_write(x->gunzip, bytes, n, &x->error) : take_bytes(x, bytes, n, &x->error);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t len = size * n;
	if (exchange_head(x) && exchange_take(x, bytes, len))
		return len;
	x->stopped = true;
	return 0;
}

static size_t on_read(char *into, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t want = MIN(size * n, (size_t)(x->q->body_size - x->sent));
	if (want == 0)
		return 0;
	ssize_t got = (ssize_t)want;
	if (x->q->has_body_fd)
		got = TEMP_FAILURE_RETRY(pread(x->q->body_fd, into, want, x->sent));
	else
		memcpy(into, (const char *)x->q->body + x->sent, want);
	if (got <= 0) {
		error_set_errno(&x->error, got < 0 ? errno : EIO, "read request body");
		x->stopped = true;
		return CURL_READFUNC_ABORT;
	}
	x->sent += got;
	if (x->q->on_sent)
		x->q->on_sent(x->q->data, x->sent);
	return (size_t)got;
}

static int on_seek(void *data, curl_off_t offset, int origin)
{
	struct exchange *x = data;
	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- one request */

/* Not with a signature, which would cover these headers, too. */
static struct curl_slist *trace_headers(struct curl_slist *list, const struct transport_request *q)
{
	g_autofree char *parent = q->signature ? NULL : trace_parent_text(trace_current());
	const char *state = trace_state_text(trace_current());
	if (!parent)
		return list;
	g_autofree char *line = g_strconcat("traceparent: ", parent, NULL);
	list = libcurl.slist_append(list, line);
	if (!state)
		return list;
	g_autofree char *more = g_strconcat("tracestate: ", state, NULL);
	return libcurl.slist_append(list, more);
}

static struct curl_slist *header_list(const struct transport_request *q, const char *authorization, bool with_body)
{
	struct curl_slist *list = trace_headers(NULL, q);
	for (const char *const *h = q->headers; h && *h; h++)
		if (with_body || g_ascii_strncasecmp(*h, "Content-", strlen("Content-")) != 0)
			list = libcurl.slist_append(list, *h);
	if (authorization) {
		scoped_secret line = g_strconcat("Authorization: ", authorization, NULL);
		list = libcurl.slist_append(list, line);
	}
	if (q->ask_gzip)
		list = libcurl.slist_append(list, "Accept-Encoding: gzip");
	/* Avoids the round trip before a body; signed requests would also sign this header although it is not sent. */
	return q->signature ? list : libcurl.slist_append(list, "Expect:");
}

static bool set_tls(const struct handle *h, const struct transport_tls *tls, GError **error)
{
	CURL *easy = h->easy;
	if (!libcurl_set_roots(easy, h->roots, error))
		return false;
	if (!tls)
		return true;
	libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->cert_file && tls->key_file) {
		libcurl.easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
		libcurl.easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
	}
	return true;
}

static void set_body(CURL *easy, struct exchange *x)
{
	const struct transport_request *q = x->q;
	if (g_str_equal(x->method, "HEAD")) {
		libcurl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (x->with_body) {
		libcurl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		libcurl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
		libcurl.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512 * 1024L);
		libcurl.easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		libcurl.easy_setopt(easy, CURLOPT_READDATA, x);
		libcurl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		libcurl.easy_setopt(easy, CURLOPT_SEEKDATA, x);
	}
	if (!g_str_equal(x->method, "GET") || x->with_body)
		libcurl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method);
}

/* Selected here, because libcurl would use other variables and rules. */
static void set_proxy(CURL *easy, const struct exchange *x)
{
	libcurl.easy_setopt(easy, CURLOPT_PROXY, x->proxy ? x->proxy : "");
	libcurl.easy_setopt(easy, CURLOPT_NOPROXY, "");
	libcurl.easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	libcurl.easy_setopt(easy, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
}

/* libcurl gets the origin and the request target separately, so that it does not modify the target. */
static void set_url(CURL *easy, const struct exchange *x)
{
	const struct http_url *u = &x->url;
	const char *scheme = u->is_https ? "https" : "http";
	libcurl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	libcurl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	libcurl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	bool is_signed = x->q->signature != NULL; /* libcurl signs the path of the URL */
	g_autofree char *url = g_strdup_printf("%s://%s%s%s%s", scheme, u->userinfo ? u->userinfo : "",
					       u->userinfo ? "@" : "", u->authority, is_signed ? u->target : "/");
	libcurl.easy_setopt(easy, CURLOPT_URL, url);
	if (is_signed)
		return;
	bool is_absolute = !u->is_https && x->proxy && g_str_has_prefix(x->proxy, "http");
	g_autofree char *absolute = is_absolute ? g_strconcat("http://", u->authority, u->target, NULL) : NULL;
	libcurl.easy_setopt(easy, CURLOPT_REQUEST_TARGET, is_absolute ? absolute : u->target);
}

static void set_limits(CURL *easy, bool is_read)
{
	libcurl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	libcurl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	libcurl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, is_read ? STALL_BYTES_PER_SECOND : 1L);
	libcurl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, is_read ? TRANSPORT_STALL_SECONDS : ANSWER_SECONDS);
	libcurl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	libcurl.easy_setopt(easy, CURLOPT_BUFFERSIZE, 512 * 1024L);
}

static void multi_wake(void *multi)
{
	libcurl.multi_wakeup(multi);
}

static CURLcode multi_run(struct handle *h, cancel *c)
{
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	libcurl.multi_add_handle(h->multi, h->easy);
	guint watch = c ? cancel_add(c, multi_wake, h->multi) : 0;
	while (!cancel_is_set(c)) {
		int running = 0, left;
		if (libcurl.multi_perform(h->multi, &running) != CURLM_OK) {
			result = CURLE_FAILED_INIT;
			break;
		}
		CURLMsg *message = libcurl.multi_info_read(h->multi, &left);
		if (message && message->msg == CURLMSG_DONE) {
			result = message->data.result;
			break;
		}
		/* libcurl's own timers end it sooner. */
		libcurl.multi_poll(h->multi, NULL, 0, 1000, NULL);
	}
	if (watch)
		cancel_remove(c, watch);
	libcurl.multi_remove_handle(h->multi, h->easy);
	return result;
}

/* ---- end of a request */

/* "Get": the name of a method in Go's url.Error. */
static char *method_text(const char *method)
{
	char *text = g_ascii_strdown(method, -1);
	text[0] = g_ascii_toupper(text[0]);
	return text;
}

static void set_failure(const struct exchange *x, const struct handle *h, CURLcode code,
			enum transport_failure *ret_failure, GError **error)
{
	struct http_failure f = {.code = code, .detail = x->detail, .url = &x->url, .proxy = x->proxy};
	libcurl.easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &f.os_error);
	libcurl.easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &f.proxy_status);
	f.no_roots = x->url.is_https && ca_roots_is_empty(h->roots ? h->roots : ca_roots_system());
	*ret_failure = http_failure_kind(&f);
	g_autofree char *text = http_failure_text(&f);
	g_autofree char *verb = method_text(x->q->method);
	error_set(error, ERROR_UNKNOWN, "%s \"%s://%s%s\": %s", verb, x->url.is_https ? "https" : "http",
		  x->url.authority, x->url.target, text);
}

/* Returns true if there is a response; its text may be truncated if the rest was not read. */
static bool exchange_end(struct exchange *x, const struct handle *h, CURLcode code, cancel *c,
			 enum transport_failure *ret_failure, GError **error)
{
	if (x->error)
		return error_propagate(error, g_steal_pointer(&x->error));
	if (code == CURLE_OK)
		return true;
	if (!cancel_check(c, error))
		return false;
	if (x->oversized)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "response of %s is larger than %zu bytes",
				 x->url.authority, x->q->body_max);
	if (x->stopped)
		return true;
	set_failure(x, h, code, ret_failure, error);
	return false;
}

/* The method, with_body, url and headers are set. Returns false with an error if there is no response. */
static bool exchange_run(transport *t, struct exchange *x, cancel *c, enum transport_failure *ret_failure,
			 GError **error)
{
	const struct transport_request *q = x->q;
	struct handle *h = handle_take(t, q->tls ? q->tls->roots : NULL, error);
	if (!h)
		return false;
	CURL *easy = h->easy;
	if (!set_tls(h, q->tls, error)) {
		handle_give_back(t, h);
		return false;
	}
	libcurl.easy_setopt(easy, CURLOPT_HTTPHEADER, x->headers);
	if (q->signature) {
		libcurl.easy_setopt(easy, CURLOPT_AWS_SIGV4, q->signature->scope);
		libcurl.easy_setopt(easy, CURLOPT_USERPWD, q->signature->user_password);
	}
	libcurl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	libcurl.easy_setopt(easy, CURLOPT_HEADERDATA, x);
	libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, x);
	libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, x->detail);
	set_url(easy, x);
	set_proxy(easy, x);
	set_body(easy, x);
	set_limits(easy, !x->with_body);
	libcurl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, x->q->timeout_ms);
	CURLcode code = multi_run(h, c);
	if (code == CURLE_OK && !x->head_complete)
		code = CURLE_PARTIAL_FILE; /* libcurl accepts a truncated head as a response */
	/* Checks the head of a response without a body. */
	if (code == CURLE_OK && x->reply->headers &&
	    (!exchange_head(x) || (x->gunzip && !decompressor_finish(x->gunzip, &x->error)))) {
		x->stopped = true;
		code = CURLE_WRITE_ERROR;
	}
	g_clear_pointer(&x->gunzip, decompressor_free);
	bool ok = exchange_end(x, h, code, c, ret_failure, error);
	handle_give_back(t, h);
	return ok;
}

/* ---- redirects */

static bool is_redirect(const struct transport_reply *reply)
{
	int s = reply->status;
	const char *location = transport_reply_header(reply, "location");
	return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && location && *location;
}

/* A chain of redirected requests. */
struct chain {
	transport *t;
	const struct transport_request *q;
	char *url;          /* owned: of the current request */
	const char *method; /* of the current request */
	bool with_body;
	bool left_origin;
	unsigned n_requests;
};

static bool redirect_refuse(const struct chain *chain, const char *location, const char *why, GError **error)
{
	g_autofree char *verb = method_text(chain->q->method);
	g_autofree char *shown = http_url_show(chain->url);
	return error_set(error, ERROR_FAILED_PRECONDITION, "%s \"%s\": refusing redirect to %.200s: %s", verb, shown,
			 location, why);
}

static bool redirect_check(const struct chain *chain, const char *next, GError **error)
{
	const struct transport_request *q = chain->q;
	bool to_https = g_str_has_prefix(next, "https:"),
	     from_https = g_ascii_strncasecmp(chain->url, "https:", 6) == 0;
	bool is_lax = q->is_verified || (q->tls && q->tls->insecure);
	g_autofree char *shown = http_url_show(next);
	if (chain->with_body && q->body_is_secret && !to_https && !http_url_same_origin(q->url, next))
		return redirect_refuse(chain, shown, "the request carries credentials", error);
	if (from_https && !to_https && !is_lax)
		return redirect_refuse(chain, shown, "from https to http", error);
	return true;
}

/* Determines the next request for a response, by the rules of Go's net/http. */
static bool redirect_follow(struct chain *chain, const struct transport_reply *reply, GError **error)
{
	const char *location = transport_reply_header(reply, "location");
	if (chain->n_requests >= LIMIT_REDIRECTS) {
		g_autofree char *verb = method_text(chain->q->method);
		return error_set(error, ERROR_FAILED_PRECONDITION, "%s \"%.200s\": stopped after %lld redirects", verb,
				 location, LIMIT_REDIRECTS);
	}
	g_autoptr(GError) why = NULL;
	g_autofree char *next = http_url_resolve(chain->url, location, &why);
	if (!next)
		return redirect_refuse(chain, location, why->message, error);
	if (reply->status != 307 && reply->status != 308) {
		chain->with_body = false;
		if (!g_str_equal(chain->method, "HEAD"))
			chain->method = "GET";
	}
	if (!redirect_check(chain, next, error))
		return false;
	chain->left_origin = chain->left_origin || !http_url_same_origin(chain->q->url, next);
	g_free(chain->url);
	chain->url = g_steal_pointer(&next);
	return true;
}

static bool chain_authorize(const struct chain *chain, char **ret_header, GError **error)
{
	const struct transport_request *q = chain->q;
	if (chain->n_requests > 0 && q->authorize_redirect) {
		if (q->authorize_redirect(q->authorize_data, chain->url, ret_header, error))
			return true;
		return error_prefix(error, "failed to authorize redirect: ");
	}
	*ret_header = chain->left_origin ? NULL : g_strdup(q->authorization);
	return true;
}

static bool chain_request(struct chain *chain, cancel *c, struct transport_reply *reply,
			  enum transport_failure *ret_failure, GError **error)
{
	struct exchange x = {.q = chain->q, .reply = reply, .method = chain->method, .with_body = chain->with_body};
	scoped_secret authorization = NULL;
	bool ok = chain_authorize(chain, &authorization, error) && http_url_parse(chain->url, &x.url, error) &&
		  proxy_find(proxy_from_environment(), &x.url, &x.proxy, error);
	if (ok && libcurl_load(error)) {
		x.headers = header_list(chain->q, authorization, chain->with_body);
		ok = exchange_run(chain->t, &x, c, ret_failure, error);
		libcurl.slist_free_all(x.headers);
	} else {
		ok = false;
	}
	http_url_clear(&x.url);
	g_free(x.proxy);
	chain->n_requests++;
	return ok;
}

static bool do_chain(transport *t, const struct transport_request *q, cancel *c, struct transport_reply *ret_reply,
		     enum transport_failure *ret_failure, GError **error)
{
	g_auto(transport_reply) reply = {0};
	struct chain chain = {
		.t = t, .q = q, .url = g_strdup(q->url), .method = q->method, .with_body = q->body_size >= 0};
	*ret_failure = TRANSPORT_STOPPED;
	bool ok, again;
	do {
		ok = chain_request(&chain, c, &reply, ret_failure, error);
		again = ok && q->redirects && is_redirect(&reply);
		if (again && !redirect_follow(&chain, &reply, error)) {
			*ret_failure = TRANSPORT_OTHER;
			ok = again = false;
		}
	} while (again);
	if (ok) {
		reply.url = g_steal_pointer(&chain.url);
		*ret_reply = reply;
		reply = (struct transport_reply){0};
		*ret_failure = TRANSPORT_OK;
	}
	g_free(chain.url);
	return ok;
}

/*
 * The address in a span has neither a password nor a query, which may contain a signature.
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */
static void put_address(trace_span *s, const char *url)
{
	g_auto(http_url) u = {0};
	if (!s || !http_url_parse(url, &u, NULL))
		return;
	g_autofree char *path = g_strndup(u.target, strcspn(u.target, "?"));
	g_autofree char *shown = g_strdup_printf("%s://%s%s", u.is_https ? "https" : "http", u.authority, path);
	trace_put_text(s, "url.full", shown);
	trace_put_text(s, "server.address", u.host);
	trace_put_int(s, "server.port", u.port);
}

bool transport_do(transport *t, const struct transport_request *q, cancel *c, struct transport_reply *ret_reply,
		  enum transport_failure *ret_failure, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *name = trace_current() ? g_strconcat("HTTP ", q->method, NULL) : NULL;
	g_auto(trace_scope) scope = trace_scope_begin(name, TRACE_CLIENT);
	trace_put_text(scope.span, "http.request.method", q->method);
	put_address(scope.span, q->url);
	bool ok = do_chain(t, q, c, ret_reply, ret_failure, &why);
	if (ok) {
		trace_put_int(scope.span, "http.response.status_code", ret_reply->status);
		if (ret_reply->status >= 400)
			trace_set_error(scope.span, NULL);
		return true;
	}
	trace_fail(scope.span, why);
	return why ? error_propagate(error, g_steal_pointer(&why)) : false;
}
