/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/call.h"
#include "base/limits.h"
#include "base/secret.h"
#include "format/http_url.h"
#include "progress/progress.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include "registry/libcurl.h"
#include <poll.h>
#include <string.h>

#define RETRY_AFTER_MAX_S 60

/* ---- start and end */

static char *identity_of(registry *r, const struct registry_auth *auth, struct work *work)
{
	if (!auth)
		return g_strdup("");
	char *identity = auth->identity ? auth->identity(work) : NULL;
	if (identity)
		return identity;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->mu);
	return g_strdup_printf("#%" G_GUINT64_FORMAT, ++r->auth_clients);
}

bool http_call_begin(struct call *call, registry *r, const reference *ref, const struct registry_auth *auth,
		     bool insecure, struct work *work, enum call_scope scope, GError **error)
{
	*call = (struct call){.r = r, .ref = ref};
	call->endpoints = hosts_find(r->hosts, ref->domain, insecure || (auth && auth->insecure), error);
	if (!call->endpoints)
		return false;
	call->identity = identity_of(r, auth, work);
	call->scopes[0] = g_strdup_printf("repository:%s:%s", ref->path, scope == CALL_PUSH ? "pull,push" : "pull");
	call->auth_client = (struct auth_client){auth, work, call->identity, call->scopes[0], r->user_agent, NULL};
	return true;
}

void http_call_end(struct call *call)
{
	g_clear_pointer(&call->endpoints, g_ptr_array_unref);
	g_clear_pointer(&call->identity, g_free);
	g_clear_pointer(&call->scopes[0], g_free);
	g_clear_pointer(&call->scopes[1], g_free);
}

static bool is_plain_http(registry *r, const char *host)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->mu);
	return g_hash_table_contains(r->plain_http, host);
}

char *call_origin(const struct call *call, const struct endpoint *e)
{
	const char *scheme = e->may_fall_back && is_plain_http(call->r, e->host) ? "http" : e->scheme;
	return g_strconcat(scheme, "://", e->host, NULL);
}

char *call_url(const struct call *call, const struct endpoint *e, const char *kind, const char *name)
{
	g_autofree char *origin = call_origin(call, e);
	GString *url = g_string_new(NULL);
	g_string_printf(url, "%s%s/%s/%s/%s", origin, e->path, call->ref->path, kind, name);
	if (e->namespace) {
		g_autofree char *escaped = g_uri_escape_string(e->namespace, NULL, FALSE);
		g_string_append_printf(url, "?ns=%s", escaped);
	}
	return g_string_free(url, FALSE);
}

/* ---- slots */

static int slot_count(registry *r, const char *domain)
{
	return GPOINTER_TO_INT(g_hash_table_lookup(r->slots, domain));
}

static cancel *call_cancel(const struct call *call)
{
	return call->auth_client.work ? call->auth_client.work->cancel : NULL;
}

bool call_slot_take(struct call *call, bool is_document, GError **error)
{
	registry *r = call->r;
	const char *domain = call->ref->domain;
	int max = r->max_concurrency + (is_document ? 1 : 0);
	cancel *c = call_cancel(call);
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &r->mu, &r->slot_free);
	g_mutex_lock(&r->mu);
	while (slot_count(r, domain) >= max && !cancel_is_set(c))
		g_cond_wait(&r->slot_free, &r->mu);
	bool taken = slot_count(r, domain) < max;
	if (taken)
		g_hash_table_replace(r->slots, g_strdup(domain), GINT_TO_POINTER(slot_count(r, domain) + 1));
	g_mutex_unlock(&r->mu);
	return taken || cancel_check(c, error);
}

void call_slot_give(struct call *call)
{
	registry *r = call->r;
	const char *domain = call->ref->domain;
	g_mutex_lock(&r->mu);
	int n = slot_count(r, domain) - 1;
	if (n > 0)
		g_hash_table_replace(r->slots, g_strdup(domain), GINT_TO_POINTER(n));
	else
		g_hash_table_remove(r->slots, domain);
	g_cond_broadcast(&r->slot_free);
	g_mutex_unlock(&r->mu);
}

/* ---- waiting */

bool call_back_off(struct call *call, unsigned n, int wait_s, const char *why, GError **error)
{
	/* The first wait is short, because most failures are transient and a build waits. */
	int ms = wait_s > 0 ? wait_s * 1000 : n == 0 ? 250 : 1000 << MIN(n - 1, 3);
	progress_sink *sink = call->auth_client.work ? call->auth_client.work->progress : NULL;
	if (sink && (n > 0 || wait_s > 0)) {
		g_autofree char *line = g_strdup_printf("error: %s\nretrying in %ds\n", why, ms / 1000);
		progress_output(sink, 2, line, strlen(line));
	}
	return cancel_sleep(call_cancel(call), ms, error);
}

