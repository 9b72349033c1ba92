/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "format/http_url.h"
#include "registry/call.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include <string.h>

#define ERROR_BODY_MAX KIB(64)

struct push {
	struct call *call;
	const struct endpoint *endpoint; /* the registry itself; mirrors do not accept pushes */
	const oci_descriptor *d;
};

static bool push_begin(struct push *p, struct call *call, registry *r, const reference *ref, const oci_descriptor *d,
		       const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
		       GError **error)
{
	if (!http_call_begin(call, r, ref, auth, o && o->insecure, work, CALL_PUSH, error))
		return false;
	*p = (struct push){call, g_ptr_array_index(call->endpoints, call->endpoints->len - 1), d};
	return call_slot_take(call, true, error);
}

static bool simple(struct push *p, const char *method, const char *url, const char *accept, int64_t body_size,
		   transport_reply *ret_reply, GError **error)
{
	const char *headers[] = {accept, NULL};
	struct transport_request q = {
		.method = method,
		.url = url,
		.headers = headers,
		.body_size = body_size,
		.redirects = true,
		.body_max = ERROR_BODY_MAX,
	};
	struct call_options o = {.is_last = true, .retry_broken = true, .retries = LIMIT_RETRIES};
	return call_do(p->call, p->endpoint, &q, &o, ret_reply, error);
}

/* Checks whether it exists already. A refused HEAD is repeated as GET to get the registry's error. */
static bool head(struct push *p, const char *kind, const char *name, bool *ret_exists, GError **error)
{
	g_autofree char *url = call_url(p->call, p->endpoint, kind, name);
	g_autofree char *accept = g_strconcat("Accept: ", p->d->media_type, ", */*", NULL);
	g_auto(transport_reply) reply = {0};
	*ret_exists = false;
	GError *why = NULL;
	if (!simple(p, "HEAD", url, accept, -1, &reply, &why)) {
		/* The token may push but not pull: continue without knowing. */
		bool denied =
			error_is(why, ERROR_UNAUTHENTICATED) && g_str_has_prefix(why->message, "server message: ");
		if (denied)
			g_error_free(why);
		else
			g_propagate_error(error, why);
		return denied;
	}
	if (reply.status == 200) {
		const char *told = transport_reply_header(&reply, "docker-content-digest");
		bool by_tag = !g_str_equal(name, p->d->digest.text);
		*ret_exists = !by_tag || (told && g_str_equal(told, p->d->digest.text));
		return true;
	}
	if (reply.status == 404)
		return true;
	g_auto(transport_reply) words = {0};
	if (reply.status == 403 && simple(p, "GET", url, accept, -1, &words, NULL) && words.status == 403)
		g_byte_array_append(reply.body, words.body->data, words.body->len);
	return errors_detailed("HEAD", &reply, error);
}

/* ---- blobs */

static char *upload_url(struct push *p, const char *mount_from)
{
	g_autofree char *url = call_url(p->call, p->endpoint, "blobs", "uploads/");
	if (!mount_from)
		return g_steal_pointer(&url);
	return g_strdup_printf("%s%cmount=%s&from=%s", url, strchr(url, '?') ? '&' : '?', p->d->digest.text,
			       mount_from);
}

/*
 * Returns the URL of the upload: the Location of the answer, with the digest in its query. Without a host it refers to
 * the endpoint. Layers must stay on TLS: an http Location of an https registry is refused, unless the registry is
 * configured as insecure.
 */
static char *upload_target(const struct push *p, const transport_reply *reply, GError **error)
{
	const char *location = transport_reply_header(reply, "location");
	g_autofree char *origin = call_origin(p->call, p->endpoint);
	g_autofree char *absolute = NULL;
	g_auto(http_url) u = {0};
	if (!location || !*location)
		return error_null(error, ERROR_UNKNOWN, "upload of %s got no location", p->d->digest.text);
	if (location[0] == '/')
		absolute = g_strconcat(origin, location, NULL);
	else if (!strstr(location, "://"))
		absolute = g_strdup_printf("%.*s://%s", (int)strcspn(origin, ":"), origin, location);
	else
		absolute = g_strdup(location);
	if (!http_url_parse(absolute, &u, error))
		return error_prefix_null(error, "unable to parse location %.200s: ", location);
	if (!u.is_https && g_str_has_prefix(origin, "https:") && !p->endpoint->tls.insecure)
		return error_null(
			error, ERROR_FAILED_PRECONDITION,
			"refusing to upload %s over plain http: %s answers with the location %s://%s although it was "
			"asked "
			"over https (its address behind a proxy may be set wrongly)",
			p->d->digest.text, origin, "http", u.authority);
	char *fragment = strchr(absolute, '#');
	if (fragment)
		*fragment = '\0';
	return g_strdup_printf("%s%cdigest=%s", absolute, strchr(absolute, '?') ? '&' : '?', p->d->digest.text);
}

