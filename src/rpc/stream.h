/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: the byte stream of a connection: a socket or pipe pair, TLS over one, or a tunnel inside another call.
 *
 *	s = stream_fd_new(loop, fd, fd);
 *	stream_start(s, on_ready, conn, error);          on_ready runs on the loop's thread
 *	switch (s->class->read(s, &bytes, error)) ...    until STREAM_AGAIN
 *
 * No function blocks unless stated otherwise. The owner holds its lock around every call; after close no events are
 * reported except those that the loop is delivering. Freed on the loop's thread.
 */
#pragma once
#include "base/scope.h"
#include "rpc/loop.h"
#include <sys/uio.h>

enum stream_state { STREAM_OK, STREAM_AGAIN, STREAM_END, STREAM_FAILED };

struct stream;
struct stream_class {
	/* Returns the next bytes, borrowed until the next read. Thread: the loop's. */
	enum stream_state (*read)(struct stream *s, struct slice *ret, GError **error);
	/*
	 * Returns the number of bytes accepted; fewer than offered if blocked (on_ready follows), -1 on failure. n 0
	 * flushes.
	 */
	ssize_t (*write)(struct stream *s, const struct iovec *iov, int n, GError **error);
	bool (*start)(struct stream *s, GError **error);
	void (*close)(struct stream *s);
	void (*free)(struct stream *s);
};

struct stream {
	const struct stream_class *class;
	rpc_loop *loop;
	void (*ready)(void *data);
	void *data;
	bool drained; /* the last read returned all available bytes; on_ready follows */
	bool blocked; /* the last write was not accepted completely */
	bool tcp;     /* a peer can vanish without closing */
	bool far;     /* the transport is tcp */
	bool heard;   /* the peer has sent bytes; with TLS, set when a read or write fails */
};

bool stream_start(struct stream *s, void (*ready)(void *data), void *data, GError **error);
/* Owns the fds, which may be the same. */
struct stream *stream_fd_new(rpc_loop *loop, int fd_in, int fd_out);
/* Transports bytes in the messages of a call (BytesMessage). Takes a reference. */
struct stream *stream_tunnel_new(rpc_loop *loop, rpc_call *call);

/* ---- TLS (SSL_CTX and SSL are hidden, so that only two files include OpenSSL) */
struct ssl_ctx_st;
struct ssl_ctx_st *tls_server_context(const struct rpc_tls *tls, GError **error);
void tls_context_free(struct ssl_ctx_st *context);
struct stream *stream_tls_accept(rpc_loop *loop, struct ssl_ctx_st *context, int fd, GError **error);
/* Performs the handshake, which blocks; always takes fd. deadline_us 0: none. */
struct stream *stream_tls_connect(rpc_loop *loop, const struct rpc_tls *tls, const char *host, int fd,
				  gint64 deadline_us, cancel *c, GError **error);
