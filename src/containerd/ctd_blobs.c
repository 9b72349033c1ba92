/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_blobs.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "content.pb-c.h"
#include "os/file.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CONTENT "/containerd.services.content.v1.Content/"
#define LEASE_TYPE "content"
#define INGEST_TYPE "ingests"
#define SEND_BYTES (1024 * 1024)

DEFINE_MESSAGE_AUTOPTR(Content__InfoResponse)
DEFINE_MESSAGE_AUTOPTR(Content__WriteContentResponse)
DEFINE_MESSAGE_AUTOPTR(Content__ReadContentResponse)

struct blobs {
	ctd_client *client; /* borrowed */
	int content_fd;     /* owned; -1: bytes are read through the API only */
	int root_fd;        /* borrowed */
	GMutex mu;
	GHashTable *sizes;   /* digest text to int64_t *; blobs that the lease holds */
	GPtrArray *released; /* of char *: removed from the table, but not yet from the lease */
	GRWLock commits;
};

/* ---- blobs of the lease */
static void enter(struct blobs *b, const char *digest, int64_t size)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
	g_hash_table_replace(b->sizes, g_strdup(digest), g_memdup2(&size, sizeof size));
}

static int64_t blobs_size(void *self, const struct digest *digest)
{
	struct blobs *b = self;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
	const int64_t *size = g_hash_table_lookup(b->sizes, digest->text);
	return size ? *size : -1;
}

/* Returns the size, or -1: containerd does not have it (no error), or failed. */
static int64_t ask_size(struct blobs *b, const char *digest, GError **error)
{
	Content__InfoRequest request = CONTENT__INFO_REQUEST__INIT;
	GError *failure = NULL;
	request.digest = (char *)(uintptr_t)digest;
	g_autoptr(Content__InfoResponse) reply = ctd_call(b->client, CTD_PLAIN, CONTENT "Info", &request,
							  &content__info_response__descriptor, NULL, &failure);
	if (reply)
		return reply->info ? reply->info->size : -1;
	if (!error_is(failure, ERROR_NOT_FOUND))
		g_propagate_error(error, g_steal_pointer(&failure));
	g_clear_error(&failure);
	return -1;
}

static bool blobs_adopt(void *self, const struct digest *digest)
{
	struct blobs *b = self;
	if (ask_size(b, digest->text, NULL) < 0)
		return false;
	g_rw_lock_reader_lock(&b->commits);
	bool ok = ctd_lease_add(b->client, LEASE_TYPE, digest->text, NULL);
	/* It may have been collected before the lease held it. */
	int64_t size = ok ? ask_size(b, digest->text, NULL) : -1;
	if (size >= 0)
		enter(b, digest->text, size);
	g_rw_lock_reader_unlock(&b->commits);
	if (ok && size < 0)
		ctd_lease_drop(b->client, LEASE_TYPE, digest->text, NULL);
	return size >= 0;
}

static int64_t blobs_remove(void *self, const struct digest *digest)
{
	struct blobs *b = self;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
	const int64_t *known = g_hash_table_lookup(b->sizes, digest->text);
	int64_t size = known ? *known : 0;
	if (g_hash_table_remove(b->sizes, digest->text))
		g_ptr_array_add(b->released, g_strdup(digest->text));
	return size;
}

/* Deletes the content instead of only releasing it, because it is damaged for its other users as well. */
static int64_t blobs_destroy(void *self, const struct digest *digest)
{
	struct blobs *b = self;
	Content__DeleteContentRequest request = CONTENT__DELETE_CONTENT_REQUEST__INIT;
	int64_t size = blobs_remove(self, digest);
	request.digest = (char *)(uintptr_t)digest->text;
	ctd_remove(b->client, CTD_PLAIN, CONTENT "Delete", &request, NULL);
	return size;
}

/* Returns false if containerd could not be reached; to be retried later. */
static bool lease_release(struct blobs *b, const char *digest)
{
	g_rw_lock_writer_lock(&b->commits);
	g_mutex_lock(&b->mu);
	bool again = g_hash_table_contains(b->sizes, digest);
	g_mutex_unlock(&b->mu);
	bool ok = again || ctd_lease_drop(b->client, LEASE_TYPE, digest, NULL);
	g_rw_lock_writer_unlock(&b->commits);
	return ok;
}

