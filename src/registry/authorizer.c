/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/authorizer.h"
#include "base/limits.h"
#include "base/secret.h"
#include "format/json_writer.h"
#include "registry/challenge.h"
#include <string.h>

#define TOKENS_MAX 4096
#define TOKEN_BYTES_MAX KIB(64)
#define TOKEN_REPLY_MAX MIB(1)
#define TOKEN_LIFE_SECONDS 60
#define CLIENT_ID "buildkit-client"

/* What a host asked of an auth_client: "identity host" to this. */
struct known {
	gint refs;
	struct challenge challenge;
	char *basic; /* owned header, for Basic */
};
struct token {
	char *header;      /* owned */
	gint64 expires_us; /* monotonic */
};
struct authorizer {
	transport *transport;
	GMutex mu;
	GCond fetched;
	GHashTable *known;    /* char * to struct known * */
	GHashTable *tokens;   /* char * to struct token * */
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

static void token_free(gpointer data)
{
	struct token *t = data;
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
	a->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, token_free);
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

static char *known_key(const struct auth_client *auth_client, const char *host)
{
	return g_strconcat(auth_client->identity, "\n", host, NULL);
}

/* ---- asking a token server */

static bool same_host(const char *url, const char *host)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
	if (!uri || !g_uri_get_host(uri))
		return false;
	bool is_v6 = strchr(g_uri_get_host(uri), ':') != NULL;
	g_autofree char *name = g_strdup_printf(is_v6 ? "[%s]" : "%s", g_uri_get_host(uri));
	g_autofree char *with_port = g_strdup_printf("%s:%d", name, g_uri_get_port(uri));
	return g_str_equal(with_port, host) || (g_uri_get_port(uri) < 0 && g_str_equal(name, host));
}

/* Where a password may go: to the registry itself, or somewhere else under TLS. */
static bool realm_check(const char *realm, const char *host, bool with_secret, GError **error)
{
	bool is_https = g_str_has_prefix(realm, "https://");
	if (!is_https && !g_str_has_prefix(realm, "http://"))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid token realm \"%.200s\" of %s", realm, host);
	if (with_secret && !is_https && !same_host(realm, host))
		return error_set(error, ERROR_PERMISSION_DENIED,
				 "refusing to send credentials for %s to %.200s: neither https nor the same host", host,
				 realm);
	return true;
}

static bool token_is_clean(const char *token)
{
	size_t n = strlen(token);
	if (n == 0 || n > (size_t)TOKEN_BYTES_MAX)
		return false;
	for (const char *p = token; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e)
			return false;
	return true;
}

static bool token_reply_read(const struct transport_reply *reply, char **ret_token, int64_t *ret_expires_s,
			     GError **error)
{
	g_autoptr(json_t) json =
		json_read(reply->body->data, reply->body->len, TOKEN_REPLY_MAX, "token response", error);
	if (reply->body->len > 0)
		explicit_bzero(reply->body->data, reply->body->len);
	if (!json)
		return false;
	const char *token = json_string_value(json_object_get(json, "access_token"));
	if (!token || !*token)
		token = json_string_value(json_object_get(json, "token"));
	if (!token || !*token)
		return error_set(error, ERROR_UNAUTHENTICATED,
				 "authorization server did not include a token in the response");
	*ret_expires_s = json_integer_value(json_object_get(json, "expires_in"));
	*ret_token = g_strdup(token);
	return true;
}

static void append_query(GString *url, const char *key, const char *value)
{
	g_autofree char *escaped = g_uri_escape_string(value, ":", FALSE);
	g_string_append_printf(url, "%c%s=%s", strchr(url->str, '?') ? '&' : '?', key, escaped);
}

static char *token_url(const struct challenge *c, const char *const *scopes)
{
	GString *url = g_string_new(c->realm);
	if (*c->service)
		append_query(url, "service", c->service);
	for (; *scopes; scopes++)
		append_query(url, "scope", *scopes);
	return g_string_free(url, FALSE);
}

static void form_append(GString *form, const char *key, const char *value)
{
	g_autofree char *escaped = g_uri_escape_string(value, NULL, FALSE);
	g_string_append_printf(form, "%s%s=%s", form->len > 0 ? "&" : "", key, escaped);
}

static char *token_form(const struct challenge *c, const char *const *scopes, const char *user, const char *secret)
{
	g_autofree char *joined = g_strjoinv(" ", (char **)scopes);
	GString *form = g_string_new(NULL);
	form_append(form, "client_id", CLIENT_ID);
	form_append(form, "grant_type", *user ? "password" : "refresh_token");
	if (*user) {
		form_append(form, "password", secret);
	} else {
		form_append(form, "refresh_token", secret);
	}
	if (*joined)
		form_append(form, "scope", joined);
	form_append(form, "service", c->service);
	if (*user)
		form_append(form, "username", user);
	return g_string_free(form, FALSE);
}

