/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"
#include "base/limits.h"
#include "base/secret.h"
#include "format/compress.h"
#include "registry/libcurl.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define POOL_MAX 16
#define HEADERS_MAX 256
#define HEADER_VALUE_MAX KIB(64)
#define CONNECT_MS 30000L
#define STALL_SECONDS 60L
#define STALL_BYTES_PER_SECOND 64L
#define ANSWER_SECONDS 600L /* a registry may take long to take in a large upload */

/* A handle with its own multi: connections live in the multi, and curl_multi_poll waits for a cancel fd too. */
struct handle {
	CURL *easy;
	CURLM *multi;
};

struct transport {
	GMutex mu;
	GQueue idle; /* of struct handle *, newest first: warm connections are used first */
};

/* One exchange (a redirect makes another one). */
struct exchange {
	const struct transport_request *q;
	struct transport_reply *reply;
	bool head_done;       /* on_head ran */
	bool streaming;       /* bytes go to on_bytes */
	decompressor *gunzip; /* owned; NULL: the bytes are as they came */
	int64_t sent;
	bool stopped; /* a callback said no */
	bool oversized;
	GError *error; /* owned, of a callback */
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

static struct handle *handle_take(transport *t, GError **error)
{
	if (!libcurl_load(error))
		return NULL;
	g_mutex_lock(&t->mu);
	struct handle *h = g_queue_pop_head(&t->idle);
	g_mutex_unlock(&t->mu);
	if (h)
		return h;
	h = g_new0(struct handle, 1);
	h->easy = libcurl.easy_init();
	h->multi = libcurl.multi_init();
	return h;
}

static void handle_give_back(transport *t, struct handle *h)
{
	libcurl.easy_reset(h->easy);
	g_mutex_lock(&t->mu);
	bool keep = t->idle.length < POOL_MAX;
	if (keep)
		g_queue_push_head(&t->idle, h);
	g_mutex_unlock(&t->mu);
	if (!keep)
		handle_free(h);
}

/* ---- replies */

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
	if (len >= 5 && g_ascii_strncasecmp(line, "HTTP/", 5) == 0)
		reply_begin(x->reply, line, len);
	else
		reply_add_header(x->reply, line, len);
	return len;
}

static bool is_success(const struct transport_reply *reply)
{
	return reply->status >= 200 && reply->status < 300;
}

static bool stream_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct exchange *x = data;
	return x->q->on_bytes(x->q->data, bytes, n, error);
}

/*
 * A gzip that answers the Accept-Encoding added here is undone, as Go's HTTP client does. Any other label belongs to the
 * file, which is stored as it came.
 */
static void exchange_decode(struct exchange *x)
{
	const char *encoding = transport_reply_header(x->reply, "content-encoding");
	if (!x->q->decode || !x->streaming || !encoding || g_ascii_strcasecmp(encoding, "gzip") != 0 ||
	    x->reply->content_length == 0)
		return;
	x->gunzip = decompressor_new_gzip(UINT64_MAX, stream_bytes, x);
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

static bool exchange_stream(struct exchange *x, const void *bytes, size_t n)
{
	return x->gunzip ? decompressor_write(x->gunzip, bytes, n, &x->error) : stream_bytes(x, bytes, n, &x->error);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	size_t len = size * n;
	if (!exchange_head(x) || (x->streaming && !exchange_stream(x, bytes, len))) {
		x->stopped = true;
		return 0;
	}
	if (x->streaming)
		return len;
	size_t room = x->q->body_max > x->reply->body->len ? x->q->body_max - x->reply->body->len : 0;
	g_byte_array_append(x->reply->body, (const guint8 *)bytes, (guint)MIN(len, room));
	if (len <= room)
		return len;
	/* Too much: fatal for a document, of no interest in the text of an error. */
	x->oversized = is_success(x->reply);
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

/* ---- one exchange */

static bool host_is_loopback(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
	const char *host = uri ? g_uri_get_host(uri) : NULL;
	if (!host)
		return false;
	return g_str_equal(host, "localhost") || g_str_has_prefix(host, "127.") || g_str_equal(host, "::1");
}

static struct curl_slist *header_list(const struct transport_request *q, bool may_authorize)
{
	struct curl_slist *list = NULL;
	for (const char *const *h = q->headers; h && *h; h++)
		list = libcurl.slist_append(list, *h);
	if (may_authorize && q->authorization) {
		scoped_secret line = g_strconcat("Authorization: ", q->authorization, NULL);
		list = libcurl.slist_append(list, line);
	}
	/* No round trip before a body; where headers are signed this would be, too, though it is not sent. */
	if (q->decode)
		list = libcurl.slist_append(list, "Accept-Encoding: gzip");
	return q->signature ? list : libcurl.slist_append(list, "Expect:");
}

static void set_tls(CURL *easy, const struct transport_tls *tls)
{
	libcurl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!tls)
		return;
	libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	libcurl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	if (tls->ca_pem) {
		gsize n;
		const void *pem = g_bytes_get_data(tls->ca_pem, &n);
		struct curl_blob blob = {.data = (void *)pem, .len = n, .flags = CURL_BLOB_NOCOPY};
		libcurl.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	}
	if (tls->cert_file && tls->key_file) {
		libcurl.easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
		libcurl.easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
	}
}

static void set_body(CURL *easy, struct exchange *x, const char *method)
{
	const struct transport_request *q = x->q;
	if (g_str_equal(method, "HEAD")) {
		libcurl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (q->body_size >= 0) {
		libcurl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		libcurl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
		libcurl.easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512 * 1024L);
		libcurl.easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		libcurl.easy_setopt(easy, CURLOPT_READDATA, x);
		libcurl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		libcurl.easy_setopt(easy, CURLOPT_SEEKDATA, x);
	}
	if (!g_str_equal(method, "GET") || q->body_size >= 0)
		libcurl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_limits(CURL *easy, bool is_read)
{
	libcurl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	libcurl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	libcurl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, is_read ? STALL_BYTES_PER_SECOND : 1L);
	libcurl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, is_read ? STALL_SECONDS : ANSWER_SECONDS);
	libcurl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	libcurl.easy_setopt(easy, CURLOPT_BUFFERSIZE, 512 * 1024L);
}

