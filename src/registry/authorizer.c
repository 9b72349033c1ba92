/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/authorizer.h"
#include "base/limits.h"
#include "base/secret.h"
#include "format/http_url.h"
#include "registry/challenge.h"
#include "registry/token.h"
#include <string.h>

#define TOKENS_MAX 4096
#define TOKEN_LIFE_S 60 /* if the server does not state a lifetime */
#define TOKEN_LIFE_MAX_S (24 * 3600)

/* The challenge that an origin sent to a client: value of known_key. */
struct known {
	gint refs;
	struct challenge challenge;
	char *basic; /* owned header, for Basic */
};
struct kept_token {
	char *header;      /* owned */
	gint64 expires_us; /* monotonic */
};
struct authorizer {
	transport *transport;
	GMutex mu;
	GCond fetched;
	GHashTable *known;    /* char * to struct known * */
	GHashTable *tokens;   /* char * to struct kept_token * */
	GHashTable *fetching; /* set of token keys */
};

static void known_unref(gpointer data)
{
	struct known *k = data;
	if (!g_atomic_int_dec_and_test(&k->refs))
		return;
	challenge_clear(&k->challenge);
	secret_free(k->basic);
	g_free(k);
}

static void kept_token_free(gpointer data)
{
	struct kept_token *t = data;
	secret_free(t->header);
	g_free(t);
}

authorizer *authorizer_new(transport *t)
{
	authorizer *a = g_new0(authorizer, 1);
	a->transport = t;
	g_mutex_init(&a->mu);
	g_cond_init(&a->fetched);
	a->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_unref);
	a->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, kept_token_free);
	a->fetching = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return a;
}

void authorizer_free(authorizer *a)
{
	if (!a)
		return;
	g_hash_table_unref(a->known);
	g_hash_table_unref(a->tokens);
	g_hash_table_unref(a->fetching);
	g_cond_clear(&a->fetched);
	g_mutex_clear(&a->mu);
	g_free(a);
}

/* The key of clients for the credentials: host and port as in the URL. */
static char *host_of(const char *url)
{
	g_auto(http_url) u = {0};
	return http_url_parse(url, &u, NULL) ? g_steal_pointer(&u.authority) : g_strdup("");
}

/* Client, repository, and scheme, host and port of the URL. */
static char *known_key(const struct auth_client *client, const char *url)
{
	g_auto(http_url) u = {0};
	if (!http_url_parse(url, &u, NULL))
		return g_strdup("");
	return g_strdup_printf("%s\n%s\n%s://%s:%d", client->identity, client->repository,
			       u.is_https ? "https" : "http", u.host, u.port);
}

/* ---- requesting a token */

static bool credentials_get(const struct auth_client *client, const char *host, char **ret_user, char **ret_secret,
			    GError **error)
{
	*ret_user = *ret_secret = NULL;
	if (client->auth && client->auth->credentials &&
	    !client->auth->credentials(client->work, host, ret_user, ret_secret, error))
		return false;
	if (!*ret_user)
		*ret_user = g_strdup("");
	if (!*ret_secret)
		*ret_secret = g_strdup("");
	return true;
}

static cancel *client_cancel(const struct auth_client *client)
{
	return client->work ? client->work->cancel : NULL;
}

/* Returns the client's token if it fetches tokens itself, otherwise requests one with its credentials. */
static bool token_get(authorizer *a, const struct auth_client *client, const char *url, const struct challenge *c,
		      const char *const *scopes, struct registry_token *ret, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autofree char *host = host_of(url), *user = NULL;
	scoped_secret secret = NULL;
	if (client->auth && client->auth->fetch_token) {
		if (client->auth->fetch_token(client->work, host, c->realm, c->service, scopes, &ret->text,
					      &ret->expires_s, &why))
			return true;
		if (!error_is(why, ERROR_UNIMPLEMENTED))
			return error_propagate(error, g_steal_pointer(&why));
	}
	if (!credentials_get(client, host, &user, &secret, error))
		return false;
	struct token_request q = {
		.transport = a->transport,
		.cancel = client_cancel(client),
		.host = host,
		.origin = url,
		.realm = c->realm,
		.service = c->service,
		.scopes = scopes,
		.user = user,
		.secret = secret,
		.user_agent = client->user_agent,
		.tls = client->tls,
	};
	return token_fetch(&q, ret, error);
}