static char *basic_header(const char *user, const char *secret)
{
	scoped_secret pair = g_strconcat(user, ":", secret, NULL);
	scoped_secret encoded = g_base64_encode((const guchar *)pair, strlen(pair));
	return g_strconcat("Basic ", encoded, NULL);
}

static bool status_error(const char *method, const struct transport_reply *reply, GError **error)
{
	return error_set(error, ERROR_UNAUTHENTICATED, "unexpected status from %s request to %s: %d %s", method,
			 reply->url, reply->status, reply->reason);
}

struct token_request {
	authorizer *a;
	const struct auth_client *auth_client;
	const char *host;
	const struct challenge *challenge;
	const char *const *scopes;
	const char *user, *secret;
};

static bool token_send(const struct token_request *t, const char *method, const char *url, const char *form,
		       const char *authorization, transport_reply *ret_reply, GError **error)
{
	g_autofree char *agent = g_strconcat("User-Agent: ", t->auth_client->user_agent, NULL);
	const char *headers[] = {agent, form ? "Content-Type: application/x-www-form-urlencoded; charset=utf-8" : NULL,
				 NULL};
	struct transport_request q = {
		.method = method,
		.url = url,
		.headers = headers,
		.authorization = authorization,
		.body = form,
		.body_size = form ? (int64_t)strlen(form) : -1,
		.tls = same_host(url, t->host) ? t->auth_client->tls : NULL,
		/* A body with a password in it follows no redirect. */
		.redirects = form ? 0 : (unsigned)LIMIT_REDIRECTS,
		.body_max = TOKEN_REPLY_MAX,
	};
	enum transport_failure failure;
	return transport_do(t->a->transport, &q, t->auth_client->work ? t->auth_client->work->cancel : NULL, ret_reply,
			    &failure, error);
}

/* GET, then an OAuth2 POST where servers are known to want that. */
static bool token_ask(const struct token_request *t, char **ret_token, int64_t *ret_expires_s, GError **error)
{
	bool with_secret = *t->secret != '\0';
	if (!realm_check(t->challenge->realm, t->host, with_secret, error))
		return false;
	g_autofree char *url = token_url(t->challenge, t->scopes);
	scoped_secret basic = with_secret ? basic_header(t->user, t->secret) : NULL;
	g_auto(transport_reply) reply = {0};
	if (!token_send(t, "GET", url, NULL, basic, &reply, error))
		return false;
	if (reply.status >= 200 && reply.status < 400)
		return token_reply_read(&reply, ret_token, ret_expires_s, error);
	bool try_post =
		with_secret && (reply.status == 404 || reply.status == 401 || (reply.status == 405 && *t->user));
	if (!try_post)
		return status_error("GET", &reply, error);
	scoped_secret form = token_form(t->challenge, t->scopes, t->user, t->secret);
	g_auto(transport_reply) posted = {0};
	if (!token_send(t, "POST", t->challenge->realm, form, NULL, &posted, error))
		return false;
	if (posted.status < 200 || posted.status >= 400)
		return status_error("POST", &posted, error);
	return token_reply_read(&posted, ret_token, ret_expires_s, error);
}

static bool credentials_get(const struct auth_client *auth_client, const char *host, char **ret_user, char **ret_secret,
			    GError **error)
{
	*ret_user = *ret_secret = NULL;
	if (auth_client->auth && auth_client->auth->credentials &&
	    !auth_client->auth->credentials(auth_client->work, host, ret_user, ret_secret, error))
		return false;
	if (!*ret_user)
		*ret_user = g_strdup("");
	if (!*ret_secret)
		*ret_secret = g_strdup("");
	return true;
}

/* The client's own token when it makes them, else one asked for with its credentials. */
static bool token_fetch(authorizer *a, const struct auth_client *auth_client, const char *host,
			const struct challenge *c, const char *const *scopes, char **ret_token, int64_t *ret_expires_s,
			GError **error)
{
	g_autoptr(GError) why = NULL;
	if (auth_client->auth && auth_client->auth->fetch_token) {
		if (auth_client->auth->fetch_token(auth_client->work, host, c->realm, c->service, scopes, ret_token,
						   ret_expires_s, &why))
			return true;
		if (!error_is(why, ERROR_UNIMPLEMENTED)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return false;
		}
	}
	g_autofree char *user = NULL;
	scoped_secret secret = NULL;
	if (!credentials_get(auth_client, host, &user, &secret, error))
		return false;
	struct token_request t = {a, auth_client, host, c, scopes, user, secret};
	if (token_ask(&t, ret_token, ret_expires_s, error))
		return true;
	g_prefix_error(error, *secret ? "failed to fetch oauth token: " : "failed to fetch anonymous token: ");
	return false;
}

/* ---- tokens that are kept */

static gboolean token_is_over(gpointer key, gpointer value, gpointer now)
{
	return ((struct token *)value)->expires_us <= *(gint64 *)now;
}

