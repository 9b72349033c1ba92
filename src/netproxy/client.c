/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/client.h"
#include "base/limits.h"
#include "format/http_url.h"
#include "netproxy/chunks.h"
#include "netproxy/io.h"
#include "netproxy/server.h"
#include <openssl/ssl.h>
#include <string.h>

#define DRAIN_MS 1000
#define DRAIN_BYTES KIB(256)

struct client {
	const struct netproxy_service *service;
	void *handle; /* of the service */
	cancel *stop; /* borrowed */
	struct netproxy_io io;
	netproxy_server *server;       /* owned; NULL until the first request is forwarded */
	struct netproxy_target tunnel; /* of CONNECT */
	bool in_tunnel;
};

/* A request while it is forwarded. */
struct forward {
	struct client *c;
	const struct netproxy_request *q;
	char *url; /* owned; without credentials */
	/* The request's body */
	int64_t left;
	struct netproxy_chunks chunks;
	bool continued, body_ended;
	/* The response */
	int status;
	bool head_sent, chunked, closes, is_partial;
	int64_t size, n_body; /* of the body; size -1: not known */
	hasher *hasher;       /* owned */
};

/* ---- answers of the proxy itself */

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{400, "Bad Request"},
		{403, "Forbidden"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{431, "Request Header Fields Too Large"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

/* The connection is closed afterwards. Returns false, so that callers can return the result. */
static bool answer(struct client *c, int status, const char *text)
{
	g_autofree char *all = g_strdup_printf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
					       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
					       status, reason_of(status), strlen(text) + 1, text);
	netproxy_io_write(&c->io, all, strlen(all), NULL);
	return false;
}

/* ---- heads */

/*
 * Waits for a complete head. Returns its size; 0: the connection has ended or is not used any more; -1: refused, with
 * *ret_status. The whole head must arrive in time, however slowly its bytes come.
 */
static ssize_t read_head(struct client *c, int *ret_status, GError **error)
{
	struct netproxy_io *io = &c->io;
	size_t seen = 0;
	gint64 until_us = 0;
	for (;;) {
		size_t have = netproxy_io_available(io), size = netproxy_head_size(io->bytes + io->start, have, seen);
		seen = have;
		if (size > 0)
			return (ssize_t)size;
		bool idle = have == 0;
		if (!idle && until_us == 0)
			until_us = g_get_monotonic_time() + LIMIT_PROXY_HEAD_MS * 1000;
		int64_t left_ms = idle ? LIMIT_PROXY_IDLE_MS : (until_us - g_get_monotonic_time()) / 1000;
		if (idle)
			c->service->waits(c->handle, true);
		ssize_t n = netproxy_io_fill(io, MAX(left_ms, 0), error);
		if (idle)
			c->service->waits(c->handle, false);
		if (n > 0)
			continue;
		if (n == 0 || idle || cancel_is_set(c->stop))
			return 0;
		*ret_status = error && error_is(*error, ERROR_RESOURCE_EXHAUSTED) ? 431 : 408;
		return -1;
	}
}

/* ---- the request's body */

static ssize_t read_more(struct forward *f, GError **error)
{
	struct netproxy_io *io = &f->c->io;
	if (netproxy_io_available(io) > 0)
		return 1;
	ssize_t n = netproxy_io_fill(io, LIMIT_PROXY_STALL_MS, error);
	if (n == 0)
		error_set(error, ERROR_UNAVAILABLE, "client of the proxy closed the connection");
	return n > 0 ? 1 : -1;
}

static ssize_t read_sized(struct forward *f, void *into, size_t n, GError **error)
{
	struct netproxy_io *io = &f->c->io;
	if (f->left == 0) {
		f->body_ended = true;
		return 0;
	}
	if (read_more(f, error) < 0)
		return -1;
	size_t taken = MIN(MIN(n, netproxy_io_available(io)), (size_t)f->left);
	memcpy(into, io->bytes + io->start, taken);
	io->start += taken;
	f->left -= (int64_t)taken;
	f->body_ended = f->left == 0;
	return (ssize_t)taken;
}

static ssize_t read_chunked(struct forward *f, void *into, size_t n, GError **error)
{
	struct netproxy_io *io = &f->c->io;
	while (f->chunks.state != NETPROXY_CHUNKS_END) {
		const char *data;
		size_t n_data;
		if (read_more(f, error) < 0)
			return -1;
		ssize_t used = netproxy_chunks_take(&f->chunks, io->bytes + io->start,
						    MIN(netproxy_io_available(io), n), &data, &n_data, error);
		if (used < 0)
			return -1;
		if (n_data > 0)
			memcpy(into, data, n_data);
		io->start += (size_t)used;
		if (n_data > 0)
			return (ssize_t)n_data;
	}
	f->body_ended = true;
	return 0;
}

static ssize_t on_read(void *data, void *into, size_t n, GError **error)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct forward *f = data;
	if (f->q->expects_continue && !f->continued && !f->head_sent) {
		f->continued = true;
		if (!netproxy_io_write(&f->c->io, go_on, sizeof go_on - 1, error))
			return -1;
	}
	return f->q->body_size < 0 ? read_chunked(f, into, n, error) : read_sized(f, into, n, error);
}