static CURLcode multi_run(struct handle *h, cancel *c)
{
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	libcurl.multi_add_handle(h->multi, h->easy);
	struct curl_waitfd wait = {.fd = cancel_fd(c), .events = CURL_WAIT_POLLIN};
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
		libcurl.multi_poll(h->multi, wait.fd >= 0 ? &wait : NULL, wait.fd >= 0 ? 1 : 0, 1000, NULL);
	}
	libcurl.multi_remove_handle(h->multi, h->easy);
	return result;
}

static CURLcode exchange_run(struct handle *h, struct exchange *x, const char *method, const char *url,
			     bool may_authorize, cancel *c)
{
	CURL *easy = h->easy;
	struct curl_slist *headers = header_list(x->q, may_authorize);
	libcurl.easy_setopt(easy, CURLOPT_URL, url);
	libcurl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	libcurl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	libcurl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (x->q->signature) {
		libcurl.easy_setopt(easy, CURLOPT_AWS_SIGV4, x->q->signature->scope);
		libcurl.easy_setopt(easy, CURLOPT_USERPWD, x->q->signature->user_password);
	}
	libcurl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	libcurl.easy_setopt(easy, CURLOPT_HEADERDATA, x);
	libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, x);
	libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, x->detail);
	if (host_is_loopback(url))
		libcurl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	set_tls(easy, x->q->tls);
	set_body(easy, x, method);
	set_limits(easy, x->q->body_size < 0);
	CURLcode result = multi_run(h, c);
	libcurl.slist_free_all(headers);
	/* An answer without a body has its head looked at here. */
	if (result == CURLE_OK && x->reply->headers &&
	    (!exchange_head(x) || (x->gunzip && !decompressor_finish(x->gunzip, &x->error)))) {
		x->stopped = true;
		result = CURLE_WRITE_ERROR;
	}
	g_clear_pointer(&x->gunzip, decompressor_free);
	return result;
}

/* ---- errors */

/* "Get", as Go's url.Error names a method. */
static char *method_text(const char *method)
{
	char *text = g_ascii_strdown(method, -1);
	text[0] = g_ascii_toupper(text[0]);
	return text;
}

static enum transport_failure failure_of(CURLcode code, const struct exchange *x, long os_error)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TRANSPORT_NO_HOST;
	case CURLE_COULDNT_CONNECT:
		return os_error == ETIMEDOUT ? TRANSPORT_TIMEOUT : TRANSPORT_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSPORT_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
		return strstr(x->detail, "wrong version number") || strstr(x->detail, "http request") ||
				       strstr(x->detail, "packet length too long")
			       ? TRANSPORT_NOT_TLS
			       : TRANSPORT_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return TRANSPORT_TLS;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return TRANSPORT_BROKEN;
	default:
		return TRANSPORT_OTHER;
	}
}

static char *failure_text(CURLcode code, enum transport_failure failure, const struct exchange *x, const char *host,
			  const char *host_port, long os_error)
{
	const char *detail = x->detail[0] ? x->detail : libcurl.easy_strerror(code);
	switch (failure) {
	case TRANSPORT_NO_HOST:
		return g_strdup_printf("dial tcp: lookup %s: no such host", host);
	case TRANSPORT_REFUSED:
		return g_strdup_printf("dial tcp %s: connect: %s", host_port,
				       error_errno_text(os_error ? (int)os_error : ECONNREFUSED));
	case TRANSPORT_TIMEOUT:
		return g_strdup_printf("no data from %s for %ld s: i/o timeout", host_port, STALL_SECONDS);
	case TRANSPORT_TLS:
		return g_strdup_printf("tls: %s", detail);
	case TRANSPORT_NOT_TLS:
		return g_strdup("http: server gave HTTP response to HTTPS client");
	case TRANSPORT_BROKEN:
		if (code == CURLE_GOT_NOTHING)
			return g_strdup("EOF");
		if (code == CURLE_PARTIAL_FILE)
			return g_strdup("unexpected EOF");
		return g_strdup(os_error ? error_errno_text((int)os_error) : "connection reset by peer");
	case TRANSPORT_OK:
	case TRANSPORT_STOPPED:
	case TRANSPORT_OTHER:
		break;
	}
	return g_strdup(detail);
}

