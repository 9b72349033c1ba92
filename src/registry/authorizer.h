/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorizer: answers of challenges: basic credentials, or bearer tokens fetched by the client or by us, kept by client,
 * repository, origin and scope until nine tenths of their life are over.
 *
 *	authorizer_header(a, &client, url, scopes, &header, error)                before a request to url
 *	authorizer_learn(a, &client, url, reply, rejected, &retry, error)         after a 401 from url
 *
 * What counts of a URL is its origin: scheme, host and port. Credentials are those of its host and port; a password is
 * sent to a token server only when that is the origin itself or speaks https. Thread: any; calls block.
 */
#pragma once
#include "registry/registry.h"
#include "registry/transport.h"

typedef struct authorizer authorizer;

struct auth_client {
	const struct registry_auth *auth; /* NULL: anonymous */
	struct work *work;
	const char *identity;   /* "" when unknown */
	const char *repository; /* what one repository's challenge asked for is not asked for with another one */
	const char *user_agent;
	const struct transport_tls *tls; /* of the registry, and of its token server */
};

authorizer *authorizer_new(transport *t);
void authorizer_free(authorizer *a);
/* NULL in *ret_header when nothing is known of the origin yet. */
bool authorizer_header(authorizer *a, const struct auth_client *client, const char *url, const char *const *scopes,
		       char **ret_header, GError **error);
/* *ret_retry: a challenge was understood and the request is worth repeating. rejected: it carried a header already. */
bool authorizer_learn(authorizer *a, const struct auth_client *client, const char *url,
		      const struct transport_reply *reply, bool rejected, bool *ret_retry, GError **error);
