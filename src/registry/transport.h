/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport: one HTTP request at a time over pooled libcurl handles; registries, token servers and http sources use it.
 *
 *	transport *t = transport_new();
 *	struct transport_request q = {.method = "GET", .url = url, .body_max = MIB(4)};
 *	g_auto(transport_reply) reply = {0};
 *	if (!transport_do(t, &q, cancel, &reply, &failure, error)) return false;
 *
 * HTTP/1.1, connections are kept and reused. The request line has the bytes of the URL as given (format/http_url.h); the
 * proxy is that of the environment (registry/proxy.h); servers are verified with the system's roots (os/ca_roots.h) or
 * those of request.tls. Redirects are followed here as Go's net/http follows them, at most nine of them: 307 and 308 send
 * the body again, the others make a GET of all but GET and HEAD; what authorizes stays with the origin it was meant for.
 * A redirect from https to http is refused unless the content is verified. Any status is success; failing means that there
 * is no answer. A request ends when canceled or when nothing moves for a minute.
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
	GByteArray *body;       /* owned: what on_bytes did not take, at most body_max */
	int64_t content_length; /* -1: unknown */
};
typedef struct transport_reply transport_reply;

/* Extra trust and identity of a host. */
struct transport_tls {
	bool insecure;         /* no verification */
	X509_STORE *roots;     /* borrowed, outlives the transport's connections; NULL: those of the system */
	const char *cert_file; /* NULL: none */
	const char *key_file;
};

/* AWS signature version 4 of each request; the caller gives x-amz-content-sha256. */
struct transport_signature {
	const char *scope;         /* "aws:amz:<region>:<service>" */
	const char *user_password; /* "<access key>:<secret key>" */
};

struct transport_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const char *authorization;  /* value of that header or NULL; only for the origin of url */
	/* The header for a URL that a redirect led to, NULL in *ret_header for none. NULL: authorization for the origin of
	 * url as long as no redirect has left it, none after that. */
	bool (*authorize_redirect)(void *data, const char *url, char **ret_header, GError **error);
	void *authorize_data;
	const void *body; /* or: */
	int body_fd;      /* read with pread from 0; used when has_body_fd */
	bool has_body_fd;
	int64_t body_size; /* -1: no body */
	const struct transport_tls *tls;
	const struct transport_signature *signature; /* NULL: none; not together with redirects */
	bool redirects;                              /* follow them; otherwise they are answers like others */
	bool body_is_secret;                         /* the body goes to https or to the origin of url only */
	bool is_verified; /* the caller checks a digest: plain http after https does no harm */
	size_t body_max;  /* ceiling of reply.body */
	bool decode;      /* an answer with the encoding gzip is undone, other encodings are left as they are */
	bool ask_gzip;    /* ask for that encoding */
	/* For 2xx answers: the head, then the bytes as they come. NULL on_bytes: they go to reply.body. */
	bool (*on_head)(void *data, const struct transport_reply *reply, GError **error);
	bool (*on_bytes)(void *data, const void *bytes, size_t n, GError **error);
	void (*on_sent)(void *data, int64_t done);
	void *data;
};

enum transport_failure {
	TRANSPORT_OK,
	TRANSPORT_REFUSED, /* nobody answers there */
	TRANSPORT_NO_HOST,
	TRANSPORT_NOT_TLS,  /* the peer speaks plain http */
	TRANSPORT_NOT_HTTP, /* the answer is something else: TLS, for example */
	TRANSPORT_TLS,      /* certificates and the like: final */
	TRANSPORT_BROKEN,   /* reset, truncated: worth another try */
	TRANSPORT_TIMEOUT,
	TRANSPORT_STOPPED, /* on_head, on_bytes, authorize_redirect or cancel said no; error is theirs */
	TRANSPORT_OTHER,   /* no answer that can be understood, a redirect that is not followed: final */
};

transport *transport_new(void);
void transport_free(transport *t);
/* Errors: Go's texts where users know them ("Head "URL": dial tcp: lookup x: no such host"). */
bool transport_do(transport *t, const struct transport_request *q, cancel *c, struct transport_reply *ret_reply,
		  enum transport_failure *ret_failure, GError **error);
/* First value of a header (lower-case name) or NULL. */
const char *transport_reply_header(const struct transport_reply *reply, const char *name);
void transport_reply_clear(struct transport_reply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(transport_reply, transport_reply_clear)