/* ---- cached tokens */

static gboolean token_is_over(gpointer key, gpointer value, gpointer now)
{
	return ((struct kept_token *)value)->expires_us <= *(gint64 *)now;
}

/* Remaining lifetime of a token: a new one is requested before it ends. */
static int64_t token_life_s(const struct registry_token *t)
{
	int64_t life = (t->expires_s > 0 ? MIN(t->expires_s, TOKEN_LIFE_MAX_S) : TOKEN_LIFE_S) * 9 / 10;
	if (t->issued_s > 0)
		life -= MAX(0, g_get_real_time() / G_USEC_PER_SEC - t->issued_s);
	return MAX(life, 1);
}

/* Call with mu held. */
static void token_keep(authorizer *a, const char *key, const char *header, int64_t life_s)
{
	gint64 now = g_get_monotonic_time();
	g_hash_table_foreach_remove(a->tokens, token_is_over, &now);
	if (g_hash_table_size(a->tokens) >= TOKENS_MAX)
		g_hash_table_remove_all(a->tokens);
	struct kept_token *t = g_new0(struct kept_token, 1);
	t->header = g_strdup(header);
	t->expires_us = now + life_s * G_USEC_PER_SEC;
	g_hash_table_replace(a->tokens, g_strdup(key), t);
}

/* Returns a cached token, or NULL with the obligation to fetch it and call token_done. False when canceled. */
static bool token_find_or_claim(authorizer *a, const char *key, cancel *c, char **ret_header, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &a->mu, &a->fetched);
	bool claimed = false;
	*ret_header = NULL;
	g_mutex_lock(&a->mu);
	while (!*ret_header && !claimed && !cancel_is_set(c)) {
		struct kept_token *t = g_hash_table_lookup(a->tokens, key);
		if (t && t->expires_us > g_get_monotonic_time())
			*ret_header = g_strdup(t->header);
		else if (g_hash_table_contains(a->fetching, key))
			g_cond_wait(&a->fetched, &a->mu);
		else
			claimed = g_hash_table_add(a->fetching, g_strdup(key));
	}
	g_mutex_unlock(&a->mu);
	return *ret_header || claimed || cancel_check(c, error);
}

static void token_done(authorizer *a, const char *key, const char *header, int64_t life_s)
{
	g_mutex_lock(&a->mu);
	if (header)
		token_keep(a, key, header, life_s);
	g_hash_table_remove(a->fetching, key);
	g_cond_broadcast(&a->fetched);
	g_mutex_unlock(&a->mu);
}

static bool bearer_header(authorizer *a, const struct auth_client *client, const char *url, const struct challenge *c,
			  const char *const *scopes, char **ret_header, GError **error)
{
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();
	for (; scopes && *scopes; scopes++)
		g_ptr_array_add(wanted, (gpointer)*scopes);
	if (*c->scope)
		g_ptr_array_add(wanted, c->scope);
	g_ptr_array_add(wanted, NULL);
	g_auto(GStrv) merged = scopes_merge((const char *const *)wanted->pdata);
	g_autofree char *joined = g_strjoinv(" ", merged), *known = known_key(client, url);
	g_autofree char *key = g_strconcat(known, "\n", c->realm, "\n", c->service, "\n", joined, NULL);
	if (!token_find_or_claim(a, key, client_cancel(client), ret_header, error))
		return false;
	if (*ret_header)
		return true;
	g_auto(registry_token) token = {0};
	bool ok = token_get(a, client, url, c, (const char *const *)merged, &token, error);
	if (ok && !token_is_clean(token.text)) {
		g_autofree char *host = host_of(url);
		ok = error_set(error, ERROR_UNAUTHENTICATED, "token for %s is not a valid HTTP header value", host);
	}
	*ret_header = ok ? g_strconcat("Bearer ", token.text, NULL) : NULL;
	token_done(a, key, *ret_header, token_life_s(&token));
	return ok;
}

