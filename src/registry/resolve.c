/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "registry/call.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include "trace/trace.h"
#include <string.h>

/* Progress of a failed endpoint; the error of the one that got furthest is returned. */
enum progress { NOTHING, NO_ANSWER, NOT_FOUND, BAD_STATUS, TOO_LARGE };

struct resolution {
	struct call *call;
	const char *text; /* the reference as requested */
	bool want_bytes;
	oci_descriptor *descriptor; /* the result */
	GBytes *bytes;
	enum progress furthest;
	GError *error; /* owned; of the endpoint that got furthest */
};

static bool fail(struct resolution *s, enum progress how_far, GError *why)
{
	if (s->furthest >= how_far) {
		g_error_free(why);
		return false;
	}
	g_clear_error(&s->error);
	s->error = why;
	s->furthest = how_far;
	return false;
}

static bool send(struct resolution *s, const struct endpoint *e, const char *method, const char *kind, const char *name,
		 bool is_last, transport_reply *ret_reply, GError **error)
{
	g_autofree char *url = call_url(s->call, e, kind, name);
	const char *headers[] = {DOCUMENT_ACCEPT, NULL};
	struct transport_request q = {
		.method = method,
		.url = url,
		.headers = headers,
		.body_size = -1,
		.redirects = true,
		.decode = true,
		.body_max = LIMIT_INDEX_BYTES,
	};
	struct call_options o = {.is_last = is_last, .retry_broken = true, .retries = LIMIT_RETRIES};
	return call_do(s->call, e, &q, &o, ret_reply, error);
}

static char *media_type_of(const transport_reply *reply)
{
	const char *type = transport_reply_header(reply, "content-type");
	if (!type)
		return g_strdup("");
	g_autofree char *bare = g_strstrip(g_strndup(type, strcspn(type, ";")));
	if (g_str_equal(bare, "text/plain")) /* old registries that serve schema 1 */
		return g_strdup("application/vnd.docker.distribution.manifest.v1+prettyjws");
	return g_steal_pointer(&bare);
}

static bool status_fail(struct resolution *s, const struct endpoint *e, const char *kind, const char *name,
			transport_reply *reply)
{
	GError *why = NULL;
	if (reply->status == 404) {
		error_set(&why, ERROR_NOT_FOUND, "%s: not found", s->text);
		return fail(s, NOT_FOUND, why);
	}
	/* HEAD responses have no error text, so a refused one is repeated as GET. */
	g_auto(transport_reply) words = {0};
	if (reply->status == 403 && reply->body->len == 0 && send(s, e, "GET", kind, name, false, &words, NULL) &&
	    words.status == 403) {
		g_byte_array_append(reply->body, words.body->data, words.body->len);
	}
	errors_status("HEAD", reply, &why);
	return fail(s, BAD_STATUS, why);
}

static bool size_check(struct resolution *s, int64_t size)
{
	if (size <= LIMIT_INDEX_BYTES)
		return true;
	GError *why = NULL;
	error_set(&why, ERROR_NOT_FOUND, "rejecting %" G_GINT64_FORMAT " byte manifest for %s: not found", size,
		  s->text);
	return fail(s, TOO_LARGE, why);
}

/* Fetches the document itself, if HEAD was not sufficient or the caller needs it. */
static bool take_document(struct resolution *s, const transport_reply *reply, const struct digest *expected,
			  GError **error)
{
	struct digest digest;
	digest_of(reply->body->data, reply->body->len, &digest);
	bool is_sha256 = !expected || g_str_has_prefix(expected->text, "sha256:");
	if (expected && is_sha256 && !digest_equal(&digest, expected))
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "failed commit on ref \"manifest-%s\": unexpected commit digest %s, expected %s: "
				 "failed precondition",
				 expected->text, digest.text, expected->text);
	g_autofree char *type = media_type_of(reply);
	g_autofree char *said = oci_media_type_is_index(type) || oci_media_type_is_manifest(type)
					? NULL
					: oci_media_type_detect(reply->body->data, reply->body->len);
	s->descriptor = oci_descriptor_new(said ? said : type, expected ? expected : &digest, reply->body->len);
	s->bytes = g_bytes_new(reply->body->data, reply->body->len);
	return true;
}

/* Returns the verified digest of a HEAD response; false if it has none. */
static bool digest_told(const transport_reply *reply, struct digest *ret)
{
	const char *text = transport_reply_header(reply, "docker-content-digest");
	return text && reply->content_length >= 0 && digest_parse(text, ret, NULL);
}

