/* SPDX-License-Identifier: Apache-2.0 */
/* Provides blobs of a client's content store on demand. */
#include "base/limits.h"
#include "progress/progress.h"
#include "session/session.h"

#define CONTENT_INFO "/containerd.services.content.v1.Content/Info"

session *session_with_content(session_registry *sessions, const char *id, struct work *work, GError **error)
{
	if (id && *id)
		return session_find(sessions, id, SESSION_WAIT_MS, work->cancel, error);
	if (work->sessions)
		return session_group_any(work->sessions, CONTENT_INFO, SESSION_WAIT_MS, work->cancel, error);
	return error_null(error, ERROR_FAILED_PRECONDITION, "no session to read content from");
}

/* ---- small documents */

struct gathering {
	GByteArray *bytes;
	size_t max;
};

static bool gather_add(void *data, const void *bytes, size_t n, GError **error)
{
	struct gathering *g = data;
	if (n > g->max - g->bytes->len)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "document is larger than %zu bytes", g->max);
	g_byte_array_append(g->bytes, bytes, (guint)n);
	return true;
}

GBytes *session_content_fetch(session *s, const char *store, const struct digest *digest, size_t max, cancel *c,
			      GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct gathering g = {bytes, max};
	if (!session_content_read(s, store, digest->text, 0, c, gather_add, &g, error))
		return NULL;
	struct digest got;
	digest_of(bytes->data, bytes->len, &got);
	if (!digest_equal(&got, digest))
		return error_null(error, ERROR_FAILED_PRECONDITION,
				  "unexpected commit digest %s, expected %s: failed precondition", got.text,
				  digest->text);
	return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

/* ---- layers */

struct content_provider {
	session_registry *sessions; /* borrowed: the daemon frees it after its records */
	char *session_id, *store;   /* owned */
};

struct transfer {
	blob_writer *writer;
	struct progress_transfer progress;
};

static bool transfer_add(void *data, const void *bytes, size_t n, GError **error)
{
	struct transfer *t = data;
	if (!blob_writer_append(t->writer, bytes, n, error))
		return false;
	progress_transfer_report(&t->progress, (int64_t)blob_writer_size(t->writer), false);
	return true;
}

static bool provider_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
			   GError **error)
{
	struct content_provider *p = self;
	if (blob_store_has(into, digest))
		return true;
	g_autoptr(session) s = session_with_content(p->sessions, p->session_id, work, error);
	g_autoptr(blob_writer) writer =
		s ? blob_store_write(into, digest, (uint64_t)(size >= 0 ? size : LIMIT_LAYER_BYTES), error) : NULL;
	if (!writer)
		return false;
	struct transfer t = {writer,
			     {.sink = work->progress, .id = digest->text, .name = "downloading", .total = size}};
	progress_transfer_report(&t.progress, 0, false);
	if (!session_content_read(s, p->store, digest->text, 0, work->cancel, transfer_add, &t, error) ||
	    !blob_writer_commit(writer, NULL, error))
		return false;
	progress_transfer_report(&t.progress, (int64_t)blob_writer_size(writer), true);
	return true;
}

static void provider_free(void *self)
{
	struct content_provider *p = self;
	g_free(p->session_id);
	g_free(p->store);
	g_free(p);
}

blob_provider *session_content_provider(session_registry *sessions, const char *session_id, const char *store)
{
	static const struct blob_provider_class class = {.fetch = provider_fetch, .free = provider_free};
	struct content_provider *p = g_new0(struct content_provider, 1);
	p->sessions = sessions;
	p->session_id = g_strdup(session_id);
	p->store = g_strdup(store);
	return blob_provider_new(&class, p);
}
