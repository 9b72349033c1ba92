/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_fetch: a bearer token from a registry's token server, asked for by the client itself, so that the daemon never
 * sees the password (https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/).
 *
 *	token_fetch(&request, cancel, &token, error);
 *
 * A password goes to the registry's own host or over https, nowhere else. Thread: any.
 */
#pragma once
#include "client/docker_config.h"

struct token_request {
	const char *host; /* of the registry, for the rule above */
	const char *realm, *service;
	char *const *scopes;
	size_t n_scopes;
	const struct docker_credentials *credentials;
	const struct docker_tls *tls; /* or NULL */
};
struct token {
	char *text; /* owned */
	int64_t expires_s;
	int64_t issued_s; /* since the epoch, 0: not said */
};
/* With a secret by POST, and by GET where the server does not know that; without one by GET. */
bool token_fetch(const struct token_request *request, cancel *c, struct token *ret, GError **error);