/* Credentials are sent to the registry and to the host that the POST was redirected to, but to no other host. */
static bool upload_is_anonymous(const struct push *p, const transport_reply *reply, const char *target)
{
	g_autofree char *origin = call_origin(p->call, p->endpoint);
	return !http_url_same_origin(origin, target) && !http_url_same_origin(reply->url, target);
}

/* Sends the POST: mounted or existing (*ret_target stays NULL), or returns the URL of an upload. */
static bool upload_start(struct push *p, const char *mount_from, char **ret_target, bool *ret_anonymous, GError **error)
{
	g_auto(transport_reply) reply = {0};
	*ret_target = NULL;
	if (mount_from) {
		g_autofree char *url = upload_url(p, mount_from);
		g_autoptr(GError) why = NULL;
		p->call->scopes[1] = g_strdup_printf("repository:%s:pull", mount_from);
		bool answered = simple(p, "POST", url, NULL, 0, &reply, &why);
		g_clear_pointer(&p->call->scopes[1], g_free);
		if (!answered && !error_is(why, ERROR_UNAUTHENTICATED)) {
			g_propagate_prefixed_error(error, g_steal_pointer(&why),
						   "pushing with mount from %s: ", mount_from);
			return false;
		}
		/* If the source cannot be read, the push continues with an upload. */
		if (answered && (reply.status == 401 || reply.status == 403 || reply.status == 404))
			transport_reply_clear(&reply);
	}
	if (!reply.headers) {
		g_autofree char *url = upload_url(p, NULL);
		GError *why = NULL;
		if (!simple(p, "POST", url, NULL, 0, &reply, &why)) {
			if (error_is(why, ERROR_UNAUTHENTICATED) && g_str_has_prefix(why->message, "server message: "))
				g_prefix_error(
					&why,
					"push access denied, repository does not exist or may require authorization: ");
			return error_propagate(error, why);
		}
	}
	if (reply.status == 201)
		return true;
	if (reply.status != 200 && reply.status != 202 && reply.status != 204)
		return errors_detailed("POST", &reply, error);
	*ret_target = upload_target(p, &reply, error);
	*ret_anonymous = *ret_target && upload_is_anonymous(p, &reply, *ret_target);
	return *ret_target != NULL;
}

/* Upstream's text for a PUT without an answer or with a wrong one. */
static void commit_prefix(const struct push *p, GError **error)
{
	g_autofree char *key = fetch_ref_key(p->d->media_type, p->d->digest.text);
	g_prefix_error(error, "failed commit on ref \"%s\": ", key);
}

static void put_failure_prefix(const struct push *p, enum transport_failure failure, GError **error)
{
	if (failure == TRANSPORT_OTHER)
		g_prefix_error(error, "failed to copy: ");
	else if (failure != TRANSPORT_STOPPED)
		commit_prefix(p, error);
}

/* 201 by the specification; some registries answer 200, 202 or 204. The digest in the answer must match the blob's. */
static bool put_check(const struct push *p, const transport_reply *reply, GError **error)
{
	if (reply->status != 200 && reply->status != 201 && reply->status != 204)
		return errors_detailed("PUT", reply, error);
	const char *text = transport_reply_header(reply, "docker-content-digest");
	struct digest stored;
	if (!text || !*text)
		return true;
	if (!digest_parse(text, &stored, error)) {
		g_prefix_error(error, "invalid content digest in response: ");
		commit_prefix(p, error);
		return false;
	}
	if (digest_equal(&stored, &p->d->digest))
		return true;
	error_set(error, ERROR_UNKNOWN, "got digest %s, expected %s", stored.text, p->d->digest.text);
	commit_prefix(p, error);
	return false;
}

