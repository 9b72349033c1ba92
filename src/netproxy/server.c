/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/server.h"
#include "base/limits.h"
#include "base/secret.h"
#include "network/netns.h"
#include "registry/http_failure.h"
#include "registry/libcurl.h"
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS 30000L
#define POLL_MS 1000

struct netproxy_server {
	CURL *easy;
	CURLM *multi; /* has the connections */
	int egress_fd;
	cancel *stop;
};
struct running {
	netproxy_server *s;
	struct netproxy_exchange *x;
	struct netproxy_response response;
	bool head_passed;
	gint64 active_us; /* when something was received or sent last */
	GError *error;    /* owned; of a callback */
	char detail[CURL_ERROR_SIZE];
};

netproxy_server *netproxy_server_new(int egress_fd, cancel *stop, GError **error)
{
	if (!libcurl_load(error))
		return NULL;
	netproxy_server *s = g_new0(netproxy_server, 1);
	s->egress_fd = egress_fd;
	s->stop = stop;
	s->easy = libcurl.easy_init();
	s->multi = libcurl.multi_init();
	/* Without a descriptor for its wake-up it could not be canceled. */
	if (s->easy && s->multi && libcurl.multi_wakeup(s->multi) == CURLM_OK)
		return s;
	netproxy_server_free(s);
	return error_null(error, ERROR_RESOURCE_EXHAUSTED, "create HTTP client: out of memory or descriptors");
}

void netproxy_server_free(netproxy_server *s)
{
	if (!s)
		return;
	libcurl.easy_cleanup(s->easy);
	libcurl.multi_cleanup(s->multi);
	g_free(s);
}

/* ---- callbacks of libcurl */

static void note_activity(struct running *r)
{
	r->active_us = g_get_monotonic_time();
}

static bool take_line(struct running *r, const char *line, size_t n)
{
	if (r->head_passed) /* trailers */
		return true;
	if (!netproxy_response_line(&r->response, line, n, &r->error))
		return false;
	bool is_empty = n <= 2 && (line[0] == '\r' || line[0] == '\n');
	if (!is_empty)
		return true;
	if (!netproxy_response_finish(&r->response, strcmp(r->x->request->method, "HEAD") == 0, &r->error))
		return false;
	if (r->response.is_interim)
		return true;
	r->head_passed = true;
	return r->x->head(r->x->data, &r->response, &r->error);
}

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
	struct running *r = data;
	bool ok = n > 0 && take_line(r, line, size * n);
	note_activity(r);
	return ok ? size * n : 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data)
{
	struct running *r = data;
	bool ok = r->head_passed && r->x->body(r->x->data, bytes, size * n, &r->error);
	note_activity(r);
	return ok ? size * n : CURL_WRITEFUNC_ERROR;
}

static size_t on_read(char *into, size_t size, size_t n, void *data)
{
	struct running *r = data;
	ssize_t got = r->x->read(r->x->data, into, size * n, &r->error);
	note_activity(r);
	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static curl_socket_t on_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct running *r = data;
	int fd = netns_socket(r->s->egress_fd, address->family, address->socktype, address->protocol,
			      r->error ? NULL : &r->error);
	return fd >= 0 ? fd : CURL_SOCKET_BAD;
}

/* ---- the request */

static struct curl_slist *append_header(struct curl_slist *list, const char *name, const char *value)
{
	/* libcurl's form of a header without a value. */
	scoped_secret line = *value ? g_strconcat(name, ": ", value, NULL) : g_strconcat(name, ";", NULL);
	return libcurl.slist_append(list, line);
}

static struct curl_slist *header_list(const struct netproxy_request *q)
{
	g_autofree char *host = netproxy_target_authority(&q->target);
	struct curl_slist *list = append_header(NULL, "Host", host);
	bool has_accept = false, has_authorization = false;
	for (guint i = 0; i + 1 < q->headers->len; i += 2) {
		list = append_header(list, q->headers->pdata[i], q->headers->pdata[i + 1]);
		has_accept |= g_ascii_strcasecmp(q->headers->pdata[i], "Accept") == 0;
		has_authorization |= g_ascii_strcasecmp(q->headers->pdata[i], "Authorization") == 0;
	}
	/* These remove headers that libcurl would add. */
	if (!has_accept)
		list = libcurl.slist_append(list, "Accept:");
	list = libcurl.slist_append(list, "Expect:");
	scoped_secret authorization = has_authorization ? NULL : netproxy_target_authorization(&q->target);
	if (authorization)
		list = append_header(list, "Authorization", authorization);
	if (q->has_body && q->body_size < 0)
		list = libcurl.slist_append(list, "Transfer-Encoding: chunked");
	return list;
}

