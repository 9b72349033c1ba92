/* SPDX-License-Identifier: Apache-2.0 */
/* dial: connects on the caller's thread, because connecting may block and the loop must not. */
#include "rpc/address.h"
#include "rpc/conn.h"
#include "rpc/dial.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

bool dial_wait(int fd, short events, gint64 deadline_us, cancel *c, GError **error)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left_ms = deadline_us ? (deadline_us - g_get_monotonic_time() + 999) / 1000 : -1;
	int n = deadline_us && left_ms <= 0 ? 0 : cancel_poll(c, &p, 1, left_ms, error);
	return n > 0 || (n == 0 && error_set(error, ERROR_DEADLINE_EXCEEDED, "context deadline exceeded"));
}

static bool finish_connect(int fd, gint64 deadline_us, cancel *c, GError **error)
{
	int failed = 0;
	socklen_t n = sizeof(failed);
	if (!dial_wait(fd, POLLOUT, deadline_us, c, error))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &n) < 0)
		failed = errno;
	return !failed || error_set_errno(error, failed, "connect");
}

static int connect_socket(const struct sockaddr *address, socklen_t n, gint64 deadline_us, cancel *c, GError **error)
{
	scoped_fd fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error_set_errno(error, errno, "socket");
		return -1;
	}
	if (connect(fd, address, n) < 0) {
		if (errno != EINPROGRESS && errno != EAGAIN) {
			error_set_errno(error, errno, "connect");
			return -1;
		}
		if (!finish_connect(fd, deadline_us, c, error))
			return -1;
	}
	return fd_steal(&fd);
}

static int dial_unix(const char *path, gint64 deadline_us, cancel *c, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		error_set(error, ERROR_INVALID_ARGUMENT, "dial unix %s: path too long", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = connect_socket((struct sockaddr *)&address, sizeof(address), deadline_us, c, error);
	if (fd < 0)
		g_prefix_error(error, "dial unix %s: ", path);
	return fd;
}

/* Detects a vanished server after a minute. */
static void set_tcp_options(int fd)
{
	int on = 1;
	int idle_s = 30;
	int every_s = 10;
	int times = 3;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static int dial_tcp(const char *host_port, gint64 deadline_us, cancel *c, GError **error)
{
	struct addrinfo *list = address_resolve(host_port, false, error);
	int fd = -1;
	for (const struct addrinfo *one = list; one && fd < 0; one = one->ai_next) {
		g_clear_error(error);
		fd = connect_socket(one->ai_addr, one->ai_addrlen, deadline_us, c, error);
	}
	if (list)
		freeaddrinfo(list);
	if (fd < 0) {
		g_prefix_error(error, "dial tcp %s: ", host_port);
		return -1;
	}
	set_tcp_options(fd);
	return fd;
}

static struct stream *dial_stream(rpc_loop *loop, const char *text, const struct rpc_tls *tls, int timeout_ms,
				  cancel *c, GError **error)
{
	gint64 deadline_us = timeout_ms > 0 ? g_get_monotonic_time() + (gint64)timeout_ms * 1000 : 0;
	const char *rest;
	enum address_kind kind = address_parse(text, &rest, error);
	if (kind == ADDRESS_INVALID)
		return NULL;
	int fd = kind == ADDRESS_UNIX ? dial_unix(rest, deadline_us, c, error) : dial_tcp(rest, deadline_us, c, error);
	if (fd < 0)
		return NULL;
	if (!tls || kind == ADDRESS_UNIX)
		return stream_fd_new(loop, fd, fd);
	g_autofree char *host = address_host(rest);
	return stream_tls_connect(loop, tls, host, fd, deadline_us, c, error);
}

static char *authority_of(const char *text, const struct rpc_dial_options *options)
{
	const char *rest = NULL;
	if (options && options->authority)
		return g_strdup(options->authority);
	if (options && options->tls && options->tls->server_name)
		return g_strdup(options->tls->server_name);
	return g_strdup(address_parse(text, &rest, NULL) == ADDRESS_TCP ? rest : "localhost");
}

rpc_conn *rpc_connect(rpc_loop *loop, const char *text, const struct rpc_dial_options *options, cancel *c,
		      GError **error)
{
	GError *local = NULL;
	const struct rpc_tls *tls = options ? options->tls : NULL;
	struct stream *stream = dial_stream(loop, text, tls, options ? options->timeout_ms : 0, c, &local);
	if (!stream) {
		/* Every error except cancellation and deadline becomes UNAVAILABLE, as callers expect. */
		if (!error_is(local, ERROR_CANCELED) && !error_is(local, ERROR_DEADLINE_EXCEEDED) &&
		    !error_is(local, ERROR_INVALID_ARGUMENT))
			local->code = ERROR_UNAVAILABLE;
		return error_propagate_null(error, local);
	}
	g_autofree char *authority = authority_of(text, options);
	rpc_conn *conn = conn_new(loop, stream, NULL, authority);
	conn->headers = header_filter_new();
	if (tls && g_str_has_prefix(text, "tcp://"))
		conn->scheme = "https";
	if (options && options->timeout_ms > 0)
		conn->ready_by_us = g_get_monotonic_time() + (gint64)options->timeout_ms * 1000;
	if (options && options->timeout_ms > 0)
		conn->answer_us = (gint64)options->timeout_ms * 1000;
	if (conn_start(conn, error))
		return conn;
	rpc_conn_unref(conn);
	return NULL;
}
