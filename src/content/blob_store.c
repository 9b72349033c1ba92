/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_store.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/name_locks.h"
#include "base/scope.h"
#include "content/blob_backend.h"
#include "content/blob_memory.h"
#include <string.h>
#include <sys/stat.h>

#define VERIFY_BYTES KIB(256)

struct blob_store {
	const struct blob_backend *backend;
	void *self;           /* owned: the backend's */
	GMutex mu;            /* guards the tables; a sweep removes a blob under it */
	GHashTable *holds;    /* digest text (owned) to count */
	blob_memory *memory;  /* owned */
	GHashTable *verified; /* set of digest texts (owned): hashed by this process */
	name_locks *fetches;  /* owned; by digest text */
};

struct blob_writer {
	blob_store *store; /* borrowed: outlives the writer */
	struct digest expected;
	uint64_t size, size_max;
	hasher *hasher; /* owned */
	void *self;     /* owned: the backend's */
};

blob_store *blob_store_new(const struct blob_backend *backend, void *self)
{
	blob_store *store = g_new0(blob_store, 1);
	g_mutex_init(&store->mu);
	store->holds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	store->verified = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	store->memory = blob_memory_new();
	store->fetches = name_locks_new();
	store->backend = backend;
	store->self = self;
	return store;
}

blob_store *blob_store_open(int root_fd, GError **error)
{
	void *self = blob_dir_open(root_fd, error);
	return self ? blob_store_new(&blob_dir_backend, self) : NULL;
}

void blob_store_close(blob_store *store)
{
	if (!store)
		return;
	store->backend->close(store->self);
	g_hash_table_unref(store->holds);
	g_hash_table_unref(store->verified);
	blob_memory_free(store->memory);
	name_locks_free(store->fetches);
	g_mutex_clear(&store->mu);
	g_free(store);
}

int blob_store_find(blob_store *store, const struct digest *digest, GError **error)
{
	return store->backend->open(store->self, digest, error);
}

/* ---- blobs damaged on disk */

static void set_verified(blob_store *store, const struct digest *digest, bool verified)
{
	g_mutex_lock(&store->mu);
	if (verified)
		g_hash_table_add(store->verified, g_strdup(digest->text));
	else
		g_hash_table_remove(store->verified, digest->text);
	g_mutex_unlock(&store->mu);
}

static void drop(blob_store *store, const struct digest *digest)
{
	log_warn("blob %s is damaged: removed", digest->text);
	set_verified(store, digest, false);
	const struct blob_backend *backend = store->backend;
	(backend->destroy ? backend->destroy : backend->remove)(store->self, digest);
}

void blob_store_check_size(blob_store *store, const struct digest *digest, int64_t size)
{
	int64_t have = blob_store_size(store, digest);
	if (have >= 0 && size >= 0 && have != size)
		drop(store, digest);
}

static hasher *new_hasher(const struct digest *digest)
{
	g_autofree char *algorithm = g_strndup(digest->text, strcspn(digest->text, ":"));
	return hasher_new(algorithm);
}

static bool hash_file(int fd, hasher *h, GError **error)
{
	g_autofree uint8_t *buffer = g_malloc(VERIFY_BYTES);
	ssize_t n;
	for (off_t at = 0; (n = pread(fd, buffer, VERIFY_BYTES, at)) != 0; at += MAX(n, 0)) {
		if (n < 0 && errno != EINTR)
			return error_set_errno(error, errno, "read blob");
		if (n > 0)
			hasher_update(h, buffer, (size_t)n);
	}
	return true;
}

int blob_store_find_verified(blob_store *store, const struct digest *digest, GError **error)
{
	scoped_fd fd = blob_store_find(store, digest, error);
	g_mutex_lock(&store->mu);
	bool known = g_hash_table_contains(store->verified, digest->text);
	g_mutex_unlock(&store->mu);
	if (fd < 0 || known)
		return fd_steal(&fd);
	g_autoptr(hasher) h = new_hasher(digest);
	struct digest found;
	if (!hash_file(fd, h, error))
		return -1;
	hasher_finish(h, &found);
	if (!digest_equal(&found, digest)) {
		drop(store, digest);
		error_set(error, ERROR_DATA_LOSS, "blob %s is damaged and was removed: build again", digest->text);
		return -1;
	}
	set_verified(store, digest, true);
	return fd_steal(&fd);
}

int64_t blob_store_size(blob_store *store, const struct digest *digest)
{
	return store->backend->size(store->self, digest);
}

void blob_store_each(blob_store *store, void (*fn)(const struct digest *digest, void *data), void *data)
{
	store->backend->each(store->self, fn, data);
}

int64_t blob_store_created_ns(blob_store *store, const struct digest *digest)
{
	return store->backend->created_ns ? store->backend->created_ns(store->self, digest) : 0;
}

bool blob_store_has(blob_store *store, const struct digest *digest)
{
	return blob_store_size(store, digest) >= 0;
}

bool blob_store_adopt(blob_store *store, const struct digest *digest)
{
	return blob_store_has(store, digest) || (store->backend->adopt && store->backend->adopt(store->self, digest));
}

bool blob_provider_fetch(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			 struct work *work, GError **error)
{
	if (blob_store_has(into, digest))
		return true;
	if (!name_locks_take(into->fetches, digest->text, work ? work->cancel : NULL, error))
		return false;
	bool done = blob_store_adopt(into, digest) || blob_provider_pass(p, into, digest, size, work, error);
	name_locks_release(into->fetches, digest->text);
	return done;
}

static bool read_full(int fd, char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, bytes, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got < 0 ? errno : EIO;
			return false;
		}
		bytes += got;
		n -= (size_t)got;
	}
	return true;
}