bool authorizer_header(authorizer *a, const struct auth_client *client, const char *url, const char *const *scopes,
		       char **ret_header, GError **error)
{
	*ret_header = NULL;
	g_autofree char *key = known_key(client, url);
	g_mutex_lock(&a->mu);
	struct known *k = g_hash_table_lookup(a->known, key);
	if (k)
		g_atomic_int_inc(&k->refs);
	g_mutex_unlock(&a->mu);
	if (!k)
		return true;
	bool ok = true;
	if (k->challenge.scheme == CHALLENGE_BASIC)
		*ret_header = g_strdup(k->basic);
	else
		ok = bearer_header(a, client, url, &k->challenge, scopes, ret_header, error);
	known_unref(k);
	return ok;
}

/* ---- challenges */

/* Returns the challenge to answer: Bearer before Basic. */
static bool challenge_find(const struct transport_reply *reply, struct challenge *ret)
{
	bool found = false;
	for (guint i = 0; reply->headers && i + 1 < reply->headers->len; i += 2) {
		struct challenge c;
		if (!g_str_equal(g_ptr_array_index(reply->headers, i), "www-authenticate") ||
		    !challenge_parse(g_ptr_array_index(reply->headers, i + 1), &c))
			continue;
		if (found && c.scheme == CHALLENGE_BASIC) {
			challenge_clear(&c);
			continue;
		}
		if (found)
			challenge_clear(ret);
		*ret = c;
		found = true;
		if (c.scheme == CHALLENGE_BEARER)
			break;
	}
	return found;
}

static gboolean belongs_to(gpointer key, gpointer value, gpointer prefix)
{
	return g_str_has_prefix(key, prefix);
}

/* Drops what is known of the host, because it was refused: a refused token is not sent again. */
static void forget(authorizer *a, const char *key)
{
	g_autofree char *prefix = g_strconcat(key, "\n", NULL);
	g_mutex_lock(&a->mu);
	g_hash_table_remove(a->known, key);
	g_hash_table_foreach_remove(a->tokens, belongs_to, prefix);
	g_mutex_unlock(&a->mu);
}

/*
 * A header was sent and refused: the origin's state is dropped and requested once more, because a token may have been
 * revoked early. Only a refused token with all scopes is final.
 */
static bool rejection_learn(authorizer *a, const char *key, struct challenge *c, GError **error)
{
	g_mutex_lock(&a->mu);
	struct known *k = g_hash_table_lookup(a->known, key);
	g_autofree char *old = g_strdup(k ? k->challenge.scope : "");
	g_mutex_unlock(&a->mu);
	forget(a, key);
	if (g_str_equal(c->error, "insufficient_scope") && scopes_contain(old, c->scope))
		return error_set(error, ERROR_UNAUTHENTICATED, "server message: %.200s: authorization failed",
				 c->error);
	char *both = g_strconcat(c->scope, *c->scope && *old ? " " : "", old, NULL);
	g_free(c->scope);
	c->scope = both;
	return true;
}

/* *ret_usable: false if there are no credentials for Basic. */
static bool known_fill(const struct auth_client *client, const char *url, struct known *k, bool *ret_usable,
		       GError **error)
{
	*ret_usable = true;
	if (k->challenge.scheme == CHALLENGE_BEARER)
		return *k->challenge.realm ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "no realm specified for token auth challenge");
	g_autofree char *host = host_of(url), *user = NULL;
	scoped_secret secret = NULL;
	if (!credentials_get(client, host, &user, &secret, error))
		return false;
	*ret_usable = *user && *secret;
	if (*ret_usable)
		k->basic = basic_header(user, secret);
	return true;
}

bool authorizer_learn(authorizer *a, const struct auth_client *client, const char *url,
		      const struct transport_reply *reply, bool rejected, bool *ret_retry, GError **error)
{
	*ret_retry = false;
	struct challenge c;
	if (!challenge_find(reply, &c))
		return true;
	g_autofree char *key = known_key(client, url);
	if (rejected && !rejection_learn(a, key, &c, error)) {
		challenge_clear(&c);
		return false;
	}
	struct known *k = g_new0(struct known, 1);
	k->refs = 1;
	k->challenge = c;
	bool usable, ok = known_fill(client, url, k, &usable, error);
	if (!ok || !usable) {
		known_unref(k);
		return ok;
	}
	g_mutex_lock(&a->mu);
	if (g_hash_table_size(a->known) >= TOKENS_MAX)
		g_hash_table_remove_all(a->known);
	g_hash_table_replace(a->known, g_steal_pointer(&key), k);
	g_mutex_unlock(&a->mu);
	*ret_retry = true;
	return true;
}