static void blobs_swept(void *self)
{
	struct blobs *b = self;
	g_mutex_lock(&b->mu);
	g_autoptr(GPtrArray) list = g_steal_pointer(&b->released);
	b->released = g_ptr_array_new_with_free_func(g_free);
	g_mutex_unlock(&b->mu);
	for (guint i = 0; i < list->len; i++) {
		if (lease_release(b, list->pdata[i]))
			continue;
		g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
		g_ptr_array_add(b->released, g_strdup(list->pdata[i]));
	}
	ctd_lease_collect(b->client, NULL);
}

static void blobs_each(void *self, void (*fn)(const struct digest *digest, void *data), void *data)
{
	struct blobs *b = self;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_mutex_lock(&b->mu);
	for (struct hash_walk it = hash_walk(b->sizes); hash_walk_next(&it);)
		g_ptr_array_add(names, g_strdup(it.key));
	g_mutex_unlock(&b->mu);
	for (guint i = 0; i < names->len; i++) {
		struct digest digest;
		if (digest_parse(names->pdata[i], &digest, NULL))
			fn(&digest, data);
	}
}

/* ---- reading */
static int open_in_place(const struct blobs *b, const struct digest *digest, int64_t size)
{
	struct stat st;
	if (b->content_fd < 0)
		return -1;
	g_autofree char *path = digest_blob_path(digest);
	scoped_fd fd = openat(b->content_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != size)
		return -1;
	return fd_steal(&fd);
}

/* Reads until the stream ends; more than size is an error. */
static bool receive(rpc_call *call, int fd, int64_t size, GError **error)
{
	int64_t got = 0;
	for (;;) {
		GError *failure = NULL;
		g_autoptr(Content__ReadContentResponse) part =
			rpc_call_recv_message(call, &content__read_content_response__descriptor, &failure);
		if (failure)
			return error_propagate(error, failure);
		if (!part)
			break;
		got += (int64_t)part->data.len;
		if (got > size)
			break;
		if (!file_write_all(fd, part->data.data, part->data.len))
			return error_set_errno(error, errno, "write blob");
	}
	return got == size ||
	       error_set(error, ERROR_DATA_LOSS,
			 "containerd sent %" G_GINT64_FORMAT " bytes, expected %" G_GINT64_FORMAT, got, size);
}

static int open_through_api(struct blobs *b, const struct digest *digest, int64_t size, GError **error)
{
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	scoped_fd fd = openat(b->root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		error_set_errno(error, errno, "create blob");
		return -1;
	}
	request.digest = (char *)(uintptr_t)digest->text;
	g_autoptr(rpc_call) call = ctd_stream(b->client, CTD_PLAIN, CONTENT "Read", NULL, error);
	if (!call || !rpc_call_send_message(call, &request, error) || !rpc_call_close_send(call, error) ||
	    !receive(call, fd, size, error))
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0) {
		error_set_errno(error, errno, "read blob");
		return -1;
	}
	return fd_steal(&fd);
}

static int blobs_open_one(void *self, const struct digest *digest, GError **error)
{
	struct blobs *b = self;
	int64_t size = blobs_size(b, digest);
	if (size < 0)
		return -1;
	int fd = open_in_place(b, digest, size);
	if (fd >= 0)
		return fd;
	GError *failure = NULL;
	fd = open_through_api(b, digest, size, &failure);
	if (failure && error_is(failure, ERROR_NOT_FOUND)) {
		/* It was deleted despite the lease. */
		g_mutex_lock(&b->mu);
		g_hash_table_remove(b->sizes, digest->text);
		g_mutex_unlock(&b->mu);
		g_clear_error(&failure);
	}
	if (failure) {
		ctd_name_peer(b->client, failure);
		g_prefix_error(&failure, "read blob %s: ", digest->text);
		g_propagate_error(error, failure);
	}
	return fd;
}

/* ---- writing */
struct writer {
	struct blobs *blobs; /* borrowed */
	rpc_call *call;      /* ref; NULL: nothing sent yet */
	char *ref;
	GByteArray *pending; /* up to SEND_BYTES of unsent data */
	int64_t sent;
};

static void *writer_open(void *self, const struct digest *expected, GError **error)
{
	struct writer *w = g_new0(struct writer, 1);
	w->blobs = self;
	if (!ctd_lease_use(w->blobs->client, error)) {
		g_free(w);
		return NULL;
	}
	w->pending = g_byte_array_new();
	return w;
}

static bool exchange(struct writer *w, const Content__WriteContentRequest *request, GError **error)
{
	GError *failure = NULL;
	/* If sending fails, the status of the call is more specific. */
	rpc_call_send_message(w->call, request, NULL);
	g_autoptr(Content__WriteContentResponse) reply =
		rpc_call_recv_message(w->call, &content__write_content_response__descriptor, &failure);
	if (reply)
		return true;
	if (!failure)
		error_set(&failure, ERROR_UNAVAILABLE, "the stream ended before the blob was committed");
	ctd_name_peer(w->blobs->client, failure);
	return error_propagate(error, failure);
}

