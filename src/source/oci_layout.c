/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "progress/progress.h"
#include "source/classes.h"
#include "source/pull.h"
#include <string.h>

#define SESSION_WAIT_MS 5000
#define CONTENT_INFO "/containerd.services.content.v1.Content/Info"
#define PROGRESS_US (150 * 1000)

/* The client that has the layout: the one named, else any of the build that serves content. */
static session *session_get(session_registry *sessions, const char *id, struct work *work, GError **error)
{
	if (id && *id)
		return session_find(sessions, id, SESSION_WAIT_MS, work->cancel, error);
	if (work->sessions)
		return session_group_any(work->sessions, CONTENT_INFO, SESSION_WAIT_MS, work->cancel, error);
	error_set(error, ERROR_FAILED_PRECONDITION, "no session to read an OCI layout from");
	return NULL;
}

static char *store_name(const char *store)
{
	return g_strconcat("oci:", store, NULL);
}

reference *pull_layout_reference(const char *text, GError **error)
{
	const char *at = strrchr(text, '@');
	struct digest digest;
	if (!at) {
		error_set(error, ERROR_INVALID_ARGUMENT, "oci-layout reference %.200s has no digest", text);
		return NULL;
	}
	if (!digest_parse(at + 1, &digest, error))
		return NULL;
	g_autofree char *name = g_strndup(text, (gsize)(at - text));
	char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
	g_autoptr(reference) r = g_new0(reference, 1);
	if (colon && (!slash || colon > slash)) {
		r->tag = g_strdup(colon + 1);
		*colon = '\0';
	}
	r->domain = g_strdup("");
	r->path = g_steal_pointer(&name);
	r->digest = g_strdup(digest.text);
	return g_steal_pointer(&r);
}

/* ---- documents */

static bool layout_resolve(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			   GError **error)
{
	g_autoptr(session) s = session_get(o->sessions, o->session_id, work, error);
	g_autofree char *store = store_name(o->store);
	struct digest digest;
	int64_t size;
	if (!s || !digest_parse(ref->digest, &digest, error) ||
	    !session_content_info(s, store, digest.text, work->cancel, &size, error))
		return false;
	*ret = oci_descriptor_new("", &digest, size);
	return true;
}

struct gather {
	GByteArray *bytes;
	size_t max;
};

static bool gather_add(void *data, const void *bytes, size_t n, GError **error)
{
	struct gather *g = data;
	if (n > g->max - g->bytes->len)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "document is larger than %zu bytes", g->max);
	g_byte_array_append(g->bytes, bytes, (guint)n);
	return true;
}