/* ---- the response */

/* The address that a response refers to, in the form of captures. */
static char *redirect_of(const struct forward *f, const char *location)
{
	g_auto(netproxy_target) t = {0};
	g_autofree char *next = http_url_resolve(f->url, location, NULL);
	g_autofree char *whole = next ? g_strndup(next, strcspn(next, "#")) : NULL;
	if (!whole || !netproxy_target_parse(whole, strlen(whole), &t, NULL))
		return NULL;
	return netproxy_target_url(&t);
}

static void record(const struct forward *f, int status, const char *location)
{
	netproxy_capture *capture = f->c->service->capture;
	if (!capture)
		return;
	g_autofree char *redirect = location ? redirect_of(f, location) : NULL;
	netproxy_capture_request(capture, f->q->method, f->url, status, redirect);
}

static bool on_head(void *data, const struct netproxy_response *r, GError **error)
{
	struct forward *f = data;
	f->status = r->status;
	f->size = r->has_body ? r->size : 0;
	f->chunked = r->has_body && r->size < 0 && !f->q->is_1_0;
	f->closes = !f->q->keep_alive || (r->has_body && r->size < 0 && !f->chunked);
	f->head_sent = true;
	record(f, r->status, r->location);
	g_autofree char *head = netproxy_response_head(r, f->chunked, f->closes);
	return netproxy_io_write(&f->c->io, head, strlen(head), error);
}

static bool on_body(void *data, const void *bytes, size_t n, GError **error)
{
	struct forward *f = data;
	char line[32];
	if (n == 0)
		return true;
	f->n_body += (int64_t)n;
	if (f->size >= 0 && f->n_body > f->size)
		return error_set(error, ERROR_UNKNOWN, "response is longer than its Content-Length");
	hasher_update(f->hasher, bytes, n);
	if (!f->chunked)
		return netproxy_io_write(&f->c->io, bytes, n, error);
	int n_line = g_snprintf(line, sizeof line, "%zx\r\n", n);
	return netproxy_io_write(&f->c->io, line, (size_t)n_line, error) &&
	       netproxy_io_write(&f->c->io, bytes, n, error) && netproxy_io_write(&f->c->io, "\r\n", 2, error);
}

/* After on_head. The body must have the announced size, and the last chunk must be sent. */
static bool finish_response(struct forward *f, GError **error)
{
	if (f->size >= 0 && f->n_body != f->size)
		return error_set(error, ERROR_UNKNOWN, "response is shorter than its Content-Length");
	return !f->chunked || netproxy_io_write(&f->c->io, "0\r\n\r\n", 5, error);
}

/* ---- captures */

static const char *incomplete_reason(const struct forward *f, bool delivered)
{
	if (strcmp(f->q->method, "GET") != 0)
		return "method_not_materializable";
	if (f->is_partial || f->status == 206)
		return "partial_response";
	if (!delivered)
		return "body_read_failed";
	return f->status >= 400 ? "unsuccessful_response" : NULL;
}

static void capture_response(struct forward *f, bool delivered)
{
	netproxy_capture *capture = f->c->service->capture;
	if (!capture)
		return;
	const char *reason = incomplete_reason(f, delivered);
	if (reason) {
		netproxy_capture_incomplete(capture, f->q->method, f->url, reason);
		return;
	}
	if (f->status < 200 || f->status >= 300)
		return;
	struct digest digest;
	hasher_finish(f->hasher, &digest);
	netproxy_capture_material(capture, f->url, &digest);
}

static void capture_failure(struct forward *f)
{
	record(f, 502, NULL);
	if (f->c->service->capture)
		netproxy_capture_incomplete(f->c->service->capture, f->q->method, f->url, "upstream_error");
}

/* ---- forwarding */