static bool upload_send(struct push *p, const char *target, bool anonymous, int fd, bool *ret_again, GError **error)
{
	const char *headers[] = {"Content-Type: application/octet-stream", NULL};
	struct transport_request q = {
		.method = "PUT",
		.url = target,
		.headers = headers,
		.body_fd = fd,
		.has_body_fd = true,
		.body_size = p->d->size,
		.redirects = true,
		.body_max = ERROR_BODY_MAX,
	};
	/* Not retried here: a failed PUT ends the upload session, so a new one is started. */
	struct call_options o = {.is_last = false, .anonymous = anonymous};
	g_auto(transport_reply) reply = {0};
	*ret_again = false;
	if (!call_do(p->call, p->endpoint, &q, &o, &reply, error)) {
		*ret_again = o.failure == TRANSPORT_BROKEN || o.failure == TRANSPORT_TIMEOUT;
		put_failure_prefix(p, o.failure, error);
		return false;
	}
	*ret_again = reply.status >= 500 || reply.status == 429 || reply.status == 408 || reply.status == 404;
	return put_check(p, &reply, error);
}

static bool upload(struct push *p, int fd, const char *mount_from, GError **error)
{
	for (unsigned n = 0;; n++) {
		g_autofree char *target = NULL;
		g_autoptr(GError) why = NULL;
		bool again, anonymous;
		if (!upload_start(p, n == 0 ? mount_from : NULL, &target, &anonymous, error))
			return false;
		if (!target || upload_send(p, target, anonymous, fd, &again, &why))
			return true;
		if (!again || n == LIMIT_RETRIES)
			return error_propagate(error, g_steal_pointer(&why));
		if (!call_back_off(p->call, n, 0, why->message, error))
			return false;
	}
}

bool registry_push_blob(registry *r, const reference *ref, const oci_descriptor *d, int fd, const char *mount_from,
			const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
			GError **error)
{
	g_auto(registry_call) call = {0};
	struct push p;
	if (!push_begin(&p, &call, r, ref, d, auth, o, work, error))
		return false;
	bool exists, ok = head(&p, "blobs", d->digest.text, &exists, error);
	if (ok && !exists)
		ok = upload(&p, fd, mount_from && !g_str_equal(mount_from, ref->path) ? mount_from : NULL, error);
	call_slot_give(&call);
	return ok;
}

bool registry_has_blob(registry *r, const reference *ref, const oci_descriptor *d, const char *mount_from,
		       const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
		       bool *ret_has, GError **error)
{
	g_auto(registry_call) call = {0};
	struct push p;
	if (!push_begin(&p, &call, r, ref, d, auth, o, work, error))
		return false;
	bool ok = head(&p, "blobs", d->digest.text, ret_has, error);
	if (ok && !*ret_has && mount_from && !g_str_equal(mount_from, ref->path)) {
		/* An unused upload session is left for the registry to expire. */
		g_autofree char *target = NULL;
		bool anonymous;
		ok = upload_start(&p, mount_from, &target, &anonymous, error);
		*ret_has = ok && !target;
	}
	call_slot_give(&call);
	return ok;
}

/* ---- manifests */

static bool put_manifest(struct push *p, const char *name, const void *bytes, GError **error)
{
	g_autofree char *url = call_url(p->call, p->endpoint, "manifests", name);
	g_autofree char *type = g_strconcat("Content-Type: ", p->d->media_type, NULL);
	const char *headers[] = {type, NULL};
	struct transport_request q = {
		.method = "PUT",
		.url = url,
		.headers = headers,
		.body = bytes,
		.body_size = p->d->size,
		.redirects = true,
		.body_max = ERROR_BODY_MAX,
	};
	struct call_options o = {.is_last = true, .retry_broken = true, .retries = LIMIT_RETRIES};
	g_auto(transport_reply) reply = {0};
	if (!call_do(p->call, p->endpoint, &q, &o, &reply, error)) {
		put_failure_prefix(p, o.failure, error);
		return false;
	}
	return put_check(p, &reply, error);
}

bool registry_push_manifest(registry *r, const reference *ref, const oci_descriptor *d, const void *bytes, bool by_tag,
			    const struct registry_auth *auth, const struct registry_push_options *o, struct work *work,
			    GError **error)
{
	g_auto(registry_call) call = {0};
	struct push p;
	if (!push_begin(&p, &call, r, ref, d, auth, o, work, error))
		return false;
	const char *name = by_tag && ref->tag ? ref->tag : d->digest.text;
	bool exists, ok = head(&p, "manifests", name, &exists, error);
	if (ok && !exists)
		ok = put_manifest(&p, name, bytes, error);
	call_slot_give(&call);
	return ok;
}
