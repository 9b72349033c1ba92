/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: one HTTP request at a time over pooled libcurl handles; registries, token servers and http sources use it.
 *
 *	transport *t = transport_new();
 *	struct transport_request q = {.method = "GET", .url = url, .body_max = MIB(4)};
 *	g_auto(transport_reply) reply = {0};
 *	if (!transport_do(t, &q, cancel, &reply, &failure, error)) return false;
 *
 * Uses HTTP/1.1 and reuses connections. The request line contains the bytes of the URL as given (format/http_url.h);
 * the proxy comes from the environment (registry/proxy.h); servers are verified with the system's roots (os/ca_roots.h)
 * or those of request.tls. Redirects are followed like in Go's net/http, at most nine: 307 and 308 repeat the body,
 * others become GET unless the method is HEAD; authorization is sent only to its origin. A redirect from https to http
 * is refused unless the content is verified. Any status is a success; failure means that there is no response. A
 * request ends when canceled or after a minute without data.
 * Thread: any; calls block.
 */
#pragma once
#include "base/cancel.h"
#include <openssl/types.h>

typedef struct transport transport;

struct transport_reply {
	int status;
	char *reason;           /* owned: "Not Found" */
	char *url;              /* owned: of the last request, after redirects */
	GPtrArray *headers;     /* owned: names (lower case) and values in turn */
	GByteArray *body;       /* owned: bytes not passed to on_bytes, at most body_max */
	int64_t content_length; /* -1: unknown */
};
typedef struct transport_reply transport_reply;

/* Additional roots and client certificate of a host. */
struct transport_tls {
	bool insecure;         /* no verification */
	X509_STORE *roots;     /* borrowed, must outlive the transport's connections; NULL: those of the system */
	const char *cert_file; /* NULL: none */
	const char *key_file;
};

/* AWS signature version 4 of each request; the caller sets x-amz-content-sha256. */
struct transport_signature {
	const char *scope;         /* "aws:amz:<region>:<service>" */
	const char *user_password; /* "<access key>:<secret key>" */
};

struct transport_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const char *authorization;  /* value of that header or NULL; sent only to the origin of url */
	/*
	 * Returns the header for the target of a redirect, NULL in *ret_header for none. If NULL, authorization is sent
	 * to the origin of url until a redirect leaves it, and not afterwards.
	 */
	bool (*authorize_redirect)(void *data, const char *url, char **ret_header, GError **error);
	void *authorize_data;
	const void *body; /* the body, or body_fd: */
	int body_fd;      /* read with pread from 0; used when has_body_fd */
	bool has_body_fd;
	int64_t body_size; /* -1: no body */
	const struct transport_tls *tls;
	const struct transport_signature *signature; /* NULL: none; cannot be combined with redirects */
	bool redirects;                              /* follow redirects; otherwise they are ordinary responses */
	bool body_is_secret;                         /* send the body only to https or to the origin of url */
	bool is_verified; /* the caller verifies a digest, so plain http after https is allowed */
	long timeout_ms;  /* of each request; 0: only that of silence */
	size_t body_max;  /* maximum size of reply.body */
	bool decode;      /* decode a gzip response; other encodings are passed unchanged */
	bool ask_gzip;    /* request that encoding */
	/* For 2xx responses: the head, then the bytes as they arrive. on_bytes NULL: bytes are stored in reply.body. */
	bool (*on_head)(void *data, const struct transport_reply *reply, GError **error);
	bool (*on_bytes)(void *data, const void *bytes, size_t n, GError **error);
	void (*on_sent)(void *data, int64_t done);
	void *data;
};

enum transport_failure {
	TRANSPORT_OK,
	TRANSPORT_REFUSED, /* connection refused */
	TRANSPORT_NO_HOST,
	TRANSPORT_NOT_TLS,  /* the peer uses plain http */
	TRANSPORT_NOT_HTTP, /* the response is not HTTP, for example TLS */
	TRANSPORT_TLS,      /* certificate errors and similar: final */
	TRANSPORT_BROKEN,   /* reset, truncated: may be retried */
	TRANSPORT_TIMEOUT,
	TRANSPORT_STOPPED, /* on_head, on_bytes, authorize_redirect or cancel failed with this error */
	TRANSPORT_OTHER,   /* invalid response, or a redirect that is not followed: final */
};

transport *transport_new(void);
void transport_free(transport *t);
/* Errors: Go's texts where users know them ("Head "URL": dial tcp: lookup x: no such host"). */
bool transport_do(transport *t, const struct transport_request *q, cancel *c, struct transport_reply *ret_reply,
		  enum transport_failure *ret_failure, GError **error);
/* Returns the first value of a header (lower-case name), or NULL. */
const char *transport_reply_header(const struct transport_reply *reply, const char *name);
void transport_reply_clear(struct transport_reply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(transport_reply, transport_reply_clear)
