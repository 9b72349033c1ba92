/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_store: stores immutable bytes by digest.
 *
 *	g_autoptr(blob_writer) w = blob_store_write(store, &expected, size_max, error);
 *	while ((n = read(fd, buf, sizeof buf)) > 0)
 *		if (!blob_writer_append(w, buf, n, error)) return false;
 *	return blob_writer_commit(w, &digest, error);
 *
 * Bytes are kept by a backend: a directory (<root>/content/blobs/<algorithm>/<hex>, blob_dir.c), or another store. A
 * blob that can be opened is complete and was hashed; a crash or an uncommitted writer leaves no data. Nothing is
 * synced here: builds make their results durable (docs/durability.md).
 * Thread: any. A writer belongs to one thread at a time.
 */
#pragma once
#include "base/digest.h"
#include "base/work.h"

typedef struct blob_store blob_store;
typedef struct blob_writer blob_writer;

/* Opens the store beneath root_fd (borrowed), creating it if necessary. Errors: UNKNOWN (IO). */
blob_store *blob_store_open(int root_fd, GError **error);
/* Creates a store with another backend (content/blob_backend.h). Takes self. */
struct blob_backend;
blob_store *blob_store_new(const struct blob_backend *backend, void *self);
void blob_store_close(blob_store *store);

/* Returns a file descriptor for reading that the caller closes, or -1 without an error if the blob does not exist. */
int blob_store_find(blob_store *store, const struct digest *digest, GError **error);
/*
 * As find, for bytes that are sent to others: a blob that this process did not write is hashed before it is first
 * returned. Errors: DATA_LOSS if it is damaged; it is removed then, so that it can be made or fetched again.
 */
int blob_store_find_verified(blob_store *store, const struct digest *digest, GError **error);
bool blob_store_has(blob_store *store, const struct digest *digest);
/* Takes over a blob that exists in the backend's storage but does not belong to the store. False: it does not exist. */
bool blob_store_adopt(blob_store *store, const struct digest *digest);
/* Removes the blob if it does not have this size, because data was lost. */
void blob_store_check_size(blob_store *store, const struct digest *digest, int64_t size);
/* Returns the size in bytes, or -1 if it does not exist. */
int64_t blob_store_size(blob_store *store, const struct digest *digest);
/* Calls fn for each blob of the store. fn may call the store; concurrent changes may or may not be seen. */
void blob_store_each(blob_store *store, void (*fn)(const struct digest *digest, void *data), void *data);
/* Time at which the blob was stored, ns since the epoch; 0: unknown or missing. */
int64_t blob_store_created_ns(blob_store *store, const struct digest *digest);
/* Reads a complete small blob. Errors: NOT_FOUND, RESOURCE_EXHAUSTED above max_bytes. */
GBytes *blob_store_read(blob_store *store, const struct digest *digest, size_t max_bytes, GError **error);
/* Stores bytes that are in memory. */
bool blob_store_put(blob_store *store, const void *bytes, size_t n, struct digest *ret_digest, GError **error);

/*
 * Keeps a small blob in memory for some minutes without writing it to disk, so that it need not be fetched again soon.
 * bytes must match digest.
 */
void blob_store_remember(blob_store *store, const struct digest *digest, GBytes *bytes);
/* Returns a blob from memory, or NULL: it may be dropped at any time. */
GBytes *blob_store_recall(blob_store *store, const struct digest *digest);

/*
 * Starts a blob. expected: its digest, or NULL if not known yet. size_max: append fails with RESOURCE_EXHAUSTED above
 * that size, so that a peer cannot decide how much is stored.
 */
blob_writer *blob_store_write(blob_store *store, const struct digest *expected, uint64_t size_max, GError **error);
bool blob_writer_append(blob_writer *w, const void *bytes, size_t n, GError **error);
uint64_t blob_writer_size(const blob_writer *w);
/* Discards the data to start over (a server that does not resume). */
bool blob_writer_reset(blob_writer *w, GError **error);
/*
 * Finishes the blob. Errors: DATA_LOSS on a digest mismatch (nothing is kept). An existing blob is a success.
 */
bool blob_writer_commit(blob_writer *w, struct digest *ret_digest, GError **error);
void blob_writer_free(blob_writer *w);

/* A held blob is not swept although no record names it yet. Counted; not persistent. */
void blob_store_hold(blob_store *store, const struct digest *digest);
void blob_store_release(blob_store *store, const struct digest *digest);
/* Removes one blob unless it is held. The caller must know that no record names it. */
void blob_store_remove(blob_store *store, const struct digest *digest);
/* Removes every blob that is not held and for which keep() is false. Returns the bytes freed. */
int64_t blob_store_sweep(blob_store *store, bool (*keep)(const struct digest *digest, void *data), void *data);

/* ---- providers: sources of blobs that are not in the store (registry, session, ...) */
typedef struct blob_provider blob_provider;
struct blob_provider_class {
	/*
	 * Fetches the blob into the store (no-op if it exists). size: declared bytes, -1 unknown. work receives
	 * progress.
	 */
	bool (*fetch)(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
		      GError **error);
	/*
	 * Host and repository for "containerd.io/distribution.source.<host>" mounts on push; false if there are none.
	 */
	bool (*origin)(void *self, const char **ret_host, const char **ret_repository);
	/* Reports whether it could provide this blob, as far as is known. NULL: always. */
	bool (*can)(void *self, const struct digest *digest);
	void (*free)(void *self);
};
blob_provider *blob_provider_new(const struct blob_provider_class *class, void *self);
blob_provider *blob_provider_ref(blob_provider *p);
void blob_provider_unref(blob_provider *p);
/* Concurrent fetches of one digest into one store run once; the others wait. */
bool blob_provider_fetch(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			 struct work *work, GError **error);
/* For calls from another provider's fetch of the same blob: does not wait for it. */
bool blob_provider_pass(blob_provider *p, blob_store *into, const struct digest *digest, int64_t size,
			struct work *work, GError **error);
bool blob_provider_can(blob_provider *p, const struct digest *digest);
bool blob_provider_origin(blob_provider *p, const char **ret_host, const char **ret_repository);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_store, blob_store_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_writer, blob_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_provider, blob_provider_unref)
