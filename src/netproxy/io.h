/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_io: buffered bytes of a client's connection, plain or TLS, with time limits and cancellation.
 *
 *	struct netproxy_io io;
 *	netproxy_io_init(&io, fd, stop);                    fd: taken, non-blocking
 *	while ((n = netproxy_io_fill(&io, timeout_ms, error)) > 0) ... io.bytes + io.start, netproxy_io_available(&io)
 *	netproxy_io_write(&io, bytes, n, error)
 *	netproxy_io_clear(&io);
 *
 * Thread: one at a time; netproxy_io_shutdown: any.
 */
#pragma once
#include "base/cancel.h"
#include <openssl/types.h>

struct netproxy_io {
	int fd;       /* owned */
	SSL *ssl;     /* owned; NULL: plain */
	cancel *stop; /* borrowed */
	char *bytes;  /* owned; from start to end: received and not used */
	size_t start, end, size;
};

void netproxy_io_init(struct netproxy_io *io, int fd, cancel *stop);
void netproxy_io_clear(struct netproxy_io *io);
static inline size_t netproxy_io_available(const struct netproxy_io *io)
{
	return io->end - io->start;
}
/*
 * Receives more bytes, at most LIMIT_PROXY_HEAD_BYTES in the buffer. Returns their number, 0 at the end of the stream, -1 with
 * an error: DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED if the buffer is full, the cancellation.
 */
ssize_t netproxy_io_fill(struct netproxy_io *io, int64_t timeout_ms, GError **error);
/* Waits for each part at most LIMIT_PROXY_STALL_MS. */
bool netproxy_io_write(struct netproxy_io *io, const void *bytes, size_t n, GError **error);
/* Performs the server's part of a TLS handshake; all received bytes have been used. ssl: taken. */
bool netproxy_io_start_tls(struct netproxy_io *io, SSL *ssl, int64_t timeout_ms, GError **error);
/* Sends the end of the stream. */
void netproxy_io_finish(struct netproxy_io *io);