static char *url_redacted(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED, NULL);
	return uri ? g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO) : g_strdup("invalid URL");
}

static void set_failure(struct handle *h, CURLcode code, const struct exchange *x, const char *method, const char *url,
			enum transport_failure *ret_failure, GError **error)
{
	long os_error = 0;
	libcurl.easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_error);
	*ret_failure = failure_of(code, x, os_error);
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
	const char *host = uri && g_uri_get_host(uri) ? g_uri_get_host(uri) : "";
	int port = uri && g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : g_str_has_prefix(url, "https:") ? 443 : 80;
	g_autofree char *host_port = g_strdup_printf("%s:%d", host, port);
	g_autofree char *text = failure_text(code, *ret_failure, x, host, host_port, os_error);
	g_autofree char *shown = url_redacted(url);
	g_autofree char *verb = method_text(method);
	error_set(error, ERROR_UNKNOWN, "%s \"%s\": %s", verb, shown, text);
}

/* ---- redirects */

bool transport_same_origin(const char *a, const char *b)
{
	g_autoptr(GUri) x = g_uri_parse(a, G_URI_FLAGS_SCHEME_NORMALIZE | G_URI_FLAGS_ENCODED, NULL);
	g_autoptr(GUri) y = g_uri_parse(b, G_URI_FLAGS_SCHEME_NORMALIZE | G_URI_FLAGS_ENCODED, NULL);
	return x && y && g_str_equal(g_uri_get_scheme(x), g_uri_get_scheme(y)) &&
	       g_strcmp0(g_uri_get_host(x), g_uri_get_host(y)) == 0 && g_uri_get_port(x) == g_uri_get_port(y);
}

static bool is_redirect(const struct transport_reply *reply)
{
	int s = reply->status;
	return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && transport_reply_header(reply, "location");
}

/* Where a redirect leads; refused when it changes to a weaker or unknown scheme. */
static char *redirect_target(const char *from, const struct transport_reply *reply, GError **error)
{
	const char *location = transport_reply_header(reply, "location");
	g_autofree char *to = g_uri_resolve_relative(from, location, G_URI_FLAGS_ENCODED, NULL);
	g_autofree char *shown = url_redacted(from);
	bool is_https = to && g_ascii_strncasecmp(to, "https://", 8) == 0;
	bool is_http = to && g_ascii_strncasecmp(to, "http://", 7) == 0;
	if (!is_https && !(is_http && g_ascii_strncasecmp(from, "https://", 8) != 0)) {
		error_set(error, ERROR_FAILED_PRECONDITION, "refusing redirect from %s to another scheme", shown);
		return NULL;
	}
	return g_steal_pointer(&to);
}

bool transport_do(transport *t, const struct transport_request *q, cancel *c, struct transport_reply *ret_reply,
		  enum transport_failure *ret_failure, GError **error)
{
	g_auto(transport_reply) reply = {0};
	g_autofree char *url = g_strdup(q->url);
	bool may_authorize = true, done = false;
	*ret_failure = TRANSPORT_STOPPED;
	for (unsigned hops = 0; !done; hops++) {
		struct exchange x = {.q = q, .reply = &reply};
		struct handle *h = handle_take(t, error);
		if (!h)
			return false;
		CURLcode code = exchange_run(h, &x, q->method, url, may_authorize, c);
		bool cut = code != CURLE_OK && x.stopped && !x.error && !x.oversized; /* enough of an error text */
		bool failed = code != CURLE_OK && !x.stopped && !cancel_is_set(c);
		if (failed)
			set_failure(h, code, &x, q->method, url, ret_failure, error);
		handle_give_back(t, h);
		if (x.error) {
			g_propagate_error(error, x.error);
			return false;
		}
		if (failed)
			return false;
		if (code != CURLE_OK && !cancel_check(c, error))
			return false;
		if (x.oversized)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "answer of %s is larger than %zu bytes", url,
					 q->body_max);
		if (code != CURLE_OK && !cut)
			return false;
		done = !is_redirect(&reply) || q->redirects == 0;
		if (done)
			break;
		if (hops == q->redirects)
			return error_set(error, ERROR_FAILED_PRECONDITION, "stopped after %u redirects", q->redirects);
		g_autofree char *next = redirect_target(url, &reply, error);
		if (!next)
			return false;
		may_authorize = may_authorize && transport_same_origin(url, next);
		g_free(g_steal_pointer(&url));
		url = g_steal_pointer(&next);
	}
	reply.url = g_steal_pointer(&url);
	*ret_reply = reply;
	reply = (struct transport_reply){0};
	*ret_failure = TRANSPORT_OK;
	return true;
}
