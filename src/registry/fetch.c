/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "progress/progress.h"
#include "registry/call.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include <string.h>

/* Maximum interruptions of a download that makes progress in between; without progress the limit is LIMIT_RETRIES. */
#define BREAKS_MAX 50
#define STALLS_MAX 1
#define GOOD_PIECE_BYTES MIB(1)

/* ---- streaming one blob */

struct download {
	struct call *call;
	const struct digest *digest;
	int64_t size; /* -1: unknown */
	const char *media_type;
	blob_writer *writer;
	int64_t offset; /* requested offset */
	bool opened;    /* the last request was answered with content */
	bool decoded;   /* the content was decoded, so it cannot be resumed */
	bool is_short;  /* it ended too early */
	struct progress_transfer progress;
};

static bool range_matches(const char *content_range, int64_t offset)
{
	g_autofree char *prefix = g_strdup_printf("bytes %" G_GINT64_FORMAT "-", offset);
	return content_range && g_str_has_prefix(content_range, prefix);
}

static bool on_head(void *data, const struct transport_reply *reply, GError **error)
{
	struct download *d = data;
	d->opened = true;
	d->decoded = reply->status != 206 && transport_reply_header(reply, "content-encoding");
	if (d->offset > 0 && reply->status == 206) {
		if (!range_matches(transport_reply_header(reply, "content-range"), d->offset))
			return error_set(error, ERROR_UNKNOWN, "unhandled content range in response: %.200s",
					 transport_reply_header(reply, "content-range"));
	} else if (d->offset > 0) { /* the server does not support resuming */
		d->offset = 0;
		if (!blob_writer_reset(d->writer, error))
			return false;
	}
	if (d->size >= 0 && reply->content_length > d->size - d->offset)
		return error_set(error, ERROR_UNKNOWN,
				 "%s is larger than declared: %" G_GINT64_FORMAT " bytes of %" G_GINT64_FORMAT,
				 d->digest->text, reply->content_length + d->offset, d->size);
	return true;
}

static bool on_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	struct download *d = data;
	if (d->size >= 0 && (int64_t)(blob_writer_size(d->writer) + n) > d->size)
		return error_set(error, ERROR_UNKNOWN,
				 "%s is larger than declared: more than %" G_GINT64_FORMAT " bytes", d->digest->text,
				 d->size);
	if (!blob_writer_append(d->writer, bytes, n, error))
		return false;
	progress_transfer_report(&d->progress, (int64_t)blob_writer_size(d->writer), false);
	return true;
}

static char **download_headers(const struct download *d)
{
	GPtrArray *headers = g_ptr_array_new();
	g_ptr_array_add(headers,
			*d->media_type ? g_strdup_printf("Accept: %s, */*", d->media_type) : g_strdup("Accept: */*"));
	if (d->offset > 0)
		g_ptr_array_add(headers, g_strdup_printf("Range: bytes=%" G_GINT64_FORMAT "-", d->offset));
	g_ptr_array_add(headers, NULL);
	return (char **)g_ptr_array_free(headers, FALSE);
}

static bool short_read(struct download *d, GError **error)
{
	d->is_short = true;
	return error_set(error, ERROR_UNKNOWN,
			 "short read: expected %" G_GINT64_FORMAT " bytes but got %" G_GINT64_FORMAT ": unexpected EOF",
			 d->size, (int64_t)blob_writer_size(d->writer));
}

/* Requests the rest of the blob. *ret_broken: retry; *ret_stalled: no data arrived for a long time. */
static bool download_try(struct download *d, const struct endpoint *e, bool is_last, bool *ret_broken,
			 bool *ret_stalled, GError **error)
{
	*ret_broken = *ret_stalled = d->opened = d->is_short = false;
	if (d->decoded && !blob_writer_reset(d->writer, error))
		return false;
	d->offset = (int64_t)blob_writer_size(d->writer);
	g_autofree char *url = call_url(d->call, e, fetch_kind(d->media_type), d->digest->text);
	g_auto(GStrv) headers = download_headers(d);
	struct transport_request q = {
		.method = "GET",
		.url = url,
		.headers = (const char *const *)headers,
		.body_size = -1,
		.redirects = true,
		.is_verified = true,
		.decode = true,
		.body_max = KIB(64),
		.on_head = on_head,
		.on_bytes = on_bytes,
		.data = d,
	};
	struct call_options o = {.is_last = is_last, .retries = LIMIT_RETRIES};
	g_auto(transport_reply) reply = {0};
	if (!call_do(d->call, e, &q, &o, &reply, error)) {
		*ret_stalled = o.failure == TRANSPORT_TIMEOUT;
		*ret_broken = o.failure == TRANSPORT_BROKEN || *ret_stalled;
		if (o.failure != TRANSPORT_BROKEN || !d->opened || d->size < 0)
			return false;
		g_clear_error(error);
		return short_read(d, error);
	}
	if (reply.status == 404)
		return error_set(error, ERROR_NOT_FOUND, "content at %s not found: not found", reply.url);
	if (reply.status == 416 && d->offset > 0) { /* it has less than we received before: start over */
		*ret_broken = true;
		return blob_writer_reset(d->writer, error) && error_set(error, ERROR_UNKNOWN, "range not satisfiable");
	}
	if (reply.status >= 300)
		return errors_status("GET", &reply, error);
	if (d->size < 0 || (int64_t)blob_writer_size(d->writer) == d->size)
		return true;
	*ret_broken = true;
	return short_read(d, error);
}

