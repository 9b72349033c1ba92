/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: requests bearer tokens from a registry's token server, for the daemon or the client
 * (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/).
 *
 *	struct token_request q = {.transport = t, .origin = "https://registry:5000", .realm = ..., .service = ..., ...};
 *	g_auto(registry_token) token = {0};
 *	if (!token_fetch(&q, &token, error)) return false;
 *
 * A password is sent only over https, or to the origin of the registry. Errors have upstream's texts, including the
 * token server's. Thread: any; the call blocks.
 */
#pragma once
#include "registry/transport.h"

struct token_request {
	transport *transport;
	cancel *cancel;            /* may be NULL */
	const char *host;          /* of the registry, for messages */
	const char *origin;        /* URL of the registry: scheme, host and port are compared */
	const char *realm;         /* URL of the token server */
	const char *service;       /* "": none */
	const char *const *scopes; /* NULL-terminated */
	const char *user;          /* "" with a secret: the secret is an identity token */
	const char *secret;        /* "": anonymous */
	const char *user_agent;
	const struct transport_tls *tls; /* of the registry; NULL: of the system */
	bool post_first; /* with a secret: POST and then GET, if the server requires it; else GET, then POST */
};
struct registry_token {
	char *text;        /* owned */
	int64_t expires_s; /* lifetime; 0: not stated */
	int64_t issued_s;  /* since the epoch; 0: not stated */
};
typedef struct registry_token registry_token;

bool token_fetch(const struct token_request *q, struct registry_token *ret, GError **error);
void registry_token_clear(struct registry_token *t);
/* Returns "Basic ..." (RFC 7617). Owned. */
char *basic_header(const char *user, const char *secret);
/* Checks that a token is valid in a header: no line breaks, limited length. */
bool token_is_clean(const char *text);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(registry_token, registry_token_clear)
