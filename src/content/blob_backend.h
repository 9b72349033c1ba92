/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_backend: who keeps the bytes of a blob_store; the store itself hashes, bounds and holds.
 *
 *	blob_store *store = blob_store_new(&blob_dir_backend, self);
 *
 * size is asked often and under locks: it must not wait for a peer. Thread: any; a writer belongs to one at a time.
 */
#pragma once
#include "content/blob_store.h"

struct blob_backend {
	/* For reading; -1 without an error when absent. */
	int (*open)(void *self, const struct digest *digest, GError **error);
	int64_t (*size)(void *self, const struct digest *digest);       /* -1: absent */
	int64_t (*created_ns)(void *self, const struct digest *digest); /* 0: absent; NULL: not known */
	bool (*adopt)(void *self, const struct digest *digest);         /* NULL: never */
	/* expected: NULL when not known yet. */
	void *(*writer_open)(void *self, const struct digest *expected, GError **error);
	bool (*writer_append)(void *writer, const void *bytes, size_t n, GError **error);
	bool (*writer_reset)(void *writer, GError **error);
	/* digest is what the bytes are. A blob that is there already is success; ret_fresh: it was not. */
	bool (*writer_commit)(void *writer, const struct digest *digest, uint64_t size, bool *ret_fresh,
			      GError **error);
	void (*writer_close)(void *writer);                          /* without commit: nothing stays */
	int64_t (*remove)(void *self, const struct digest *digest);  /* bytes freed; called under the store's lock */
	int64_t (*destroy)(void *self, const struct digest *digest); /* it is damaged: for good; NULL: as remove */
	void (*swept)(void *self); /* after a sweep, without it; NULL: nothing to do */
	void (*each)(void *self, void (*fn)(const struct digest *digest, void *data), void *data);
	void (*close)(void *self);
};

extern const struct blob_backend blob_dir_backend;
/* The backend's self for a directory beneath root_fd. */
void *blob_dir_open(int root_fd, GError **error);
