/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/token.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/time.h"
#include "format/gotype.h"
#include "format/http_url.h"
#include "format/json_writer.h"
#include "registry/errors.h"
#include <string.h>

#define REPLY_BYTES_MAX MIB(1)
#define TOKEN_BYTES_MAX KIB(64)
#define CLIENT_ID "buildkit-client"

void registry_token_clear(struct registry_token *t)
{
	secret_clear(&t->text);
}

/* ---- request parameters */

static bool realm_check(const struct token_request *q, GError **error)
{
	g_auto(http_url) realm = {0};
	g_autofree char *shown = http_url_show(q->realm);
	if (!*q->realm)
		return error_set(error, ERROR_INVALID_ARGUMENT, "no realm specified for token auth challenge");
	if (!http_url_parse(q->realm, &realm, error))
		return error_prefix(error, "invalid token auth challenge realm: ");
	return !*q->secret || realm.is_https || http_url_same_origin(q->realm, q->origin) ||
	       error_set(error, ERROR_PERMISSION_DENIED,
			 "refusing to send credentials for %s to %.200s: neither https nor the address of the registry",
			 q->host, shown);
}

static int pair_compare(gconstpointer a, gconstpointer b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t n = strcspn(x, "="), m = strcspn(y, "=");
	int order = memcmp(x, y, MIN(n, m));
	return order ? order : (n > m) - (n < m);
}

static void pair_add(GPtrArray *pairs, const char *key, const char *value)
{
	scoped_secret escaped = http_url_query_escape(value);
	g_ptr_array_add(pairs, g_strconcat(key, "=", escaped, NULL));
}

/* Encodes like Go's url.Values.Encode: sorted by key, values of one key in their order. */
static char *pairs_join(GPtrArray *pairs)
{
	for (guint i = 1; i < pairs->len; i++) /* insertion sort is stable, and there are few pairs */
		for (guint k = i; k > 0 && pair_compare(&pairs->pdata[k - 1], &pairs->pdata[k]) > 0; k--) {
			gpointer moved = pairs->pdata[k];
			pairs->pdata[k] = pairs->pdata[k - 1];
			pairs->pdata[k - 1] = moved;
		}
	g_ptr_array_add(pairs, NULL);
	return g_strjoinv("&", (char **)pairs->pdata);
}

static char *get_url(const struct token_request *q)
{
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(secret_free);
	g_autofree char *realm = g_strndup(q->realm, strcspn(q->realm, "#"));
	char *query = strchr(realm, '?');
	if (query)
		*query++ = '\0';
	g_auto(GStrv) given = g_strsplit(query ? query : "", "&", -1);
	for (char **pair = given; *pair; pair++)
		if (**pair)
			g_ptr_array_add(pairs, g_strdup(*pair));
	if (*q->service)
		pair_add(pairs, "service", q->service);
	for (const char *const *scope = q->scopes; *scope; scope++)
		pair_add(pairs, "scope", *scope);
	g_autofree char *joined = pairs_join(pairs);
	return g_strconcat(realm, *joined ? "?" : "", joined, NULL);
}

static char *post_form(const struct token_request *q)
{
	g_autofree char *scope = g_strjoinv(" ", (char **)q->scopes);
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(secret_free);
	pair_add(pairs, "client_id", CLIENT_ID);
	pair_add(pairs, "service", q->service);
	pair_add(pairs, "grant_type", *q->user ? "password" : "refresh_token");
	pair_add(pairs, *q->user ? "password" : "refresh_token", q->secret);
	if (*q->user)
		pair_add(pairs, "username", q->user);
	if (*scope)
		pair_add(pairs, "scope", scope);
	return pairs_join(pairs);
}

char *basic_header(const char *user, const char *secret)
{
	scoped_secret pair = g_strconcat(user, ":", secret, NULL);
	scoped_secret encoded = g_base64_encode((const guchar *)pair, strlen(pair));
	return g_strconcat("Basic ", encoded, NULL);
}