static void set_method(CURL *easy, struct running *r)
{
	const struct netproxy_request *q = r->x->request;
	bool is_head = strcmp(q->method, "HEAD") == 0;
	if (is_head && !q->has_body) {
		libcurl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (q->has_body) {
		libcurl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		libcurl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
		libcurl.easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		libcurl.easy_setopt(easy, CURLOPT_READDATA, r);
	}
	libcurl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
}

static bool set_options(struct running *r, struct curl_slist *headers, GError **error)
{
	CURL *easy = r->s->easy;
	const struct netproxy_target *t = &r->x->request->target;
	g_autofree char *authority = netproxy_target_authority(t);
	g_autofree char *url = g_strconcat(t->is_https ? "https://" : "http://", authority, "/", NULL);
	libcurl.easy_reset(easy);
	if (!libcurl_set_roots(easy, NULL, error))
		return false;
	libcurl.easy_setopt(easy, CURLOPT_URL, url);
	libcurl.easy_setopt(easy, CURLOPT_REQUEST_TARGET, t->path);
	libcurl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	libcurl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	libcurl.easy_setopt(easy, CURLOPT_PROXY, "");
	libcurl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	libcurl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	libcurl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	libcurl.easy_setopt(easy, CURLOPT_BUFFERSIZE, 64 * 1024L);
	libcurl.easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	libcurl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	libcurl.easy_setopt(easy, CURLOPT_HEADERDATA, r);
	libcurl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	libcurl.easy_setopt(easy, CURLOPT_WRITEDATA, r);
	libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, r->detail);
	if (r->s->egress_fd >= 0) {
		libcurl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
		libcurl.easy_setopt(easy, CURLOPT_OPENSOCKETDATA, r);
	}
	set_method(easy, r);
	return true;
}

/* ---- the exchange */

static void wake(void *multi)
{
	libcurl.multi_wakeup(multi);
}

static CURLcode run(struct running *r)
{
	netproxy_server *s = r->s;
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	libcurl.multi_add_handle(s->multi, s->easy);
	guint watch = cancel_add(s->stop, wake, s->multi);
	note_activity(r);
	while (!cancel_is_set(s->stop)) {
		int running = 0, left;
		if (libcurl.multi_perform(s->multi, &running) != CURLM_OK) {
			result = CURLE_FAILED_INIT;
			break;
		}
		CURLMsg *message = libcurl.multi_info_read(s->multi, &left);
		if (message && message->msg == CURLMSG_DONE) {
			result = message->data.result;
			break;
		}
		if (g_get_monotonic_time() - r->active_us > LIMIT_PROXY_STALL_MS * 1000) {
			result = CURLE_OPERATION_TIMEDOUT;
			break;
		}
		libcurl.multi_poll(s->multi, NULL, 0, POLL_MS, NULL);
	}
	if (watch != 0)
		cancel_remove(s->stop, watch);
	libcurl.multi_remove_handle(s->multi, s->easy);
	return result;
}

static bool fail(struct running *r, CURLcode code, GError **error)
{
	g_auto(http_url) url = {0};
	g_autofree char *text = netproxy_target_url(&r->x->request->target);
	if (r->error)
		return error_propagate(error, g_steal_pointer(&r->error));
	if (!cancel_check(r->s->stop, error))
		return false;
	if (!http_url_parse(text, &url, error))
		return false;
	struct http_failure f = {.code = code, .detail = r->detail, .url = &url};
	libcurl.easy_getinfo(r->s->easy, CURLINFO_OS_ERRNO, &f.os_error);
	g_autofree char *why = http_failure_text(&f);
	return error_set(error, ERROR_UNAVAILABLE, "%s", why);
}

bool netproxy_server_do(netproxy_server *s, struct netproxy_exchange *x, GError **error)
{
	struct running r = {.s = s, .x = x};
	struct curl_slist *headers = header_list(x->request);
	bool ok = set_options(&r, headers, error);
	if (ok) {
		CURLcode code = run(&r);
		/* A socket that failed may have been one of several. */
		bool complete = code == CURLE_OK && r.head_passed;
		if (complete)
			g_clear_error(&r.error);
		ok = complete || fail(&r, code == CURLE_OK ? CURLE_PARTIAL_FILE : code, error);
	}
	libcurl.slist_free_all(headers);
	netproxy_response_clear(&r.response);
	g_clear_error(&r.error);
	return ok;
}
