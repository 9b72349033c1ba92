/* SPDX-License-Identifier: Apache-2.0 */
#include "client/token_fetch.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/version.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "registry/libcurl.h"
#include <string.h>

#define REPLY_BYTES_MAX MIB(1)
#define TIMEOUT_S 60L
#define EXPIRES_S 60 /* when the server does not say */

struct exchange {
	CURL *curl;
	struct curl_slist *headers;
	GByteArray *reply;
	GByteArray *ca;
	cancel *cancel;
	bool oversized;
	char message[CURL_ERROR_SIZE];
};

static size_t take_reply(char *bytes, size_t size, size_t n, void *data)
{
	struct exchange *x = data;
	x->oversized = x->reply->len + n > (size_t)REPLY_BYTES_MAX;
	if (x->oversized)
		return 0;
	g_byte_array_append(x->reply, (const uint8_t *)bytes, (guint)n);
	return n;
}

static int poll_cancel(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	return cancel_is_set(((struct exchange *)data)->cancel);
}

/* ---- where a password may go */

static char *host_of_url(const char *url, bool *ret_https)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
	*ret_https = uri && g_str_equal(g_uri_get_scheme(uri), "https");
	return uri && g_uri_get_host(uri) ? g_ascii_strdown(g_uri_get_host(uri), -1) : NULL;
}

static char *host_of_registry(const char *host)
{
	g_autofree char *url = g_strconcat("https://", host, "/", NULL);
	bool ignored;
	return host_of_url(url, &ignored);
}

static bool may_have_password(const struct token_request *q, GError **error)
{
	bool https;
	g_autofree char *realm = host_of_url(q->realm, &https), *registry = host_of_registry(q->host);
	if (https || (realm && registry && g_str_equal(realm, registry)))
		return true;
	return error_set(error, ERROR_PERMISSION_DENIED, "refusing to send credentials for %s to %s without TLS",
			 q->host, q->realm);
}

/* ---- one request */

/* The host's own authorities beside the system's. */
static bool set_tls(struct exchange *x, const struct docker_tls *tls, GError **error)
{
	if (!tls)
		return true;
	for (guint i = 0; i < tls->ca_files->len; i++) {
		g_autofree char *text = NULL;
		gsize n;
		g_autoptr(GError) failure = NULL;
		if (!g_file_get_contents(tls->ca_files->pdata[i], &text, &n, &failure))
			return error_set(error, ERROR_UNKNOWN, "failed to read %s: %s", (char *)tls->ca_files->pdata[i],
					 failure->message);
		g_byte_array_append(x->ca, (const uint8_t *)text, (guint)n);
		g_byte_array_append(x->ca, (const uint8_t *)"\n", 1);
	}
	struct curl_blob blob = {.data = x->ca->data, .len = x->ca->len, .flags = CURL_BLOB_COPY};
	if (x->ca->len > 0)
		libcurl.easy_setopt(x->curl, CURLOPT_CAINFO_BLOB, &blob);
	if (tls->cert_file) {
		libcurl.easy_setopt(x->curl, CURLOPT_SSLCERT, tls->cert_file);
		libcurl.easy_setopt(x->curl, CURLOPT_SSLKEY, tls->key_file);
	}
	if (tls->insecure) {
		libcurl.easy_setopt(x->curl, CURLOPT_SSL_VERIFYPEER, 0L);
		libcurl.easy_setopt(x->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	return true;
}

static void set_common(struct exchange *x, const char *url)
{
	libcurl.easy_setopt(x->curl, CURLOPT_URL, url);
	libcurl.easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	libcurl.easy_setopt(x->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	libcurl.easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
	libcurl.easy_setopt(x->curl, CURLOPT_TIMEOUT, TIMEOUT_S);
	libcurl.easy_setopt(x->curl, CURLOPT_USERAGENT, "buildkit/" BUILDKIT_VERSION);
	libcurl.easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->message);
	libcurl.easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, take_reply);
	libcurl.easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
	libcurl.easy_setopt(x->curl, CURLOPT_XFERINFOFUNCTION, poll_cancel);
	libcurl.easy_setopt(x->curl, CURLOPT_XFERINFODATA, x);
	libcurl.easy_setopt(x->curl, CURLOPT_NOPROGRESS, 0L);
}

static void exchange_clear(struct exchange *x)
{
	if (x->curl)
		libcurl.easy_cleanup(x->curl);
	libcurl.slist_free_all(x->headers);
	if (x->reply->len > 0)
		explicit_bzero(x->reply->data, x->reply->len);
	g_byte_array_unref(x->reply);
	g_byte_array_unref(x->ca);
}

/* The reply and its status; false only when there was none. */
static bool perform(struct exchange *x, const struct token_request *q, const char *url, long *ret_status,
		    GError **error)
{
	set_common(x, url);
	if (!set_tls(x, q->tls, error))
		return false;
	CURLcode code = libcurl.easy_perform(x->curl);
	if (!cancel_check(x->cancel, error))
		return false;
	if (x->oversized)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%s: answer is larger than %lld bytes", q->realm,
				 REPLY_BYTES_MAX);
	if (code != CURLE_OK)
		return error_set(error, ERROR_UNAVAILABLE, "%s: %s", q->realm,
				 *x->message ? x->message : libcurl.easy_strerror(code));
	libcurl.easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, ret_status);
	return true;
}

