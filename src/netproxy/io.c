/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/io.h"
#include "base/limits.h"
#include "base/scope.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_BYTES 4096

void netproxy_io_init(struct netproxy_io *io, int fd, cancel *stop)
{
	*io = (struct netproxy_io){.fd = fd, .stop = stop};
}

void netproxy_io_clear(struct netproxy_io *io)
{
	SSL_free(io->ssl);
	fd_close(&io->fd);
	g_free(io->bytes);
}

/* ---- waiting */

static bool wait_for(struct netproxy_io *io, short events, int64_t timeout_ms, GError **error)
{
	struct pollfd p = {.fd = io->fd, .events = events};
	int n = cancel_poll(io->stop, &p, 1, timeout_ms, error);
	if (n == 0)
		return error_set(error, ERROR_DEADLINE_EXCEEDED,
				 "client of the proxy sent or received nothing for %lld ms", (long long)timeout_ms);
	return n > 0;
}

/* Waits for what an SSL call needs. *ret_end: the client closed its side. */
static bool wait_for_ssl(struct netproxy_io *io, int result, int64_t timeout_ms, bool *ret_end, GError **error)
{
	switch (SSL_get_error(io->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(io, POLLIN, timeout_ms, error);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(io, POLLOUT, timeout_ms, error);
	case SSL_ERROR_ZERO_RETURN:
		*ret_end = true;
		return true;
	default:
		ERR_clear_error();
		return error_set(error, ERROR_UNAVAILABLE, "TLS with a client of the proxy failed");
	}
}

/* ---- reading */

static bool make_room(struct netproxy_io *io, GError **error)
{
	if (io->start > 0) {
		memmove(io->bytes, io->bytes + io->start, io->end - io->start);
		io->end -= io->start;
		io->start = 0;
	}
	if (io->end < io->size)
		return true;
	if (io->size >= (size_t)LIMIT_PROXY_HEAD_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "request head is larger than %lld bytes",
				 LIMIT_PROXY_HEAD_BYTES);
	io->size = io->size == 0 ? FIRST_BYTES : MIN(2 * io->size, (size_t)LIMIT_PROXY_HEAD_BYTES);
	io->bytes = g_realloc(io->bytes, io->size);
	return true;
}

static ssize_t read_plain(struct netproxy_io *io, int64_t timeout_ms, GError **error)
{
	for (;;) {
		ssize_t n = recv(io->fd, io->bytes + io->end, io->size - io->end, 0);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR) {
			error_set_errno(error, errno, "read from a client of the proxy");
			return -1;
		}
		if (errno == EAGAIN && !wait_for(io, POLLIN, timeout_ms, error))
			return -1;
	}
}

static ssize_t read_tls(struct netproxy_io *io, int64_t timeout_ms, GError **error)
{
	for (;;) {
		size_t n;
		bool end = false;
		ERR_clear_error();
		int r = SSL_read_ex(io->ssl, io->bytes + io->end, io->size - io->end, &n);
		if (r == 1)
			return (ssize_t)n;
		if (!wait_for_ssl(io, r, timeout_ms, &end, error))
			return -1;
		if (end)
			return 0;
	}
}

ssize_t netproxy_io_fill(struct netproxy_io *io, int64_t timeout_ms, GError **error)
{
	if (!cancel_check(io->stop, error) || !make_room(io, error))
		return -1;
	ssize_t n = io->ssl ? read_tls(io, timeout_ms, error) : read_plain(io, timeout_ms, error);
	if (n > 0)
		io->end += (size_t)n;
	return n;
}

/* ---- writing */

static ssize_t write_some(struct netproxy_io *io, const char *bytes, size_t n, GError **error)
{
	if (!io->ssl) {
		ssize_t done = send(io->fd, bytes, n, MSG_NOSIGNAL);
		if (done >= 0)
			return done;
		if (errno == EINTR || (errno == EAGAIN && wait_for(io, POLLOUT, LIMIT_PROXY_STALL_MS, error)))
			return 0;
		if (errno != EAGAIN)
			error_set_errno(error, errno, "write to a client of the proxy");
		return -1;
	}
	size_t done = 0;
	bool end = false;
	ERR_clear_error();
	int r = SSL_write_ex(io->ssl, bytes, n, &done);
	if (r == 1)
		return (ssize_t)done;
	if (wait_for_ssl(io, r, LIMIT_PROXY_STALL_MS, &end, error) && !end)
		return 0;
	if (end)
		error_set(error, ERROR_UNAVAILABLE, "client of the proxy closed the connection");
	return -1;
}

bool netproxy_io_write(struct netproxy_io *io, const void *bytes, size_t n, GError **error)
{
	const char *p = bytes;
	if (!cancel_check(io->stop, error))
		return false;
	while (n > 0) {
		GError *why = NULL;
		ssize_t done = write_some(io, p, n, &why);
		if (done < 0)
			return error_propagate(error, why);
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* ---- TLS */

bool netproxy_io_start_tls(struct netproxy_io *io, SSL *ssl, int64_t timeout_ms, GError **error)
{
	gint64 until_us = g_get_monotonic_time() + timeout_ms * 1000;
	io->ssl = ssl;
	if (SSL_set_fd(ssl, io->fd) != 1)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "out of memory");
	for (;;) {
		bool end = false;
		ERR_clear_error();
		int r = SSL_do_handshake(ssl);
		if (r == 1)
			return true;
		int64_t left_ms = (until_us - g_get_monotonic_time()) / 1000;
		if (!wait_for_ssl(io, r, MAX(left_ms, 0), &end, error))
			return false;
		if (end)
			return error_set(error, ERROR_UNAVAILABLE, "client of the proxy closed the connection");
	}
}

void netproxy_io_finish(struct netproxy_io *io)
{
	if (io->ssl)
		SSL_shutdown(io->ssl);
	ERR_clear_error();
	shutdown(io->fd, SHUT_WR);
}