/* With mu held. */
static void token_keep(authorizer *a, const char *key, const char *header, int64_t life_s)
{
	gint64 now = g_get_monotonic_time();
	g_hash_table_foreach_remove(a->tokens, token_is_over, &now);
	if (g_hash_table_size(a->tokens) >= TOKENS_MAX)
		g_hash_table_remove_all(a->tokens);
	struct token *t = g_new0(struct token, 1);
	t->header = g_strdup(header);
	int64_t life = CLAMP(life_s > 0 ? life_s : TOKEN_LIFE_SECONDS, 1, 24 * 3600);
	t->expires_us = now + life * (G_USEC_PER_SEC / 10 * 9);
	g_hash_table_replace(a->tokens, g_strdup(key), t);
}

/* A kept token, or NULL with the right (and duty: token_done) to fetch it. */
static char *token_find_or_claim(authorizer *a, const char *key)
{
	g_mutex_lock(&a->mu);
	char *header = NULL;
	for (;;) {
		struct token *t = g_hash_table_lookup(a->tokens, key);
		if (t && t->expires_us > g_get_monotonic_time()) {
			header = g_strdup(t->header);
			break;
		}
		if (!g_hash_table_contains(a->fetching, key)) {
			g_hash_table_add(a->fetching, g_strdup(key));
			break;
		}
		g_cond_wait(&a->fetched, &a->mu);
	}
	g_mutex_unlock(&a->mu);
	return header;
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

static bool bearer_header(authorizer *a, const struct auth_client *auth_client, const char *host,
			  const struct challenge *c, const char *const *scopes, char **ret_header, GError **error)
{
	g_autoptr(GPtrArray) wanted = g_ptr_array_new();
	for (; scopes && *scopes; scopes++)
		g_ptr_array_add(wanted, (gpointer)*scopes);
	if (*c->scope)
		g_ptr_array_add(wanted, c->scope);
	g_ptr_array_add(wanted, NULL);
	g_auto(GStrv) merged = scopes_merge((const char *const *)wanted->pdata);
	g_autofree char *joined = g_strjoinv(" ", merged);
	g_autofree char *key =
		g_strconcat(auth_client->identity, "\n", host, "\n", c->realm, "\n", c->service, "\n", joined, NULL);
	*ret_header = token_find_or_claim(a, key);
	if (*ret_header)
		return true;
	scoped_secret token = NULL;
	int64_t life_s = 0;
	bool ok = token_fetch(a, auth_client, host, c, (const char *const *)merged, &token, &life_s, error);
	if (ok && !token_is_clean(token))
		ok = error_set(error, ERROR_UNAUTHENTICATED, "token for %s is not one that can be sent", host);
	*ret_header = ok ? g_strconcat("Bearer ", token, NULL) : NULL;
	token_done(a, key, *ret_header, life_s);
	return ok;
}

bool authorizer_header(authorizer *a, const struct auth_client *auth_client, const char *host,
		       const char *const *scopes, char **ret_header, GError **error)
{
	*ret_header = NULL;
	g_autofree char *key = known_key(auth_client, host);
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
		ok = bearer_header(a, auth_client, host, &k->challenge, scopes, ret_header, error);
	known_unref(k);
	if (!ok)
		g_prefix_error(error, "failed to authorize: ");
	return ok;
}

/* ---- challenges */

/* The challenge to answer: Bearer before Basic. */
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

/* What was known of the host and did not help: a token that was refused is not offered again. */
static void forget(authorizer *a, const char *key)
{
	g_autofree char *prefix = g_strconcat(key, "\n", NULL);
	g_mutex_lock(&a->mu);
	g_hash_table_remove(a->known, key);
	g_hash_table_foreach_remove(a->tokens, belongs_to, prefix);
	g_mutex_unlock(&a->mu);
}

bool authorizer_learn(authorizer *a, const struct auth_client *auth_client, const char *host,
		      const struct transport_reply *reply, bool rejected, bool *ret_retry, GError **error)
{
	*ret_retry = false;
	struct challenge c;
	if (!challenge_find(reply, &c))
		return true;
	g_autofree char *key = known_key(auth_client, host);
	if (rejected) {
		forget(a, key);
		bool final = *c.error != '\0';
		if (final)
			error_set(error, ERROR_UNAUTHENTICATED, "server message: %.200s: authorization failed",
				  c.error);
		if (final) {
			challenge_clear(&c);
			return false;
		}
	}
	struct known *k = g_new0(struct known, 1);
	k->refs = 1;
	k->challenge = c;
	if (c.scheme == CHALLENGE_BASIC) {
		g_autofree char *user = NULL;
		scoped_secret secret = NULL;
		bool ok = credentials_get(auth_client, host, &user, &secret, error);
		if (!ok || !*user || !*secret) {
			known_unref(k);
			return ok;
		}
		k->basic = basic_header(user, secret);
	}
	g_mutex_lock(&a->mu);
	if (g_hash_table_size(a->known) >= TOKENS_MAX)
		g_hash_table_remove_all(a->known);
	g_hash_table_replace(a->known, g_steal_pointer(&key), k);
	g_mutex_unlock(&a->mu);
	*ret_retry = true;
	return true;
}
