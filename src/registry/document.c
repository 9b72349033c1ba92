/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "registry/call.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include <string.h>

const char *fetch_kind(const char *media_type)
{
	return oci_media_type_is_manifest(media_type) || oci_media_type_is_index(media_type) ? "manifests" : "blobs";
}

char *fetch_ref_key(const char *media_type, const char *digest)
{
	const char *what = oci_media_type_is_manifest(media_type) ? "manifest"
			   : oci_media_type_is_index(media_type)  ? "index"
			   : oci_media_type_is_layer(media_type)  ? "layer"
			   : oci_media_type_is_config(media_type) ? "config"
								  : "unknown";
	return g_strconcat(what, "-", digest, NULL);
}

static bool document_check(const oci_descriptor *d, const GByteArray *body, GError **error)
{
	g_autofree char *key = fetch_ref_key(d->media_type, d->digest.text);
	g_autofree char *algorithm = g_strndup(d->digest.text, strcspn(d->digest.text, ":"));
	g_autoptr(hasher) h = hasher_new(algorithm);
	hasher_update(h, body->data, body->len);
	struct digest digest;
	hasher_finish(h, &digest);
	if (!digest_equal(&digest, &d->digest))
		return error_set(
			error, ERROR_FAILED_PRECONDITION,
			"failed commit on ref \"%s\": unexpected commit digest %s, expected %s: failed precondition",
			key, digest.text, d->digest.text);
	if (d->size >= 0 && (int64_t)body->len != d->size)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "failed commit on ref \"%s\": unexpected commit size %u, expected %" G_GINT64_FORMAT
				 ": failed precondition",
				 key, body->len, d->size);
	return true;
}

static bool document_from(struct call *call, const struct endpoint *e, bool is_last, const oci_descriptor *d,
			  size_t max, transport_reply *ret_reply, GError **error)
{
	g_autofree char *url = call_url(call, e, fetch_kind(d->media_type), d->digest.text);
	g_autofree char *accept = g_strconcat("Accept: ", d->media_type, *d->media_type ? ", " : "", "*/*", NULL);
	const char *headers[] = {accept, NULL};
	struct transport_request q = {
		.method = "GET",
		.url = url,
		.headers = headers,
		.body_size = -1,
		.redirects = true,
		.is_verified = true,
		.decode = true,
		.body_max = max,
	};
	struct call_options o = {.is_last = is_last, .retry_broken = true, .retries = LIMIT_RETRIES};
	if (!call_do(call, e, &q, &o, ret_reply, error))
		return false;
	if (ret_reply->status == 404)
		return error_set(error, ERROR_NOT_FOUND, "content at %s not found: not found", ret_reply->url);
	if (ret_reply->status >= 300)
		return errors_status("GET", ret_reply, error);
	return true;
}

static GBytes *document_fetch(struct call *call, const oci_descriptor *d, size_t max, GError **error)
{
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < call->endpoints->len; i++) {
		g_auto(transport_reply) reply = {0};
		GError *why = NULL;
		if (document_from(call, g_ptr_array_index(call->endpoints, i), i + 1 == call->endpoints->len, d, max,
				  &reply, &why)) {
			if (!document_check(d, reply.body, error))
				return NULL;
			return g_byte_array_free_to_bytes(g_steal_pointer(&reply.body));
		}
		if (first)
			g_error_free(why);
		else
			first = why;
	}
	if (error_is(first, ERROR_CANCELED) || error_is(first, ERROR_RESOURCE_EXHAUSTED))
		return error_propagate_null(error, g_steal_pointer(&first));
	if (error_is(first, ERROR_NOT_FOUND) && g_str_equal(fetch_kind(d->media_type), "blobs"))
		error_set(error, ERROR_NOT_FOUND, "could not fetch content descriptor %s (%s) from remote: not found",
			  d->digest.text, d->media_type);
	else
		g_propagate_error(error, g_steal_pointer(&first));
	return error_prefix_null(error, "httpReadSeeker: failed open: ");
}

GBytes *registry_fetch_small(registry *r, const reference *ref, const oci_descriptor *d, size_t max_bytes,
			     const struct registry_auth *auth, struct work *work, GError **error)
{
	if (d->size > 0 && (uint64_t)d->size > max_bytes)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED,
				  "%s of %" G_GINT64_FORMAT " bytes is larger than %zu bytes", d->digest.text, d->size,
				  max_bytes);
	g_auto(registry_call) call = {0};
	if (!http_call_begin(&call, r, ref, auth, false, work, CALL_PULL, error) || !call_slot_take(&call, true, error))
		return NULL;
	GBytes *bytes = document_fetch(&call, d, max_bytes, error);
	call_slot_give(&call);
	return bytes;
}
