/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_store: immutable bytes, found by what they are.
 *
 *	g_autoptr(blob_writer) w = blob_store_write(store, &expected, size_max, error);
 *	while ((n = next(buf)) > 0)
 *		if (!blob_writer_append(w, buf, n, error)) return false;
 *	return blob_writer_commit(w, &digest, error);
 *
 * Bytes are kept by a backend: a directory (<root>/content/blobs/<algorithm>/<hex>, blob_dir.c), or somebody else's
 * store. A blob that can be opened is whole and was hashed; a crash or a forgotten writer leaves nothing behind.
 * Nothing is synced here: durability is the build's (docs/durability.md).
 * Thread: any. A writer belongs to one thread at a time.
 */
#pragma once
#include "base/digest.h"
#include "base/work.h"

typedef struct blob_store blob_store;
typedef struct blob_writer blob_writer;

/* Opens the store beneath root_fd (borrowed), making it if need be. Errors: UNKNOWN (IO). */
blob_store *blob_store_open(int root_fd, GError **error);
/* A store whose bytes are kept by somebody else (content/blob_backend.h). Takes self. */
struct blob_backend;
blob_store *blob_store_new(const struct blob_backend *backend, void *self);
void blob_store_close(blob_store *store);

/* The blob for reading as a file descriptor that the caller closes, or -1 with no error when it is absent. */
int blob_store_find(blob_store *store, const struct digest *digest, GError **error);
/*
 * As find, for bytes that leave us: what this process did not write itself is hashed before it is first given. DATA_LOSS
 * when it is damaged; it is removed then, so that it can be made or fetched again.
 */
int blob_store_find_verified(blob_store *store, const struct digest *digest, GError **error);
bool blob_store_has(blob_store *store, const struct digest *digest);
/* A blob that the backend may have without being responsible for it becomes one of the store's. False: it is not there. */
bool blob_store_adopt(blob_store *store, const struct digest *digest);
/* Removes it when it is not of this size: half of it was lost. */
void blob_store_check_size(blob_store *store, const struct digest *digest, int64_t size);
/* Bytes, or -1 when absent. */
int64_t blob_store_size(blob_store *store, const struct digest *digest);
/* Calls fn for each blob of the store. fn may call the store; what comes and goes meanwhile is seen or not. */
void blob_store_each(blob_store *store, void (*fn)(const struct digest *digest, void *data), void *data);
/* When the blob was stored, ns since the epoch; 0: unknown or absent. */
int64_t blob_store_created_ns(blob_store *store, const struct digest *digest);
/* A whole small blob; NULL and NOT_FOUND when absent, RESOURCE_EXHAUSTED above max_bytes. */
GBytes *blob_store_read(blob_store *store, const struct digest *digest, size_t max_bytes, GError **error);
/* Stores bytes in memory. */
bool blob_store_put(blob_store *store, const void *bytes, size_t n, struct digest *ret_digest, GError **error);

/*
 * Keeps a small blob in memory for some minutes and off the disk, so that one who will want it again soon need not fetch
 * it again. bytes must be what digest says.
 */
void blob_store_remember(blob_store *store, const struct digest *digest, GBytes *bytes);
/* A remembered blob, or NULL: it may be forgotten at any time. */
GBytes *blob_store_recall(blob_store *store, const struct digest *digest);

/*
 * Starts a blob. expected: what it must turn out to be, or NULL when not known yet. size_max: bytes after
 * which append fails with RESOURCE_EXHAUSTED, so that no peer decides how much we store.
 */
blob_writer *blob_store_write(blob_store *store, const struct digest *expected, uint64_t size_max, GError **error);
bool blob_writer_append(blob_writer *w, const void *bytes, size_t n, GError **error);
uint64_t blob_writer_size(const blob_writer *w);
/* Starts over from nothing (a server that does not resume). */
bool blob_writer_reset(blob_writer *w, GError **error);
/*
 * Gives the blob its name. Errors: DATA_LOSS on a digest mismatch (nothing is kept). A blob that is there already
 * is success.
 */
bool blob_writer_commit(blob_writer *w, struct digest *ret_digest, GError **error);
void blob_writer_free(blob_writer *w);

/* While held a blob is not swept, though no record names it yet. Counted; not persistent. */
void blob_store_hold(blob_store *store, const struct digest *digest);
void blob_store_release(blob_store *store, const struct digest *digest);
/* Removes one blob unless it is held. The caller knows that nothing names it. */
void blob_store_remove(blob_store *store, const struct digest *digest);
/* Removes every blob for which keep() is false and which nobody holds. Returns the bytes freed. */
int64_t blob_store_sweep(blob_store *store, bool (*keep)(const struct digest *digest, void *data), void *data);

/* ---- providers: where a blob that is not here yet can be had from (registry, session, ...) */
typedef struct blob_provider blob_provider;
struct blob_provider_class {
	/* Puts the blob into the store (a no-op when there). size: declared bytes, -1 unknown. progress goes to work. */
	bool (*fetch)(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		      GError **error);
	/* Text for "containerd.io/distribution.source.<host>" mounts on push: host and repository, or false. */
	bool (*origin)(void *self, const char **ret_host, const char **ret_repository);
	/* Could it give this blob, as far as it knows? NULL: always. */
	bool (*can)(void *self, const struct digest *digest);
	void (*free)(void *self);
};
blob_provider *blob_provider_new(const struct blob_provider_class *class, void *self);
blob_provider *blob_provider_ref(blob_provider *p);
void blob_provider_unref(blob_provider *p);
/* Concurrent fetches of one digest into one store happen once; the others wait. */
bool blob_provider_fetch(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			 struct work *work, GError **error);
/* From inside another provider's fetch of the same blob: it waits for nobody. */
bool blob_provider_pass(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			struct work *work, GError **error);
bool blob_provider_can(blob_provider *p, const struct digest *digest);
bool blob_provider_origin(blob_provider *p, const char **ret_host, const char **ret_repository);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_store, blob_store_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_writer, blob_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_provider, blob_provider_unref)