/* Returns whether the connection can be used again. */
static bool forward_run(struct forward *f)
{
	struct client *c = f->c;
	g_autoptr(GError) why = NULL;
	struct netproxy_exchange x = {.request = f->q, .read = on_read, .head = on_head, .body = on_body, .data = f};
	f->left = MAX(f->q->body_size, 0);
	f->body_ended = !f->q->has_body;
	f->is_partial = netproxy_request_header(f->q, "Range") != NULL;
	f->hasher = hasher_new_sha256();
	if (!c->server)
		c->server = netproxy_server_new(c->service->egress_fd, c->stop, &why);
	bool ok = c->server && netproxy_server_do(c->server, &x, &why);
	ok = ok && finish_response(f, &why);
	if (f->head_sent) {
		capture_response(f, ok);
	} else {
		capture_failure(f);
		answer(c, 502, why->message);
	}
	hasher_free(f->hasher);
	/* Body without data: libcurl does not ask for it. */
	bool body_ended = f->body_ended || (f->q->body_size == 0 && f->q->has_body);
	return ok && !f->closes && body_ended;
}

/* ---- policies */

/* Replaces the target by what the policy wants. */
static bool convert(struct netproxy_request *q, const char *url, GError **error)
{
	struct netproxy_target t = {0};
	if (strcmp(q->method, "GET") != 0)
		return error_set(
			error, ERROR_UNKNOWN,
			"source policy converted proxy request \"%s\", but conversion is only supported for GET", url);
	if (!netproxy_target_parse(url, strlen(url), &t, error))
		return error_prefix(error, "source policy converted proxy request to unsupported URL: ");
	netproxy_target_clear(&q->target);
	q->target = t;
	return true;
}

static bool check(struct client *c, struct netproxy_request *q, GError **error)
{
	if (!c->service->policy)
		return true;
	g_autofree char *url = netproxy_target_policy_url(&q->target), *other = NULL;
	return netproxy_policy_check(c->service->policy, q->method, url, c->stop, &other, error) &&
	       (!other || convert(q, other, error));
}

static bool serve_request(struct client *c, struct netproxy_request *q)
{
	g_autoptr(GError) why = NULL;
	struct forward f = {.c = c, .q = q};
	bool allowed = check(c, q, &why), again = false;
	f.url = netproxy_target_url(&q->target);
	if (allowed) {
		again = forward_run(&f);
	} else {
		record(&f, 403, NULL);
		answer(c, 403, "Forbidden");
	}
	g_free(f.url);
	return again;
}

/* ---- the connection */

/* Returns whether the connection can be used again. */
static bool open_tunnel(struct client *c, struct netproxy_request *q)
{
	static const char established[] = "HTTP/1.1 200 Connection Established\r\n\r\n";
	if (netproxy_io_available(&c->io) > 0)
		return answer(c, 400, "bytes after CONNECT");
	c->tunnel = q->target;
	q->target = (struct netproxy_target){0};
	c->in_tunnel = true;
	SSL *ssl = netproxy_ca_accept(c->service->ca, c->tunnel.host, NULL);
	if (!ssl)
		return answer(c, 502, "cannot issue a certificate");
	if (!netproxy_io_write(&c->io, established, sizeof established - 1, NULL)) {
		SSL_free(ssl);
		return false;
	}
	return netproxy_io_start_tls(&c->io, ssl, LIMIT_PROXY_HEAD_MS, NULL);
}

/* Reads and serves one request. Returns whether the connection can be used again. */
static bool serve_one(struct client *c)
{
	g_autoptr(GError) why = NULL;
	int status = 0;
	ssize_t size = read_head(c, &status, &why);
	if (size == 0)
		return false;
	if (size < 0)
		return answer(c, status, why->message);
	struct netproxy_request q = {0};
	status = netproxy_request_parse(c->io.bytes + c->io.start, (size_t)size, c->in_tunnel ? &c->tunnel : NULL, &q,
					&why);
	c->io.start += (size_t)size;
	if (status != 0)
		return answer(c, status, why->message);
	bool again = strcmp(q.method, "CONNECT") == 0 ? open_tunnel(c, &q) : serve_request(c, &q);
	netproxy_request_clear(&q);
	return again;
}

/* Unread bytes would make the kernel reset the connection before the client has read the answer. */
static void drain(struct client *c)
{
	gint64 until_us = g_get_monotonic_time() + DRAIN_MS * 1000;
	for (size_t n = 0; n < (size_t)DRAIN_BYTES;) {
		int64_t left_ms = (until_us - g_get_monotonic_time()) / 1000;
		c->io.start = c->io.end = 0;
		ssize_t got = left_ms > 0 ? netproxy_io_fill(&c->io, left_ms, NULL) : 0;
		if (got <= 0)
			return;
		n += (size_t)got;
	}
}

void netproxy_client_serve(const struct netproxy_service *service, int fd, cancel *stop, void *client)
{
	struct client c = {.service = service, .handle = client, .stop = stop};
	netproxy_io_init(&c.io, fd, stop);
	while (serve_one(&c))
		continue;
	netproxy_io_finish(&c.io);
	drain(&c);
	netproxy_server_free(c.server);
	netproxy_io_clear(&c.io);
	netproxy_target_clear(&c.tunnel);
}
