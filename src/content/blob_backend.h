/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_backend: interface to the storage of a blob_store; the store itself hashes, limits and holds blobs.
 *
 *	blob_store *store = blob_store_new(&blob_dir_backend, self);
 *
 * size is called often and with locks held: it must not wait for a peer. Thread: any; a writer belongs to one thread at
 * a time.
 */
#pragma once
#include "content/blob_store.h"

struct blob_backend {
	/* Opens a blob for reading; -1 without an error if it does not exist. */
	int (*open)(void *self, const struct digest *digest, GError **error);
	int64_t (*size)(void *self, const struct digest *digest);       /* -1: does not exist */
	int64_t (*created_ns)(void *self, const struct digest *digest); /* 0: does not exist; NULL: not supported */
	bool (*adopt)(void *self, const struct digest *digest);         /* NULL: never */
	/* expected: NULL if not known yet. */
	void *(*writer_open)(void *self, const struct digest *expected, GError **error);
	bool (*writer_append)(void *writer, const void *bytes, size_t n, GError **error);
	bool (*writer_reset)(void *writer, GError **error);
	/* digest is the verified digest. An existing blob is a success; ret_fresh: it did not exist. */
	bool (*writer_commit)(void *writer, const struct digest *digest, uint64_t size, bool *ret_fresh,
			      GError **error);
	void (*writer_close)(void *writer);                         /* without commit: discards the data */
	int64_t (*remove)(void *self, const struct digest *digest); /* bytes freed; called with the store's lock held */
	int64_t (*destroy)(void *self, const struct digest *digest); /* for a damaged blob; NULL: as remove */
	void (*swept)(void *self); /* called after a sweep, without the lock; may be NULL */
	void (*each)(void *self, void (*fn)(const struct digest *digest, void *data), void *data);
	void (*close)(void *self);
};

extern const struct blob_backend blob_dir_backend;
/* Creates the backend for a directory beneath root_fd. */
void *blob_dir_open(int root_fd, GError **error);
