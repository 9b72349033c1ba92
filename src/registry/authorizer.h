/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authorizer: answers challenges with basic credentials, or bearer tokens fetched by the client or the daemon, cached
 * by client, repository, origin and scope for nine tenths of their lifetime.
 *
 *	authorizer_header(a, &client, url, scopes, &header, error)                before a request to url
 *	authorizer_learn(a, &client, url, reply, rejected, &retry, error)         after a 401 from url
 *
 * URLs are distinguished by origin: scheme, host and port. Credentials belong to a host and port; a password is sent to
 * a token server only if that is the origin itself or uses https. Thread: any; calls block.
 */
#pragma once
#include "registry/registry.h"
#include "registry/transport.h"

typedef struct authorizer authorizer;

struct auth_client {
	const struct registry_auth *auth; /* NULL: anonymous */
	struct work *work;
	const char *identity;   /* "" if unknown */
	const char *repository; /* headers for one repository's challenge are not used for another repository */
	const char *user_agent;
	const struct transport_tls *tls; /* for the registry and its token server */
};

authorizer *authorizer_new(transport *t);
void authorizer_free(authorizer *a);
/* *ret_header is NULL if nothing is known of the origin yet. */
bool authorizer_header(authorizer *a, const struct auth_client *client, const char *url, const char *const *scopes,
		       char **ret_header, GError **error);
/* *ret_retry: the challenge was understood and the request should be repeated. rejected: it already had a header. */
bool authorizer_learn(authorizer *a, const struct auth_client *client, const char *url,
		      const struct transport_reply *reply, bool rejected, bool *ret_retry, GError **error);