/* Uses one endpoint until the blob is complete, resuming interrupted downloads. */
static bool download_from(struct download *d, const struct endpoint *e, bool is_last, GError **error)
{
	unsigned idle = 0, stalls = 0;
	for (unsigned breaks = 0;; breaks++) {
		int64_t before = (int64_t)blob_writer_size(d->writer);
		g_autoptr(GError) why = NULL;
		bool broken, stalled;
		if (download_try(d, e, is_last, &broken, &stalled, &why))
			return true;
		stalls += stalled;
		bool moved = (int64_t)blob_writer_size(d->writer) - before >= GOOD_PIECE_BYTES;
		idle = moved ? 0 : idle + 1;
		/* Does not wait for a mirror, because there are other endpoints. */
		if (!broken || breaks == BREAKS_MAX || stalls > STALLS_MAX || idle > (is_last ? LIMIT_RETRIES : 1))
			return error_propagate(error, g_steal_pointer(&why));
		if (!call_back_off(d->call, idle ? idle - 1 : 0, 0, why->message, error))
			return false;
	}
}

static bool download_all(struct download *d, GError **error)
{
	g_autoptr(GError) first = NULL;
	GPtrArray *endpoints = d->call->endpoints;
	for (guint i = 0; i < endpoints->len; i++) {
		GError *why = NULL;
		if (download_from(d, g_ptr_array_index(endpoints, i), i + 1 == endpoints->len, &why))
			return true;
		bool final = error_is(why, ERROR_CANCELED) || error_is(why, ERROR_RESOURCE_EXHAUSTED);
		if (first && !final)
			g_error_free(why);
		else {
			g_clear_error(&first);
			first = why;
		}
		if (final)
			break;
	}
	if (error_is(first, ERROR_NOT_FOUND) && g_str_equal(fetch_kind(d->media_type), "blobs")) {
		g_clear_error(&first); /* without a code, as in upstream: clients would print it */
		error_set(&first, ERROR_UNKNOWN, "could not fetch content descriptor %s (%s) from remote: not found",
			  d->digest->text, d->media_type);
	}
	bool prefix = !d->is_short && !error_is(first, ERROR_CANCELED) && !error_is(first, ERROR_RESOURCE_EXHAUSTED);
	g_propagate_error(error, g_steal_pointer(&first));
	if (prefix)
		g_prefix_error(error, d->opened ? "failed to copy: " : "failed to copy: httpReadSeeker: failed open: ");
	return false;
}

static bool download_run(struct download *d, blob_store *into, GError **error)
{
	uint64_t ceiling = (uint64_t)(d->size >= 0 ? d->size : LIMIT_LAYER_BYTES);
	g_autoptr(blob_writer) writer = blob_store_write(into, d->digest, ceiling, error);
	if (!writer)
		return false;
	d->writer = writer;
	if (d->call->auth_client.work)
		d->progress.sink = d->call->auth_client.work->progress;
	d->progress.id = d->digest->text;
	d->progress.name = "downloading";
	d->progress.total = d->size;
	progress_transfer_report(&d->progress, 0, false);
	if (!download_all(d, error))
		return false;
	g_autofree char *key = fetch_ref_key(d->media_type, d->digest->text);
	GError *why = NULL;
	if (blob_writer_commit(writer, NULL, &why)) {
		progress_transfer_report(&d->progress, (int64_t)blob_writer_size(writer), true);
		return true;
	}
	if (error_is(why, ERROR_DATA_LOSS)) {
		error_set(error, ERROR_UNKNOWN, "failed commit on ref \"%s\": %s: failed precondition", key,
			  why->message);
		g_error_free(why);
		return false;
	}
	return error_propagate(error, why);
}

/* ---- provider */

struct remote {
	registry *r;                      /* borrowed: the worker frees it after its records */
	reference ref;                    /* owned strings */
	const struct registry_auth *auth; /* borrowed: static tables */
	GHashTable *media_types;          /* digest text to media type; immutable */
};

static bool remote_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
			 GError **error)
{
	struct remote *m = self;
	if (blob_store_has(into, digest))
		return true;
	g_auto(registry_call) call = {0};
	if (!http_call_begin(&call, m->r, &m->ref, m->auth, false, work, CALL_PULL, error) ||
	    !call_slot_take(&call, false, error))
		return false;
	const char *type = g_hash_table_lookup(m->media_types, digest->text);
	struct download d = {.call = &call, .digest = digest, .size = size, .media_type = type ? type : ""};
	bool ok = download_run(&d, into, error);
	call_slot_give(&call);
	return ok;
}

static bool remote_origin(void *self, const char **ret_host, const char **ret_repository)
{
	struct remote *m = self;
	*ret_host = m->ref.domain;
	*ret_repository = m->ref.path;
	return true;
}

static void remote_free(void *self)
{
	struct remote *m = self;
	g_free(m->ref.domain);
	g_free(m->ref.path);
	g_hash_table_unref(m->media_types);
	g_free(m);
}

static const struct blob_provider_class remote_class = {
	.fetch = remote_fetch, .origin = remote_origin, .free = remote_free};

blob_provider *registry_provider_of(registry *r, const reference *ref, const struct registry_auth *auth,
				    const GPtrArray *layers)
{
	struct remote *m = g_new0(struct remote, 1);
	m->r = r;
	m->ref.domain = g_strdup(ref->domain);
	m->ref.path = g_strdup(ref->path);
	m->auth = auth;
	m->media_types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (guint i = 0; layers && i < layers->len; i++) {
		const oci_descriptor *d = g_ptr_array_index(layers, i);
		g_hash_table_insert(m->media_types, g_strdup(d->digest.text), g_strdup(d->media_type));
	}
	return blob_provider_new(&remote_class, m);
}