GBytes *blob_store_read(blob_store *store, const struct digest *digest, size_t max_bytes, GError **error)
{
	g_autoptr(GError) failure = NULL;
	scoped_fd fd = blob_store_find(store, digest, &failure);
	struct stat st;
	if (failure)
		return error_propagate_null(error, g_steal_pointer(&failure));
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_null_errno(error, fd < 0 ? ENOENT : errno, "open blob %s", digest->text);
	if ((uint64_t)st.st_size > max_bytes)
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "blob %s is larger than %zu bytes", digest->text,
				  max_bytes);
	size_t n = (size_t)st.st_size;
	g_autofree char *bytes = g_malloc(n + 1);
	if (!read_full(fd, bytes, n))
		return error_null_errno(error, errno, "read blob %s", digest->text);
	return g_bytes_new_take(g_steal_pointer(&bytes), n);
}

bool blob_store_put(blob_store *store, const void *bytes, size_t n, struct digest *ret_digest, GError **error)
{
	struct digest digest;
	digest_of(bytes, n, &digest);
	if (!blob_store_has(store, &digest)) {
		g_autoptr(blob_writer) w = blob_store_write(store, &digest, n, error);
		if (!w || !blob_writer_append(w, bytes, n, error) || !blob_writer_commit(w, NULL, error))
			return false;
	}
	if (ret_digest)
		*ret_digest = digest;
	return true;
}

void blob_store_hold(blob_store *store, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	guint count = GPOINTER_TO_UINT(g_hash_table_lookup(store->holds, digest->text));
	g_hash_table_replace(store->holds, g_strdup(digest->text), GUINT_TO_POINTER(count + 1));
}

void blob_store_release(blob_store *store, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	guint count = GPOINTER_TO_UINT(g_hash_table_lookup(store->holds, digest->text));
	g_assert(count > 0);
	if (count == 1)
		g_hash_table_remove(store->holds, digest->text);
	else
		g_hash_table_replace(store->holds, g_strdup(digest->text), GUINT_TO_POINTER(count - 1));
}

void blob_store_remember(blob_store *store, const struct digest *digest, GBytes *bytes)
{
	blob_memory_put(store->memory, digest, bytes);
}

GBytes *blob_store_recall(blob_store *store, const struct digest *digest)
{
	return blob_memory_get(store->memory, digest);
}

static int64_t remove_unless_held(blob_store *store, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&store->mu);
	if (g_hash_table_contains(store->holds, digest->text))
		return 0;
	g_hash_table_remove(store->verified, digest->text);
	return store->backend->remove(store->self, digest);
}

void blob_store_remove(blob_store *store, const struct digest *digest)
{
	remove_unless_held(store, digest);
}

struct sweep {
	blob_store *store;
	bool (*keep)(const struct digest *digest, void *data);
	void *data;
	int64_t freed;
};

/* keep is called without the lock, so that it may call the store; a hold added meanwhile is respected. */
static void sweep_one(const struct digest *digest, void *data)
{
	struct sweep *s = data;
	if (!s->keep(digest, s->data))
		s->freed += remove_unless_held(s->store, digest);
}

int64_t blob_store_sweep(blob_store *store, bool (*keep)(const struct digest *digest, void *data), void *data)
{
	struct sweep s = {.store = store, .keep = keep, .data = data};
	blob_memory_expire(store->memory);
	store->backend->each(store->self, sweep_one, &s);
	if (store->backend->swept)
		store->backend->swept(store->self);
	return s.freed;
}

/* ---- writers */

blob_writer *blob_store_write(blob_store *store, const struct digest *expected, uint64_t size_max, GError **error)
{
	void *self = store->backend->writer_open(store->self, expected, error);
	if (!self)
		return NULL;
	blob_writer *w = g_new0(blob_writer, 1);
	w->store = store;
	w->self = self;
	w->size_max = size_max;
	if (expected)
		w->expected = *expected;
	w->hasher = expected ? new_hasher(expected) : hasher_new_sha256();
	return w;
}

void blob_writer_free(blob_writer *w)
{
	if (!w)
		return;
	w->store->backend->writer_close(w->self);
	hasher_free(w->hasher);
	g_free(w);
}

bool blob_writer_append(blob_writer *w, const void *bytes, size_t n, GError **error)
{
	if (n > w->size_max - w->size)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "blob %s is larger than %" G_GUINT64_FORMAT " bytes",
				 digest_is_set(&w->expected) ? w->expected.text : "", w->size_max);
	if (!w->store->backend->writer_append(w->self, bytes, n, error))
		return false;
	hasher_update(w->hasher, bytes, n);
	w->size += n;
	return true;
}

uint64_t blob_writer_size(const blob_writer *w)
{
	return w->size;
}

bool blob_writer_reset(blob_writer *w, GError **error)
{
	if (!w->store->backend->writer_reset(w->self, error))
		return false;
	hasher_reset(w->hasher);
	w->size = 0;
	return true;
}

bool blob_writer_commit(blob_writer *w, struct digest *ret_digest, GError **error)
{
	struct digest digest;
	hasher_finish(w->hasher, &digest);
	if (digest_is_set(&w->expected) && !digest_equal(&digest, &w->expected))
		return error_set(error, ERROR_DATA_LOSS, "unexpected commit digest %s, expected %s", digest.text,
				 w->expected.text);
	bool fresh = false;
	if (!w->store->backend->writer_commit(w->self, &digest, w->size, &fresh, error))
		return false;
	if (fresh)
		set_verified(w->store, &digest, true);
	if (ret_digest)
		*ret_digest = digest;
	return true;
}
