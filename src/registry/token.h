/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token: bearer tokens from a registry's token server, asked for by the daemon or by the client itself
 * (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/).
 *
 *	struct token_request q = {.transport = t, .origin = "https://registry:5000", .realm = ..., .service = ..., ...};
 *	g_auto(registry_token) token = {0};
 *	if (!token_fetch(&q, &token, error)) return false;
 *
 * A password goes over https, or to the origin of the registry; nowhere else. Errors have upstream's texts, with the words
 * of the token server in them. Thread: any; the call blocks.
 */
#pragma once
#include "registry/transport.h"

struct token_request {
	transport *transport;
	cancel *cancel;            /* may be NULL */
	const char *host;          /* of the registry, for messages */
	const char *origin;        /* URL of the registry: scheme, host and port count */
	const char *realm;         /* URL of the token server */
	const char *service;       /* "": none */
	const char *const *scopes; /* NULL-terminated */
	const char *user;          /* "" with a secret: that is an identity token */
	const char *secret;        /* "": anonymous */
	const char *user_agent;
	const struct transport_tls *tls; /* the registry's; NULL: the system's */
	bool post_first; /* with a secret: POST and then GET, where the server wants that; else GET and then POST */
};
struct registry_token {
	char *text;        /* owned */
	int64_t expires_s; /* how long it is valid; 0: not said */
	int64_t issued_s;  /* since the epoch; 0: not said */
};
typedef struct registry_token registry_token;

bool token_fetch(const struct token_request *q, struct registry_token *ret, GError **error);
void registry_token_clear(struct registry_token *t);
/* "Basic ...", of RFC 7617. Owned. */
char *basic_header(const char *user, const char *secret);
/* A token becomes a header, so that no byte of it may end one; and it is of bounded length. */
bool token_is_clean(const char *text);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(registry_token, registry_token_clear)