/* Seconds, or a date; 0 if missing or invalid. */
static int64_t retry_after(const transport_reply *reply)
{
	const char *text = transport_reply_header(reply, "retry-after");
	if (!text)
		return 0;
	guint64 seconds;
	if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &seconds, NULL))
		return (int64_t)seconds;
	time_t when = (time_t)libcurl.getdate(text, NULL);
	return when > 0 ? MAX(0, when - time(NULL)) : 0;
}

/* ---- requests */

static bool is_transient(int status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* A host that sent nothing for a minute gets one more minute. */
static bool is_retryable(enum transport_failure failure, unsigned n)
{
	return failure == TRANSPORT_BROKEN || (failure == TRANSPORT_TIMEOUT && n == 0);
}

/* https first if both are allowed; a host that answered over plain http is always asked that way. */
static bool fall_back(struct call *call, const struct endpoint *e, char **url, enum transport_failure failure)
{
	bool has_port = strchr(strrchr(e->host, ']') ? strrchr(e->host, ']') : e->host, ':') != NULL;
	bool plain = failure == TRANSPORT_NOT_TLS || (failure == TRANSPORT_REFUSED && !has_port);
	if (!e->may_fall_back || !plain || !g_str_has_prefix(*url, "https://"))
		return false;
	g_mutex_lock(&call->r->mu);
	g_hash_table_add(call->r->plain_http, g_strdup(e->host));
	g_mutex_unlock(&call->r->mu);
	char *plain_url = g_strconcat("http://", *url + strlen("https://"), NULL);
	g_free(*url);
	*url = plain_url;
	return true;
}

static char **headers_with_agent(const char *const *headers, const char *agent)
{
	GPtrArray *all = g_ptr_array_new();
	g_ptr_array_add(all, g_strconcat("User-Agent: ", agent, NULL));
	for (; headers && *headers; headers++)
		g_ptr_array_add(all, g_strdup(*headers));
	g_ptr_array_add(all, NULL);
	return (char **)g_ptr_array_free(all, FALSE);
}

/* ---- authorization */

/* The request of one attempt, for authorize_redirect. */
struct attempt {
	struct call *call;
	const struct endpoint *endpoint;
	bool authorized; /* the last request had a header */
};

/*
 * Credentials are sent to the endpoint and to hosts that it redirects to, each with the client's credentials for that
 * host; without TLS only to the endpoint itself and to hosts configured for plain http.
 */
static bool may_authorize(const struct attempt *a, const char *url)
{
	g_auto(http_url) u = {0};
	g_autofree char *origin = call_origin(a->call, a->endpoint);
	if (!http_url_parse(url, &u, NULL))
		return false;
	return u.is_https || http_url_same_origin(url, origin) || hosts_uses_http(a->call->r->hosts, u.authority);
}

static bool authorize(void *data, const char *url, char **ret_header, GError **error)
{
	struct attempt *a = data;
	*ret_header = NULL;
	if (may_authorize(a, url) && !authorizer_header(a->call->r->authorizer, &a->call->auth_client, url,
							(const char *const *)a->call->scopes, ret_header, error))
		return false;
	a->authorized = *ret_header != NULL;
	return true;
}

/* ---- localhost registries with TLS */

/* A refused certificate also shows that the host uses TLS; nothing is sent in that case. */
static bool has_tls_answer(struct call *call, const struct endpoint *e)
{
	g_autofree char *url = g_strconcat("https://", e->host, e->path, "/", NULL);
	struct transport_request q = {.method = "HEAD", .url = url, .body_size = -1};
	g_auto(transport_reply) reply = {0};
	enum transport_failure failure;
	return transport_do(call->r->transport, &q, call_cancel(call), &reply, &failure, NULL) ||
	       failure == TRANSPORT_TLS;
}

/* A plain http connection that ends without an answer is not retried if the host uses TLS. */
static bool is_tls_only(struct call *call, const struct endpoint *e, const char *url, enum transport_failure failure,
			unsigned n, GError *why)
{
	bool silent = failure == TRANSPORT_BROKEN || failure == TRANSPORT_NOT_HTTP;
	if (!silent || n > 0 || !g_str_has_prefix(url, "http://") || !has_tls_answer(call, e))
		return false;
	g_autofree char *text =
		g_strdup_printf("%s (%s uses TLS: set http = false for it in buildkitd.toml)", why->message, e->host);
	g_free(why->message);
	why->message = g_steal_pointer(&text);
	return true;
}

/* ---- one request */

enum verdict { VERDICT_FINAL, VERDICT_AGAIN, VERDICT_ERROR };

/* Decides the next step for an answer. n is the number of retries so far. */
static enum verdict judge(struct attempt *a, struct transport_request *q, const struct call_options *o,
			  const transport_reply *reply, unsigned *rounds, unsigned n, GError **error)
{
	struct call *call = a->call;
	if (reply->status == 401 && !o->anonymous && *rounds < LIMIT_AUTH_ROUNDS && may_authorize(a, reply->url)) {
		bool again;
		if (!authorizer_learn(call->r->authorizer, &call->auth_client, reply->url, reply, a->authorized, &again,
				      error))
			return VERDICT_ERROR;
		(*rounds)++;
		return again ? VERDICT_AGAIN : VERDICT_FINAL;
	}
	if (reply->status == 405 && g_str_equal(q->method, "HEAD") && strstr(q->url, "/manifests/")) {
		q->method = "GET"; /* registries without HEAD for manifests */
		return VERDICT_AGAIN;
	}
	bool waits = reply->status == 429 || reply->status == 408;
	if (!is_transient(reply->status) || n >= o->retries || !(o->is_last || waits))
		return VERDICT_FINAL;
	/*
	 * A registry that requests a longer delay than a build waits is retried with our own delay, as upstream does.
	 */
	int64_t after = retry_after(reply);
	g_autoptr(GError) why = NULL;
	errors_bare(q->method, reply, &why);
	return call_back_off(call, n, after > RETRY_AFTER_MAX_S ? 0 : (int)after, why->message, error) ? VERDICT_AGAIN
												       : VERDICT_ERROR;
}

/* No answer: returns false if it should not be retried. */
static bool retry_failure(struct attempt *a, char **url, const struct call_options *o, unsigned *n, GError *why,
			  GError **error)
{
	if (fall_back(a->call, a->endpoint, url, o->failure))
		return true;
	bool worth = !is_tls_only(a->call, a->endpoint, *url, o->failure, *n, why) && is_retryable(o->failure, *n) &&
		     o->retry_broken && o->is_last && *n < o->retries;
	return worth && call_back_off(a->call, (*n)++, 0, why->message, error);
}

bool call_do(struct call *call, const struct endpoint *e, struct transport_request *q, struct call_options *o,
	     transport_reply *ret_reply, GError **error)
{
	g_auto(GStrv) headers = headers_with_agent(q->headers, call->r->user_agent);
	g_autofree char *url = g_strdup(q->url);
	struct transport_request sent = *q;
	struct attempt attempt = {call, e, false};
	unsigned rounds = 0;
	call->auth_client.tls = &e->tls;
	sent.headers = (const char *const *)headers;
	sent.tls = &e->tls;
	sent.authorize_redirect = o->anonymous ? NULL : authorize;
	sent.authorize_data = &attempt;
	for (unsigned n = 0;;) {
		scoped_secret authorization = NULL;
		g_auto(transport_reply) reply = {0};
		g_autoptr(GError) why = NULL;
		o->failure = TRANSPORT_STOPPED;
		attempt.authorized = false;
		sent.url = url;
		if (!o->anonymous && !authorize(&attempt, url, &authorization, error))
			return error_prefix(error, "failed to authorize: ");
		sent.authorization = authorization;
		if (!transport_do(call->r->transport, &sent, call_cancel(call), &reply, &o->failure, &why)) {
			GError *stopped = NULL;
			if (retry_failure(&attempt, &url, o, &n, why, &stopped))
				continue;
			g_propagate_error(error, stopped ? stopped : g_steal_pointer(&why));
			if (!stopped && o->failure != TRANSPORT_STOPPED)
				g_prefix_error(error, "failed to do request: ");
			return false;
		}
		unsigned rounds_before = rounds;
		switch (judge(&attempt, &sent, o, &reply, &rounds, n, error)) {
		case VERDICT_ERROR:
			return false;
		case VERDICT_AGAIN:
			n += rounds == rounds_before;
			continue;
		case VERDICT_FINAL:
			q->method = sent.method;
			*ret_reply = reply;
			reply = (transport_reply){0};
			return true;
		}
	}
}
