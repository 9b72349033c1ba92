/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_tls: TLS over a nonblocking socket, at least TLS 1.2. A client requires ALPN "h2". A server selects "h2" if it
 * is offered and also serves clients that send no ALPN extension: the HTTP/2 preface then shows their protocol.
 */
#include "rpc/stream.h"
#include "os/ca_roots.h"
#include "rpc/dial.h"
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <arpa/inet.h>

#define RECORD_BYTES 16384

struct tls_stream {
	struct stream base;
	struct loop_watch watch; /* owns its fd */
	SSL *ssl;
	/* One record being written: OpenSSL requires that a blocked write is repeated with the same bytes. */
	uint8_t out[RECORD_BYTES];
	size_t out_len;
};

static const unsigned char alpn[] = {2, 'h', '2'};

static bool tls_error(GError **error, const char *what)
{
	char text[256] = "unexpected end of the connection";
	unsigned long code = ERR_get_error();
	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return error_set(error, ERROR_UNAVAILABLE, "%s: %s", what, text);
}

/* ---- the stream */

static void arm(struct tls_stream *s, bool out)
{
	loop_watch_set(s->base.loop, &s->watch, out ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void on_event(void *data, uint32_t events)
{
	struct tls_stream *s = data;
	s->base.ready(s->base.data);
}

static bool selected_h2(SSL *ssl)
{
	const unsigned char *name;
	unsigned len;
	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* Bytes of the handshake count as well. */
static void note_heard(struct tls_stream *s)
{
	s->base.heard = BIO_number_read(SSL_get_rbio(s->ssl)) > 0;
}

static enum stream_state tls_read(struct stream *base, struct slice *ret, GError **error)
{
	struct tls_stream *s = (struct tls_stream *)base;
	size_t size;
	uint8_t *buffer = loop_buffer(base->loop, &size);
	size_t have = 0;
	size_t n;
	int ok = 1;
	ERR_clear_error();
	while (have < size && (ok = SSL_read_ex(s->ssl, buffer + have, size - have, &n)) == 1)
		have += n;
	int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, 0);
	*ret = (struct slice){buffer, have};
	if (have > 0)
		return STREAM_OK; /* the next read reports the end or failure again */
	if (why == SSL_ERROR_WANT_WRITE)
		arm(s, true);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return STREAM_AGAIN;
	if (why == SSL_ERROR_ZERO_RETURN)
		return STREAM_END;
	note_heard(s);
	tls_error(error, "tls");
	return STREAM_FAILED;
}

/* Returns 1: all of it was written, 0: blocked, -1: failed. */
static int flush_record(struct tls_stream *s, GError **error)
{
	while (s->out_len > 0) {
		size_t n;
		ERR_clear_error();
		if (SSL_write_ex(s->ssl, s->out, s->out_len, &n) == 1) {
			memmove(s->out, s->out + n, s->out_len - n);
			s->out_len -= n;
			continue;
		}
		int why = SSL_get_error(s->ssl, 0);
		/* During the handshake the next read continues it. */
		if (why == SSL_ERROR_WANT_WRITE)
			arm(s, true);
		if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
			return 0;
		note_heard(s);
		tls_error(error, "tls");
		return -1;
	}
	return 1;
}

static size_t fill_record(struct tls_stream *s, const struct iovec **iov, int *n, size_t *skip)
{
	size_t taken = 0;
	while (*n > 0 && s->out_len < RECORD_BYTES) {
		size_t part = MIN((*iov)->iov_len - *skip, RECORD_BYTES - s->out_len);
		memcpy(s->out + s->out_len, (const uint8_t *)(*iov)->iov_base + *skip, part);
		s->out_len += part;
		*skip += part;
		taken += part;
		if (*skip == (*iov)->iov_len) {
			(*iov)++;
			(*n)--;
			*skip = 0;
		}
	}
	return taken;
}

static ssize_t tls_write(struct stream *base, const struct iovec *iov, int n, GError **error)
{
	struct tls_stream *s = (struct tls_stream *)base;
	ssize_t taken = 0;
	size_t skip = 0;
	for (;;) {
		int state = flush_record(s, error);
		if (state < 0)
			return -1;
		if (state == 0 || n == 0) {
			if (base->blocked && state == 1)
				arm(s, false);
			base->blocked = state == 0;
			return taken;
		}
		taken += (ssize_t)fill_record(s, &iov, &n, &skip);
	}
}

static bool tls_start(struct stream *base, GError **error)
{
	struct tls_stream *s = (struct tls_stream *)base;
	return loop_watch_set(base->loop, &s->watch, EPOLLIN) || error_set_errno(error, errno, "watch connection");
}

static void tls_close(struct stream *base)
{
	struct tls_stream *s = (struct tls_stream *)base;
	if (s->watch.fd < 0)
		return;
	if (SSL_is_init_finished(s->ssl)) {
		ERR_clear_error();
		SSL_shutdown(s->ssl);
	}
	loop_watch_set(base->loop, &s->watch, 0);
	fd_close(&s->watch.fd);
}

static void tls_free(struct stream *base)
{
	struct tls_stream *s = (struct tls_stream *)base;
	tls_close(base);
	SSL_free(s->ssl);
	g_free(s);
}

static const struct stream_class tls_class = {tls_read, tls_write, tls_start, tls_close, tls_free};

static struct stream *wrap(rpc_loop *loop, SSL *ssl, int fd)
{
	struct tls_stream *s = g_new0(struct tls_stream, 1);
	s->base = (struct stream){.class = &tls_class, .loop = loop, .tcp = true, .far = true};
	s->ssl = ssl;
	s->watch = (struct loop_watch){.fd = fd, .ready = on_event, .data = s};
	return &s->base;
}

/* ---- contexts */

static SSL_CTX *new_context(const SSL_METHOD *method, const struct rpc_tls *tls, GError **error)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	if (!ctx) {
		tls_error(error, "tls");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	ERR_clear_error();
	bool ok = true;
	if ((tls->cert_file && *tls->cert_file) != (tls->key_file && *tls->key_file))
		ok = error_set(error, ERROR_INVALID_ARGUMENT, "you must specify key and cert file if one is specified");
	else if (tls->cert_file && *tls->cert_file &&
		 (SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) != 1 ||
		  SSL_CTX_use_PrivateKey_file(ctx, tls->key_file, SSL_FILETYPE_PEM) != 1 ||
		  SSL_CTX_check_private_key(ctx) != 1))
		ok = tls_error(error, "could not load certificate or key");
	else if (tls->ca_file && *tls->ca_file && SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1)
		ok = tls_error(error, "could not read CA certificate");
	if (ok)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static const unsigned char alpn_http1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/* As in Go's servers: a client that offers only http/1.1 is served as if it had offered nothing. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned n,
		       void *data)
{
	unsigned char *chosen = NULL;
	if (SSL_select_next_proto(&chosen, out_len, alpn, sizeof(alpn), in, n) == OPENSSL_NPN_NEGOTIATED) {
		*out = chosen;
		return SSL_TLSEXT_ERR_OK;
	}
	if (SSL_select_next_proto(&chosen, out_len, alpn_http1, sizeof(alpn_http1), in, n) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct ssl_ctx_st *tls_server_context(const struct rpc_tls *tls, GError **error)
{
	SSL_CTX *ctx = new_context(TLS_server_method(), tls, error);
	if (!ctx)
		return NULL;
	if (!tls->cert_file || !*tls->cert_file) {
		error_set(error, ERROR_INVALID_ARGUMENT, "TLS needs a certificate");
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	if (tls->ca_file && *tls->ca_file)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

void tls_context_free(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

/* ---- client and server streams */

struct stream *stream_tls_accept(rpc_loop *loop, struct ssl_ctx_st *context, int fd, GError **error)
{
	SSL *ssl = SSL_new(context);
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		tls_error(error, "tls");
		SSL_free(ssl);
		fd_close(&fd);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return wrap(loop, ssl, fd);
}

static bool expect_name(SSL *ssl, const char *name)
{
	struct in6_addr ignored;
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	if (inet_pton(AF_INET, name, &ignored) == 1 || inet_pton(AF_INET6, name, &ignored) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static bool shake_hands(SSL *ssl, int fd, gint64 deadline_us, cancel *c, GError **error)
{
	for (;;) {
		ERR_clear_error();
		int done = SSL_connect(ssl);
		if (done == 1)
			return selected_h2(ssl) ||
			       error_set(error, ERROR_UNAVAILABLE, "the server does not support HTTP/2 (ALPN \"h2\")");
		int why = SSL_get_error(ssl, done);
		long verified = SSL_get_verify_result(ssl);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE && verified != X509_V_OK)
			return error_set(error, ERROR_UNAVAILABLE, "tls: failed to verify certificate: %s",
					 X509_verify_cert_error_string(verified));
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return tls_error(error, "tls handshake");
		if (!dial_wait(fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_us, c, error))
			return false;
	}
}

static SSL *client_ssl(const struct rpc_tls *tls, const char *host, int fd, GError **error)
{
	SSL_CTX *ctx = new_context(TLS_client_method(), tls, error);
	if (!ctx)
		return NULL;
	if (!tls->ca_file || !*tls->ca_file)
		SSL_CTX_set1_cert_store(ctx, ca_roots_system());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn));
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx); /* the SSL keeps a reference */
	const char *name = tls->server_name && *tls->server_name ? tls->server_name : host;
	if (ssl && SSL_set_fd(ssl, fd) == 1 && expect_name(ssl, name))
		return ssl;
	tls_error(error, "tls");
	SSL_free(ssl);
	return NULL;
}

struct stream *stream_tls_connect(rpc_loop *loop, const struct rpc_tls *tls, const char *host, int fd,
				  gint64 deadline_us, cancel *c, GError **error)
{
	scoped_fd own = fd;
	SSL *ssl = client_ssl(tls, host, fd, error);
	if (!ssl)
		return NULL;
	if (!shake_hands(ssl, fd, deadline_us, c, error)) {
		SSL_free(ssl);
		return NULL;
	}
	return wrap(loop, ssl, fd_steal(&own));
}