static bool ensure_call(struct writer *w, GError **error)
{
	if (w->call)
		return true;
	char id[IDENT_SIZE];
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	ident_new(id);
	g_free(w->ref);
	w->ref = g_strconcat("buildkit-", id, NULL);
	request.action = CONTENT__WRITE_ACTION__STAT;
	request.ref = w->ref;
	w->call = ctd_stream(w->blobs->client, CTD_LEASED, CONTENT "Write", NULL, error);
	w->sent = 0;
	return w->call && exchange(w, &request, error);
}

static bool send_pending(struct writer *w, GError **error)
{
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	if (!ensure_call(w, error))
		return false;
	if (w->pending->len == 0)
		return true;
	request.action = CONTENT__WRITE_ACTION__WRITE;
	request.ref = w->ref;
	request.offset = w->sent;
	request.data.data = w->pending->data;
	request.data.len = w->pending->len;
	if (!exchange(w, &request, error))
		return false;
	w->sent += w->pending->len;
	g_byte_array_set_size(w->pending, 0);
	return true;
}

static bool writer_append(void *writer, const void *bytes, size_t n, GError **error)
{
	struct writer *w = writer;
	for (const uint8_t *at = bytes; n > 0;) {
		size_t some = MIN(n, SEND_BYTES - w->pending->len);
		g_byte_array_append(w->pending, at, (guint)some);
		at += some;
		n -= some;
		if (w->pending->len == SEND_BYTES && !send_pending(w, error))
			return false;
	}
	return true;
}

/* Aborts the write: the ingest in containerd, and the lease's reference to it. */
static void forget_sent(struct writer *w)
{
	Content__AbortRequest request = CONTENT__ABORT_REQUEST__INIT;
	if (!w->call)
		return;
	rpc_call_abort(w->call);
	g_clear_pointer(&w->call, rpc_call_unref);
	request.ref = w->ref;
	ctd_remove(w->blobs->client, CTD_PLAIN, CONTENT "Abort", &request, NULL);
	ctd_lease_drop(w->blobs->client, INGEST_TYPE, w->ref, NULL);
}

static bool writer_reset(void *writer, GError **error)
{
	struct writer *w = writer;
	forget_sent(w);
	g_byte_array_set_size(w->pending, 0);
	return true;
}

static bool commit(struct writer *w, const struct digest *digest, uint64_t size, bool *ret_fresh, GError **error)
{
	Content__WriteContentRequest request = CONTENT__WRITE_CONTENT_REQUEST__INIT;
	GError *failure = NULL;
	request.action = CONTENT__WRITE_ACTION__COMMIT;
	request.ref = w->ref;
	request.offset = w->sent;
	request.total = (int64_t)size;
	request.expected = (char *)(uintptr_t)digest->text;
	*ret_fresh = exchange(w, &request, &failure);
	if (*ret_fresh || error_is(failure, ERROR_ALREADY_EXISTS)) {
		g_clear_error(&failure);
		return true;
	}
	return error_propagate(error, failure);
}

static bool writer_commit(void *writer, const struct digest *digest, uint64_t size, bool *ret_fresh, GError **error)
{
	struct writer *w = writer;
	struct blobs *b = w->blobs;
	bool ok = send_pending(w, error);
	g_rw_lock_reader_lock(&b->commits);
	ok = ok && commit(w, digest, size, ret_fresh, error);
	if (ok)
		enter(b, digest->text, (int64_t)size);
	g_rw_lock_reader_unlock(&b->commits);
	if (ok) {
		rpc_call_close_send(w->call, NULL);
		g_clear_pointer(&w->call, rpc_call_unref);
	} else {
		g_prefix_error(error, "write blob %s: ", digest->text);
	}
	return ok;
}

static void writer_close(void *writer)
{
	struct writer *w = writer;
	forget_sent(w);
	ctd_lease_leave(w->blobs->client);
	g_byte_array_unref(w->pending);
	g_free(w->ref);
	g_free(w);
}