static void append_pair(GString *out, const char *key, const char *value)
{
	scoped_secret escaped = g_uri_escape_string(value, NULL, FALSE);
	g_string_append_printf(out, "%s%s=%s", out->len > 0 ? "&" : "", key, escaped);
}

static bool send_get(struct exchange *x, const struct token_request *q, long *ret_status, GError **error)
{
	g_autoptr(GString) query = g_string_new(NULL);
	if (*q->service)
		append_pair(query, "service", q->service);
	for (size_t i = 0; i < q->n_scopes; i++)
		append_pair(query, "scope", q->scopes[i]);
	g_autofree char *url = g_strconcat(q->realm,
					   query->len == 0         ? ""
					   : strchr(q->realm, '?') ? "&"
								   : "?",
					   query->str, NULL);
	if (*q->credentials->secret) {
		libcurl.easy_setopt(x->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		libcurl.easy_setopt(x->curl, CURLOPT_USERNAME, q->credentials->username);
		libcurl.easy_setopt(x->curl, CURLOPT_PASSWORD, q->credentials->secret);
	}
	libcurl.easy_setopt(x->curl, CURLOPT_FOLLOWLOCATION, 1L); /* without the password when the host changes */
	libcurl.easy_setopt(x->curl, CURLOPT_MAXREDIRS, (long)LIMIT_REDIRECTS);
	return perform(x, q, url, ret_status, error);
}

static bool send_post(struct exchange *x, const struct token_request *q, long *ret_status, GError **error)
{
	const struct docker_credentials *c = q->credentials;
	g_autoptr(GString) form = g_string_new(NULL);
	g_autoptr(GString) scopes = g_string_new(NULL);
	for (size_t i = 0; i < q->n_scopes; i++)
		g_string_append_printf(scopes, "%s%s", i > 0 ? " " : "", q->scopes[i]);
	append_pair(form, "client_id", "buildkit-client");
	append_pair(form, "grant_type", *c->username ? "password" : "refresh_token");
	append_pair(form, *c->username ? "password" : "refresh_token", c->secret);
	if (scopes->len > 0)
		append_pair(form, "scope", scopes->str);
	append_pair(form, "service", q->service);
	if (*c->username)
		append_pair(form, "username", c->username);
	x->headers = libcurl.slist_append(NULL, "Content-Type: application/x-www-form-urlencoded; charset=utf-8");
	libcurl.easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
	libcurl.easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE, (long)form->len);
	libcurl.easy_setopt(x->curl, CURLOPT_COPYPOSTFIELDS, form->str);
	explicit_bzero(form->str, form->len);
	return perform(x, q, q->realm, ret_status, error);
}

/* ---- replies */

static bool reply_read(const struct exchange *x, bool post, struct token *ret, GError **error)
{
	g_autoptr(json_t) json =
		json_read(x->reply->data, x->reply->len, (size_t)REPLY_BYTES_MAX, "token response", error);
	if (!json) {
		g_prefix_error(error, "unable to decode token response: ");
		return false;
	}
	const char *text = json_string_value(json_object_get(json, "access_token"));
	if ((!text || !*text) && !post)
		text = json_string_value(json_object_get(json, "token"));
	if (!text || !*text)
		return error_set(error, ERROR_UNKNOWN, "authorization server did not include a token in the response");
	const char *issued = json_string_value(json_object_get(json, "issued_at"));
	int64_t issued_ns = 0;
	if (issued)
		(void)time_parse_rfc3339(issued, &issued_ns, NULL);
	ret->text = g_strdup(text);
	ret->expires_s = json_integer_value(json_object_get(json, "expires_in"));
	if (ret->expires_s == 0)
		ret->expires_s = EXPIRES_S;
	ret->issued_s = issued_ns / 1000000000;
	return true;
}

static bool ask(const struct token_request *q, bool post, cancel *c, struct token *ret, long *ret_status,
		GError **error)
{
	if (!libcurl_load(error))
		return false;
	struct exchange x = {
		.curl = libcurl.easy_init(), .cancel = c, .reply = g_byte_array_new(), .ca = g_byte_array_new()};
	bool ok = x.curl || error_set(error, ERROR_RESOURCE_EXHAUSTED, "no HTTP client");
	ok = ok && (post ? send_post : send_get)(&x, q, ret_status, error);
	if (ok && (*ret_status < 200 || *ret_status >= 400))
		ok = error_set(error, ERROR_UNKNOWN, "unexpected status from %s request to %s: %ld",
			       post ? "POST" : "GET", q->realm, *ret_status);
	else if (ok)
		ok = reply_read(&x, post, ret, error);
	exchange_clear(&x);
	return ok;
}

bool token_fetch(const struct token_request *q, cancel *c, struct token *ret, GError **error)
{
	long status = 0;
	if (!*q->credentials->secret) {
		if (ask(q, false, c, ret, &status, error))
			return true;
		g_prefix_error(error, "failed to fetch anonymous token: ");
		return false;
	}
	g_autoptr(GError) failure = NULL;
	bool ok = may_have_password(q, &failure) && ask(q, true, c, ret, &status, &failure);
	/* Servers that know only the older way say so in one of these. */
	if (!ok && ((status == 405 && *q->credentials->username) || status == 404 || status == 401)) {
		g_clear_error(&failure);
		ok = ask(q, false, c, ret, &status, &failure);
	}
	if (ok)
		return true;
	g_propagate_prefixed_error(error, g_steal_pointer(&failure), "failed to fetch oauth token: ");
	return false;
}
