/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorizer: answers of challenges: basic credentials, or bearer tokens fetched by the client or by us, kept per
 *auth_client, host and scope until nine tenths of their life are over.
 *
 *	header = authorizer_header(a, &auth_client, host, scopes, &header, error)      before a request
 *	authorizer_learn(a, &auth_client, host, url, reply, &retry, error)             after a 401
 *
 * A password is sent to a token server only when that is the registry itself or speaks https. Thread: any; calls block.
 */
#pragma once
#include "registry/registry.h"
#include "registry/transport.h"

typedef struct authorizer authorizer;

struct auth_client {
	const struct registry_auth *auth; /* NULL: anonymous */
	struct work *work;
	const char *identity; /* "" when unknown */
	const char *user_agent;
	const struct transport_tls *tls; /* of the registry; used for a token server of the same host only */
};

authorizer *authorizer_new(transport *t);
void authorizer_free(authorizer *a);
/* NULL in *ret_header when nothing is known of the host yet. */
bool authorizer_header(authorizer *a, const struct auth_client *auth_client, const char *host,
		       const char *const *scopes, char **ret_header, GError **error);
/* *ret_retry: a challenge was understood and the request is worth repeating. rejected: it carried a header already. */
bool authorizer_learn(authorizer *a, const struct auth_client *auth_client, const char *host,
		      const struct transport_reply *reply, bool rejected, bool *ret_retry, GError **error);