/* ---- labels */
bool ctd_blobs_label(ctd_client *client, const struct digest *digest, const char *const *keys,
		     const char *const *values, size_t n, GError **error)
{
	Content__UpdateRequest request = CONTENT__UPDATE_REQUEST__INIT;
	Content__Info info = CONTENT__INFO__INIT;
	Google__FieldMask mask = GOOGLE__FIELD_MASK__INIT;
	g_autofree Content__Info__LabelsEntry *entries = g_new0(Content__Info__LabelsEntry, n);
	g_autofree Content__Info__LabelsEntry **labels = g_new0(Content__Info__LabelsEntry *, n);
	g_auto(GStrv) paths = g_new0(char *, n + 1);
	for (size_t i = 0; i < n; i++) {
		content__info__labels_entry__init(&entries[i]);
		entries[i].key = (char *)(uintptr_t)keys[i];
		entries[i].value = (char *)(uintptr_t)values[i];
		labels[i] = &entries[i];
		paths[i] = g_strconcat("labels.", keys[i], NULL);
	}
	info.digest = (char *)(uintptr_t)digest->text;
	info.labels = labels;
	info.n_labels = n;
	mask.paths = paths;
	mask.n_paths = n;
	request.info = &info;
	request.update_mask = &mask;
	void *reply = ctd_call(client, CTD_PLAIN, CONTENT "Update", &request, &content__update_response__descriptor,
			       NULL, error);
	guard_free(reply);
	return reply != NULL;
}

/* ---- open and close */
static void blobs_close(void *self)
{
	struct blobs *b = self;
	fd_close(&b->content_fd);
	g_hash_table_unref(b->sizes);
	g_ptr_array_unref(b->released);
	g_mutex_clear(&b->mu);
	g_rw_lock_clear(&b->commits);
	g_free(b);
}

/* Ingests of streams that ended with their connection, or of a previous daemon. */
static void abort_ingests(struct blobs *b)
{
	g_autoptr(GPtrArray) refs = ctd_lease_list(b->client, INGEST_TYPE, NULL);
	for (guint i = 0; refs && i < refs->len; i++) {
		Content__AbortRequest request = CONTENT__ABORT_REQUEST__INIT;
		request.ref = refs->pdata[i];
		if (ctd_remove(b->client, CTD_PLAIN, CONTENT "Abort", &request, NULL))
			ctd_lease_drop(b->client, INGEST_TYPE, refs->pdata[i], NULL);
	}
}

/* Drops blobs that the lease no longer holds. */
static void forget_others(struct blobs *b, const GPtrArray *held)
{
	g_autoptr(GHashTable) set = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < held->len; i++)
		g_hash_table_add(set, held->pdata[i]);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
	for (struct hash_walk it = hash_walk(b->sizes); hash_walk_next(&it);)
		if (!g_hash_table_contains(set, it.key))
			g_hash_table_iter_remove(&it.iter);
}

static bool is_known(struct blobs *b, const char *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&b->mu);
	return g_hash_table_contains(b->sizes, digest);
}

/* The table follows the lease: blobs that were committed although the answer was lost are included. */
static bool load(struct blobs *b, GError **error)
{
	g_autoptr(GPtrArray) held = ctd_lease_list(b->client, LEASE_TYPE, error);
	if (!held)
		return false;
	forget_others(b, held);
	for (guint i = 0; i < held->len; i++) {
		GError *failure = NULL;
		if (is_known(b, held->pdata[i]))
			continue;
		int64_t size = ask_size(b, held->pdata[i], &failure);
		if (failure)
			return error_propagate(error, failure);
		if (size >= 0)
			enter(b, held->pdata[i], size);
		else
			ctd_lease_drop(b->client, LEASE_TYPE, held->pdata[i], NULL);
	}
	return true;
}

static void reconnected(void *self)
{
	abort_ingests(self);
	load(self, NULL);
}

void *ctd_blobs_open(ctd_client *client, const char *content_root, int root_fd, GError **error)
{
	struct blobs *b = g_new0(struct blobs, 1);
	b->client = client;
	b->root_fd = root_fd;
	b->content_fd = content_root ? open(content_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	b->sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	b->released = g_ptr_array_new_with_free_func(g_free);
	g_mutex_init(&b->mu);
	g_rw_lock_init(&b->commits);
	abort_ingests(b);
	if (!load(b, error)) {
		blobs_close(b);
		return NULL;
	}
	ctd_client_on_connect(client, reconnected, b);
	return b;
}

const struct blob_backend ctd_blobs_backend = {
	.open = blobs_open_one,
	.size = blobs_size,
	.adopt = blobs_adopt,
	.writer_open = writer_open,
	.writer_append = writer_append,
	.writer_reset = writer_reset,
	.writer_commit = writer_commit,
	.writer_close = writer_close,
	.remove = blobs_remove,
	.destroy = blobs_destroy,
	.swept = blobs_swept,
	.each = blobs_each,
	.close = blobs_close,
};