static GBytes *layout_fetch(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
			    struct work *work, GError **error)
{
	g_autoptr(session) s = session_get(o->sessions, o->session_id, work, error);
	if (!s)
		return NULL;
	g_autofree char *store = store_name(o->store);
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct gather g = {bytes, max};
	if (!session_content_read(s, store, d->digest.text, 0, work->cancel, gather_add, &g, error))
		return NULL;
	struct digest got;
	digest_of(bytes->data, bytes->len, &got);
	if (!digest_equal(&got, &d->digest)) {
		error_set(error, ERROR_FAILED_PRECONDITION,
			  "unexpected commit digest %s, expected %s: failed precondition", got.text, d->digest.text);
		return NULL;
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

/* A layout is read by digest alone: whoever can name the bytes may as well have ours. */
static bool layout_is_known(const struct pull_origin *o, const reference *ref, const char *digest)
{
	return true;
}

static void layout_learn(const struct pull_origin *o, const reference *ref, const char *digest)
{
}

void pull_origin_layout(struct pull_origin *ret, const struct source_context *context, const char *session_id,
			const char *store)
{
	*ret = (struct pull_origin){
		.blobs = context->blobs,
		.resolve = layout_resolve,
		.fetch = layout_fetch,
		.is_known = layout_is_known,
		.learn = layout_learn,
		.sessions = context->sessions,
		.session_id = session_id,
		.store = store,
	};
}

/* ---- layers */

struct layout {
	session_registry *sessions; /* borrowed: the daemon outlives its records */
	char *session_id, *store;   /* owned */
};

struct transfer {
	blob_writer *writer;
	const struct digest *digest;
	struct work *work;
	int64_t size, started_ns;
	gint64 next_us;
};

static void transfer_status(struct transfer *t, bool done)
{
	gint64 now = g_get_monotonic_time();
	if (!done && now < t->next_us)
		return;
	t->next_us = now + PROGRESS_US;
	progress_status(t->work->progress, &(struct progress_status){
						   .id = t->digest->text,
						   .name = "downloading",
						   .current = (int64_t)blob_writer_size(t->writer),
						   .total = t->size,
						   .started_ns = t->started_ns,
						   .completed_ns = done ? progress_now_ns() : 0,
					   });
}

static bool transfer_add(void *data, const void *bytes, size_t n, GError **error)
{
	struct transfer *t = data;
	if (!blob_writer_append(t->writer, bytes, n, error))
		return false;
	transfer_status(t, false);
	return true;
}

static bool layout_blob_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size,
			      struct work *work, GError **error)
{
	struct layout *l = self;
	if (blob_store_has(into, digest))
		return true;
	g_autoptr(session) s = session_get(l->sessions, l->session_id, work, error);
	g_autofree char *store = store_name(l->store);
	g_autoptr(blob_writer) writer =
		s ? blob_store_write(into, digest, (uint64_t)(size >= 0 ? size : LIMIT_LAYER_BYTES), error) : NULL;
	if (!writer)
		return false;
	struct transfer t = {writer, digest, work, size, progress_now_ns(), 0};
	transfer_status(&t, false);
	if (!session_content_read(s, store, digest->text, 0, work->cancel, transfer_add, &t, error) ||
	    !blob_writer_commit(writer, NULL, error))
		return false;
	transfer_status(&t, true);
	return true;
}

static void layout_free(void *self)
{
	struct layout *l = self;
	g_free(l->session_id);
	g_free(l->store);
	g_free(l);
}

blob_provider *pull_layout_provider(session_registry *sessions, const char *session_id, const char *store)
{
	static const struct blob_provider_class class = {.fetch = layout_blob_fetch, .free = layout_free};
	struct layout *l = g_new0(struct layout, 1);
	l->sessions = sessions;
	l->session_id = g_strdup(session_id);
	l->store = g_strdup(store);
	return blob_provider_new(&class, l);
}

/* ---- the source */

static blob_provider *layout_provider(struct image_request *q, const oci_manifest *manifest)
{
	return pull_layout_provider(q->origin.sessions, q->session_id, q->store);
}

static void *layout_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
			 GError **error)
{
	const char *text = strstr(op->identifier, "://") + 3;
	struct image_request *q = g_new0(struct image_request, 1);
	q->ref = pull_layout_reference(text, error);
	if (!q->ref || !source_layer_limit_parse(source_attribute(op, "oci.layerlimit"), &q->layer_limit, error)) {
		image_request_free(q);
		return NULL;
	}
	const char *store = source_attribute(op, "oci.store");
	q->session_id = g_strdup(source_attribute(op, "oci.session"));
	q->store = g_strdup(store && *store ? store : q->ref->path);
	q->text = g_strdup(text);
	q->platform = *platform;
	q->platform.os_features = q->os_features = g_strdupv((char **)platform->os_features);
	q->cache = context->cache;
	q->provider = layout_provider;
	pull_origin_layout(&q->origin, context, q->session_id, q->store);
	return q;
}

const struct source_class source_oci_layout_class = {
	.scheme = "oci-layout",
	.open = layout_open,
	.cache_key = image_request_cache_key,
	.snapshot = image_request_snapshot,
	.free = image_request_free,
};
