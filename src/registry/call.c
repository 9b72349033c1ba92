/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/call.h"
#include "base/limits.h"
#include "base/secret.h"
#include "progress/progress.h"
#include "registry/internal.h"
#include "registry/libcurl.h"
#include <poll.h>
#include <string.h>

#define RETRY_AFTER_MAX_S 60
#define BODY_TEXT_MAX 256

/* ---- begin and end */

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
	call->auth_client = (struct auth_client){auth, work, call->identity, r->user_agent, NULL};
	call->scopes[0] = g_strdup_printf("repository:%s:%s", ref->path, scope == CALL_PUSH ? "pull,push" : "pull");
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

char *call_url(const struct call *call, const struct endpoint *e, const char *kind, const char *name)
{
	const char *scheme = e->may_fall_back && is_plain_http(call->r, e->host) ? "http" : e->scheme;
	GString *url = g_string_new(NULL);
	g_string_printf(url, "%s://%s%s/%s/%s/%s", scheme, e->host, e->path, call->ref->path, kind, name);
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

static void wake(void *data)
{
	registry *r = data;
	g_mutex_lock(&r->mu);
	g_cond_broadcast(&r->slot_free);
	g_mutex_unlock(&r->mu);
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
	guint watch = c ? cancel_add(c, wake, r) : 0;
	g_mutex_lock(&r->mu);
	while (slot_count(r, domain) >= max && !cancel_is_set(c))
		g_cond_wait(&r->slot_free, &r->mu);
	bool taken = slot_count(r, domain) < max;
	if (taken)
		g_hash_table_replace(r->slots, g_strdup(domain), GINT_TO_POINTER(slot_count(r, domain) + 1));
	g_mutex_unlock(&r->mu);
	if (watch)
		cancel_remove(c, watch);
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

static bool sleep_ms(cancel *c, int ms, GError **error)
{
	gint64 end = g_get_monotonic_time() + ms * G_GINT64_CONSTANT(1000);
	struct pollfd p = {.fd = cancel_fd(c), .events = POLLIN};
	for (;;) {
		int left = (int)((end - g_get_monotonic_time() + 999) / 1000);
		if (left <= 0 || cancel_is_set(c))
			break;
		poll(&p, p.fd >= 0 ? 1 : 0, left);
	}
	return cancel_check(c, error);
}

bool call_back_off(struct call *call, unsigned n, int wait_s, const char *why, GError **error)
{
	/* The first one is quick: most faults are gone at once, and a build waits. */
	int ms = wait_s > 0 ? wait_s * 1000 : n == 0 ? 250 : 1000 << MIN(n - 1, 3);
	progress_sink *sink = call->auth_client.work ? call->auth_client.work->progress : NULL;
	if (sink && (n > 0 || wait_s > 0)) {
		g_autofree char *line = g_strdup_printf("error: %s\nretrying in %ds\n", why, ms / 1000);
		progress_output(sink, 2, line, strlen(line));
	}
	return sleep_ms(call_cancel(call), ms, error);
}

/* Seconds, or a date; 0 when there is none or it is garbage. */
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

/* A host that said nothing for a minute gets one more. */
static bool is_retryable(enum transport_failure failure, unsigned n)
{
	return failure == TRANSPORT_BROKEN || (failure == TRANSPORT_TIMEOUT && n == 0);
}

/* https first where both are allowed; what plain http answered to stays plain. */
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

enum verdict { VERDICT_FINAL, VERDICT_AGAIN, VERDICT_ERROR };

/* What an answer means for the next step. n counts the retries so far. */
static enum verdict judge(struct call *call, const struct endpoint *e, struct transport_request *q,
			  struct call_options *o, const transport_reply *reply, unsigned *rounds, unsigned n,
			  GError **error)
{
	if (reply->status == 401 && !o->anonymous && *rounds < LIMIT_AUTH_ROUNDS) {
		bool again;
		if (!authorizer_learn(call->r->authorizer, &call->auth_client, e->host, reply, q->authorization != NULL,
				      &again, error))
			return VERDICT_ERROR;
		(*rounds)++;
		return again ? VERDICT_AGAIN : VERDICT_FINAL;
	}
	if (reply->status == 405 && g_str_equal(q->method, "HEAD") && strstr(q->url, "/manifests/")) {
		q->method = "GET"; /* registries that know no HEAD for manifests */
		return VERDICT_AGAIN;
	}
	bool waits = reply->status == 429 || reply->status == 408;
	if (!is_transient(reply->status) || n >= o->retries || !(o->is_last || waits))
		return VERDICT_FINAL;
	int64_t after = retry_after(reply);
	g_autofree char *why = g_strdup_printf("unexpected status from %s request to %s: %d %s", q->method, reply->url,
					       reply->status, reply->reason);
	if (after > RETRY_AFTER_MAX_S) {
		error_set(error, ERROR_UNKNOWN, "%s: the registry asks to try again in %" G_GINT64_FORMAT " s", why,
			  after);
		return VERDICT_ERROR;
	}
	return call_back_off(call, n, (int)after, why, error) ? VERDICT_AGAIN : VERDICT_ERROR;
}

bool call_do(struct call *call, const struct endpoint *e, struct transport_request *q, struct call_options *o,
	     transport_reply *ret_reply, GError **error)
{
	g_auto(GStrv) headers = headers_with_agent(q->headers, call->r->user_agent);
	g_autofree char *url = g_strdup(q->url);
	struct transport_request sent = *q;
	unsigned rounds = 0;
	call->auth_client.tls = &e->tls;
	for (unsigned n = 0;;) {
		scoped_secret authorization = NULL;
		g_auto(transport_reply) reply = {0};
		g_autoptr(GError) why = NULL;
		o->failure = TRANSPORT_STOPPED;
		if (!o->anonymous && !authorizer_header(call->r->authorizer, &call->auth_client, e->host,
							(const char *const *)call->scopes, &authorization, error))
			return false;
		sent.url = url;
		sent.headers = (const char *const *)headers;
		sent.tls = &e->tls;
		sent.authorization = o->anonymous ? NULL : authorization;
		if (!transport_do(call->r->transport, &sent, call_cancel(call), &reply, &o->failure, &why)) {
			if (fall_back(call, e, &url, o->failure))
				continue;
			if (is_retryable(o->failure, n) && o->retry_broken && o->is_last && n < o->retries) {
				if (!call_back_off(call, n++, 0, why->message, error))
					return false;
				continue;
			}
			g_propagate_error(error, g_steal_pointer(&why));
			if (o->failure != TRANSPORT_STOPPED)
				g_prefix_error(error, "failed to do request: ");
			return false;
		}
		unsigned rounds_before = rounds;
		switch (judge(call, e, &sent, o, &reply, &rounds, n, error)) {
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

/* ---- errors */

static const struct registry_code {
	const char *code, *message;
} registry_codes[] = {
	{"UNKNOWN", "unknown error"},
	{"UNSUPPORTED", "The operation is unsupported."},
	{"UNAUTHORIZED", "authentication required"},
	{"DENIED", "requested access to the resource is denied"},
	{"UNAVAILABLE", "service unavailable"},
	{"TOOMANYREQUESTS", "too many requests"},
};

/* One entry of "errors", as containerd words it: "denied: text", "denied" for the usual text. */
static char *registry_error_text(const json_t *entry, bool with_detail)
{
	const char *code = json_string_value(json_object_get(entry, "code"));
	const char *message = json_string_value(json_object_get(entry, "message"));
	const json_t *detail = json_object_get(entry, "detail");
	const struct registry_code *row = &registry_codes[0];
	for (size_t i = 0; code && i < G_N_ELEMENTS(registry_codes); i++)
		if (g_str_equal(code, registry_codes[i].code))
			row = &registry_codes[i];
	g_autofree char *name = g_ascii_strdown(row->code, -1);
	bool has_detail = detail && !json_is_null(detail);
	if (!has_detail && (!message || !*message || g_str_equal(message, row->message)))
		return g_steal_pointer(&name);
	const char *more = with_detail ? json_string_value(detail) : NULL;
	return g_strconcat(name, ": ", message ? message : "", more && *more ? " - " : "", more ? more : "", NULL);
}

/* The registry's own words, or NULL when the body has none. */
static char *registry_errors_text(const transport_reply *reply, bool with_detail)
{
	if (!reply->body || reply->body->len == 0)
		return NULL;
	g_autoptr(json_t) json = json_read(reply->body->data, reply->body->len, KIB(64), "error", NULL);
	const json_t *list = json_object_get(json, "errors");
	size_t n = json_array_size(list);
	if (n == 0)
		return NULL;
	if (n == 1)
		return registry_error_text(json_array_get(list, 0), with_detail);
	GString *text = g_string_new("errors:\n");
	for (size_t i = 0; i < MIN(n, 20); i++) {
		g_autofree char *one = registry_error_text(json_array_get(list, i), with_detail);
		g_string_append_printf(text, "%s\n", one);
	}
	return g_string_free(text, FALSE);
}

static char *status_text(const char *method, const transport_reply *reply)
{
	return g_strdup_printf("unexpected status from %s request to %s: %d %s", method, reply->url, reply->status,
			       reply->reason);
}

bool call_status_error(const char *method, const transport_reply *reply, GError **error)
{
	g_autofree char *text = status_text(method, reply);
	g_autofree char *words = registry_errors_text(reply, false);
	return error_set(error, ERROR_UNKNOWN, "%s%s%s", text, words ? "\n" : "", words ? words : "");
}

bool call_push_error(const char *method, const transport_reply *reply, GError **error)
{
	g_autofree char *words = registry_errors_text(reply, true);
	if (words)
		return error_set(error, ERROR_UNKNOWN, "%s", words);
	g_autofree char *text = status_text(method, reply);
	if (!reply->body || reply->body->len == 0)
		return error_set(error, ERROR_UNKNOWN, "%s", text);
	g_autofree char *raw = g_strndup((const char *)reply->body->data, MIN(reply->body->len, BODY_TEXT_MAX));
	g_autofree char *body = g_utf8_make_valid(raw, -1);
	if (reply->body->len <= BODY_TEXT_MAX)
		return error_set(error, ERROR_UNKNOWN, "%s: %s", text, body);
	return error_set(error, ERROR_UNKNOWN, "%s: %s... (%u bytes truncated)", text, body,
			 reply->body->len - BODY_TEXT_MAX);
}