/* ---- one request */

static bool token_send(const struct token_request *q, bool post, transport_reply *ret_reply, GError **error)
{
	g_autofree char *agent = g_strconcat("User-Agent: ", q->user_agent, NULL);
	g_autofree char *url = post ? g_strdup(q->realm) : get_url(q);
	scoped_secret form = post ? post_form(q) : NULL;
	scoped_secret basic = !post && *q->secret ? basic_header(q->user, q->secret) : NULL;
	const char *headers[] = {agent, post ? "Content-Type: application/x-www-form-urlencoded; charset=utf-8" : NULL,
				 NULL};
	struct transport_request request = {
		.method = post ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.authorization = basic,
		.body = form,
		.body_size = form ? (int64_t)strlen(form) : -1,
		.body_is_secret = true,
		.tls = q->tls,
		.redirects = true,
		.body_max = REPLY_BYTES_MAX,
	};
	enum transport_failure failure;
	return transport_do(q->transport, &request, q->cancel, ret_reply, &failure, error);
}

bool token_is_clean(const char *text)
{
	size_t n = strlen(text);
	if (n == 0 || n > (size_t)TOKEN_BYTES_MAX)
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e)
			return false;
	return true;
}

static bool reply_read(const struct token_request *q, const transport_reply *reply, bool post,
		       struct registry_token *ret, GError **error)
{
	g_autoptr(json_t) json =
		json_read_first(reply->body->data, reply->body->len, (size_t)REPLY_BYTES_MAX, "token response", error);
	if (reply->body->len > 0)
		explicit_bzero(reply->body->data, reply->body->len);
	if (!json)
		return error_prefix(error, "unable to decode token response: ");
	const char *text = json_string_value(json_object_get(json, "access_token"));
	if ((!text || !*text) && !post)
		text = json_string_value(json_object_get(json, "token"));
	if (!text || !*text)
		return error_set(error, ERROR_UNAUTHENTICATED,
				 "authorization server did not include a token in the response");
	if (!token_is_clean(text))
		return error_set(error, ERROR_UNAUTHENTICATED, "token for %s is not a valid HTTP header value",
				 q->host);
	const char *issued = json_string_value(json_object_get(json, "issued_at"));
	int64_t issued_ns = 0;
	if (issued)
		(void)time_parse_rfc3339(issued, &issued_ns, NULL);
	*ret = (struct registry_token){g_strdup(text), json_integer_value(json_object_get(json, "expires_in")),
				       MAX(issued_ns, 0) / NS_PER_S};
	return true;
}

static bool token_ask(const struct token_request *q, bool post, struct registry_token *ret, int *ret_status,
		      GError **error)
{
	g_auto(transport_reply) reply = {0};
	*ret_status = 0;
	if (!token_send(q, post, &reply, error))
		return false;
	*ret_status = reply.status;
	if (reply.status >= 200 && reply.status < 400)
		return reply_read(q, &reply, post, ret, error);
	const char *method = post ? "POST" : "GET";
	return *q->secret ? errors_detailed(method, &reply, error) : errors_bare(method, &reply, error);
}

bool token_fetch(const struct token_request *q, struct registry_token *ret, GError **error)
{
	bool with_secret = *q->secret != '\0';
	g_autoptr(GError) why = NULL;
	int status = 0;
	bool ok = realm_check(q, &why) && token_ask(q, with_secret && q->post_first, ret, &status, &why);
	/* A server that only supports the other method answers with one of these. */
	bool other_way = status == 404 || status == 401 || (status == 405 && *q->user);
	if (!ok && with_secret && other_way) {
		g_clear_error(&why);
		ok = token_ask(q, !q->post_first, ret, &status, &why);
	}
	if (ok)
		return true;
	g_propagate_prefixed_error(error, g_steal_pointer(&why),
				   with_secret ? "failed to fetch oauth token: " : "failed to fetch anonymous token: ");
	return false;
}
