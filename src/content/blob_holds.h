/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_holds: holds the blobs that one build makes and that no cache record names, until it ends.
 *
 *	blob_holds *h = blob_holds_new(store);
 *	blob_holds_put(h, bytes, n, &digest, error);      holds it before it is stored, so that no sweep removes it
 *	cache_release_blobs(cache, h);                    removes those that no record names (cache/cache.h)
 *
 * Thread: any until it is freed; the owner frees.
 */
#pragma once
#include "content/blob_store.h"

typedef struct blob_holds blob_holds;
blob_holds *blob_holds_new(blob_store *store);
/* Releases remaining holds; the blobs stay until a sweep. NULL is allowed. */
void blob_holds_free(blob_holds *h);
void blob_holds_add(blob_holds *h, const struct digest *digest);
bool blob_holds_put(blob_holds *h, const void *bytes, size_t n, struct digest *ret_digest, GError **error);
/* Releases one of the blobs; false if none is left. */
bool blob_holds_pop(blob_holds *h, struct digest *ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(blob_holds, blob_holds_free)
