/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"

static bool has_sessions(const struct work *work)
{
	return work && work->sessions && !session_group_is_empty(work->sessions);
}

static bool credentials(struct work *work, const char *host, char **ret_user, char **ret_secret, GError **error)
{
	if (has_sessions(work))
		return session_credentials(work->sessions, host, work->cancel, ret_user, ret_secret, error);
	*ret_user = g_strdup("");
	*ret_secret = g_strdup("");
	return true;
}

static bool fetch_token(struct work *work, const char *host, const char *realm, const char *service,
			const char *const *scopes, char **ret_token, int64_t *ret_expires_s, GError **error)
{
	g_autoptr(GError) why = NULL;
	bool by_client = has_sessions(work) && session_token_authority(work->sessions, host, work->cancel, &why);
	if (by_client)
		return session_fetch_token(work->sessions, host, realm, service, scopes, work->cancel, ret_token,
					   ret_expires_s, error);
	if (error_is(why, ERROR_CANCELED))
		return error_propagate(error, g_steal_pointer(&why));
	/* A client without a stable key sends its credentials instead. */
	return error_set(error, ERROR_UNIMPLEMENTED, "no client makes tokens for %s", host);
}

static char *identity(struct work *work)
{
	return has_sessions(work) ? session_group_first(work->sessions) : g_strdup("");
}

const struct registry_auth source_registry_auth = {
	.credentials = credentials,
	.fetch_token = fetch_token,
	.identity = identity,
};
