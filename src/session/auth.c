/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: registry credentials of the client.
 *
 * A client with a stable key proves that it has the key by signing our payload (NaCl's sign: the ed25519 signature,
 * then the payload). Such a client fetches tokens itself, so that its password never leaves it.
 */
#include "session/live.h"
#include "api/guard.h"
#include "base/ident.h"
#include "auth.pb-c.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define SERVICE "/moby.filesync.v1.Auth/"
#define CLIENT_ID "buildkit-client"
#define SIGNATURE_BYTES 64
#define KEY_BYTES 32

typedef Auth__CredentialsResponse credentials_reply;
typedef Auth__FetchTokenResponse token_reply;
typedef Auth__GetTokenAuthorityResponse authority_reply;
typedef Auth__VerifyTokenAuthorityResponse verify_reply;
DEFINE_MESSAGE_AUTOPTR(credentials_reply)
DEFINE_MESSAGE_AUTOPTR(token_reply)
DEFINE_MESSAGE_AUTOPTR(authority_reply)
DEFINE_MESSAGE_AUTOPTR(verify_reply)

/* ---- credentials */

struct credentials {
	const char *host;
	char *user;
	char *secret;
	bool has_none; /* a client has no credentials */
};

static bool ask_credentials(session *s, cancel *c, void *data, GError **error)
{
	struct credentials *q = data;
	Auth__CredentialsRequest request = AUTH__CREDENTIALS_REQUEST__INIT;
	request.host = (char *)q->host;
	g_autoptr(credentials_reply) reply = rpc_unary(session_conn(s), SERVICE "Credentials", NULL, &request,
						       &auth__credentials_response__descriptor, c, AUTH_WAIT_MS, error);
	if (!reply)
		return false;
	if (!*reply->username && !*reply->secret) {
		q->has_none = true;
		return error_set(error, ERROR_NOT_FOUND, "the client has no credentials for %s", q->host);
	}
	q->user = g_strdup(reply->username);
	q->secret = g_strdup(reply->secret);
	explicit_bzero(reply->secret, strlen(reply->secret));
	return true;
}

bool session_credentials(session_group *g, const char *host, cancel *c, char **ret_user, char **ret_secret,
			 GError **error)
{
	struct credentials q = {.host = host};
	g_autoptr(GError) local = NULL;
	if (!group_each(g, SERVICE "Credentials", AUTH_WAIT_MS, c, ask_credentials, &q, &local)) {
		bool no_session =
			error_is(local, ERROR_FAILED_PRECONDITION) && g_str_equal(local->message, NO_SESSIONS);
		if (!q.has_none && !no_session && !error_is(local, ERROR_UNIMPLEMENTED)) {
			error_keep_text(local);
			return error_propagate(error, g_steal_pointer(&local));
		}
		/* A client without the service has no credentials; this is a valid answer. */
		q.user = g_strdup("");
		q.secret = g_strdup("");
	}
	*ret_user = q.user;
	*ret_secret = q.secret;
	return true;
}

/* ---- token authority */

struct authority {
	const char *host;
	session_registry *registry;
};

static bool signature_holds(const ProtobufCBinaryData *key, const ProtobufCBinaryData *sealed, const uint8_t *payload,
			    size_t n)
{
	if (key->len != KEY_BYTES || sealed->len != SIGNATURE_BYTES + n ||
	    CRYPTO_memcmp(sealed->data + SIGNATURE_BYTES, payload, n) != 0)
		return false;
	EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->data, key->len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = public && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, public) == 1 &&
		  EVP_DigestVerify(ctx, sealed->data, SIGNATURE_BYTES, payload, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(public);
	return ok;
}

static bool verify_authority(session *s, const struct authority *q, const ProtobufCBinaryData *key, cancel *c,
			     GError **error)
{
	uint8_t payload[32];
	random_bytes(payload, sizeof(payload));
	Auth__VerifyTokenAuthorityRequest request = AUTH__VERIFY_TOKEN_AUTHORITY_REQUEST__INIT;
	request.host = (char *)q->host;
	request.payload = (ProtobufCBinaryData){sizeof(payload), payload};
	request.salt = (ProtobufCBinaryData){sizeof(q->registry->salt), q->registry->salt};
	g_autoptr(verify_reply) reply =
		rpc_unary(session_conn(s), SERVICE "VerifyTokenAuthority", NULL, &request,
			  &auth__verify_token_authority_response__descriptor, c, AUTH_WAIT_MS, error);
	if (!reply)
		return false;
	return signature_holds(key, &reply->signed_, payload, sizeof(payload)) ||
	       error_set(error, ERROR_UNAVAILABLE, "token authority of %s cannot be verified", q->host);
}

static bool ask_authority(session *s, cancel *c, void *data, GError **error)
{
	const struct authority *q = data;
	Auth__GetTokenAuthorityRequest request = AUTH__GET_TOKEN_AUTHORITY_REQUEST__INIT;
	request.host = (char *)q->host;
	request.salt = (ProtobufCBinaryData){sizeof(q->registry->salt), q->registry->salt};
	g_autoptr(authority_reply) reply =
		rpc_unary(session_conn(s), SERVICE "GetTokenAuthority", NULL, &request,
			  &auth__get_token_authority_response__descriptor, c, AUTH_WAIT_MS, error);
	return reply && verify_authority(s, q, &reply->publickey, c, error);
}

bool session_token_authority(session_group *g, const char *host, cancel *c, GError **error)
{
	struct authority q = {.host = host, .registry = g ? group_registry(g) : NULL};
	return group_each(g, SERVICE "GetTokenAuthority", AUTH_WAIT_MS, c, ask_authority, &q, error);
}

/* ---- tokens */

struct token {
	Auth__FetchTokenRequest request;
	char *token;
	int64_t expires_s;
};

static bool ask_token(session *s, cancel *c, void *data, GError **error)
{
	struct token *q = data;
	g_autoptr(token_reply) reply = rpc_unary(session_conn(s), SERVICE "FetchToken", NULL, &q->request,
						 &auth__fetch_token_response__descriptor, c, AUTH_WAIT_MS, error);
	if (!reply)
		return false;
	q->token = g_strdup(reply->token);
	explicit_bzero(reply->token, strlen(reply->token));
	q->expires_s = reply->expiresin;
	return true;
}

bool session_fetch_token(session_group *g, const char *host, const char *realm, const char *service,
			 const char *const *scopes, cancel *c, char **ret_token, int64_t *ret_expires_s, GError **error)
{
	struct token q = {.request = AUTH__FETCH_TOKEN_REQUEST__INIT};
	g_autoptr(GError) local = NULL;
	q.request.clientid = (char *)CLIENT_ID;
	q.request.host = (char *)host;
	q.request.realm = (char *)realm;
	q.request.service = (char *)service;
	q.request.scopes = (char **)scopes;
	q.request.n_scopes = scopes ? g_strv_length((char **)scopes) : 0;
	if (!group_each(g, SERVICE "FetchToken", AUTH_WAIT_MS, c, ask_token, &q, &local)) {
		error_keep_text(local);
		return error_propagate(error, g_steal_pointer(&local));
	}
	*ret_token = q.token;
	*ret_expires_s = q.expires_s;
	return true;
}