static bool fetch_document(struct resolution *s, const struct endpoint *e, const char *kind, const char *name,
			   const struct digest *expected, GError **error)
{
	g_auto(transport_reply) reply = {0};
	if (!send(s, e, "GET", kind, name, true, &reply, error))
		return false;
	if (reply.status >= 300)
		return errors_status("GET", &reply, error);
	return take_document(s, &reply, expected, error);
}

/* Tries one endpoint. True ends the search: with a descriptor, or with *error set. */
static bool try_endpoint(struct resolution *s, const struct endpoint *e, bool is_last, const char *kind,
			 const char *name, const struct digest *pinned, GError **error)
{
	g_auto(transport_reply) reply = {0};
	GError *why = NULL;
	if (!send(s, e, "HEAD", kind, name, is_last, &reply, &why)) {
		if (error_is(why, ERROR_UNAUTHENTICATED) && g_str_has_prefix(why->message, "server message: "))
			g_prefix_error(&why,
				       "pull access denied, repository does not exist or may require authorization: ");
		if (error_is(why, ERROR_CANCELED)) {
			g_propagate_error(error, why);
			return true;
		}
		return fail(s, NO_ANSWER, why);
	}
	if (reply.status >= 300)
		return status_fail(s, e, kind, name, &reply);
	struct digest told;
	const struct digest *digest = pinned ? pinned : digest_told(&reply, &told) ? &told : NULL;
	if (!size_check(s, reply.content_length))
		return false;
	bool known = digest && reply.content_length >= 0;
	if (known && reply.content_length == 0) {
		error_set(error, ERROR_INVALID_ARGUMENT,
			  "unable to fetch descriptor (%s) which reports content size of zero: invalid argument",
			  digest->text);
		return true;
	}
	if (known && !s->want_bytes) {
		g_autofree char *type = media_type_of(&reply);
		s->descriptor = oci_descriptor_new(type, digest, reply.content_length);
		return true;
	}
	/* Fetches by the resolved digest, so that a tag that moves meanwhile does not mix two versions. */
	fetch_document(s, e, kind, digest ? digest->text : name, digest, error);
	return true;
}

static bool try_all(struct resolution *s, const char *kind, const char *name, const struct digest *pinned,
		    GError **error)
{
	GPtrArray *endpoints = s->call->endpoints;
	for (guint i = 0; i < endpoints->len; i++)
		if (try_endpoint(s, g_ptr_array_index(endpoints, i), i + 1 == endpoints->len, kind, name, pinned,
				 error))
			return true;
	return false;
}

static bool resolve(struct resolution *s, const reference *ref, GError **error)
{
	struct digest pinned;
	if (ref->digest && !digest_parse(ref->digest, &pinned, error))
		return true;
	const char *name = ref->digest ? pinned.text : ref->tag ? ref->tag : "latest";
	if (try_all(s, "manifests", name, ref->digest ? &pinned : NULL, error))
		return true;
	/* Old registries store manifests as blobs; tried only if every answer was "not found". */
	return ref->digest && s->furthest <= NOT_FOUND && try_all(s, "blobs", name, &pinned, error);
}

bool registry_resolve(registry *r, const reference *ref, const struct registry_auth *auth, struct work *work,
		      oci_descriptor **ret_descriptor, GBytes **ret_bytes, GError **error)
{
	g_auto(registry_call) call = {0};
	g_autofree char *text = reference_text(ref), *name = g_strconcat("resolving ", text, NULL);
	g_auto(trace_scope) scope = trace_scope_begin(name, TRACE_INTERNAL);
	if (!http_call_begin(&call, r, ref, auth, false, work, CALL_PULL, error) || !call_slot_take(&call, true, error))
		return false;
	struct resolution s = {.call = &call, .text = text, .want_bytes = ret_bytes != NULL};
	bool ended = resolve(&s, ref, error);
	call_slot_give(&call);
	trace_fail(scope.span, s.descriptor ? NULL : s.error);
	if (!ended)
		g_propagate_error(error, g_steal_pointer(&s.error));
	g_clear_error(&s.error);
	if (!s.descriptor)
		return false;
	*ret_descriptor = s.descriptor;
	if (ret_bytes)
		*ret_bytes = s.bytes;
	else
		g_clear_pointer(&s.bytes, g_bytes_unref);
	return true;
}
