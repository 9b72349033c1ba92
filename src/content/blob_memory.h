/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_memory: keeps small blobs in memory for some minutes, without writing them to disk.
 *
 *	blob_memory *m = blob_memory_new();
 *	blob_memory_put(m, &digest, bytes);
 *	g_autoptr(GBytes) bytes = blob_memory_get(m, &digest);      NULL if it is not (or no longer) there
 *
 * At most LIMIT_MEMORY_BLOBS_BYTES in total; the oldest blobs are dropped first. A reader must be able to fetch a blob
 * again.
 * Thread: any.
 */
#pragma once
#include "base/digest.h"

typedef struct blob_memory blob_memory;
blob_memory *blob_memory_new(void);
void blob_memory_free(blob_memory *m);
/* bytes must match digest; takes a reference. */
void blob_memory_put(blob_memory *m, const struct digest *digest, GBytes *bytes);
GBytes *blob_memory_get(blob_memory *m, const struct digest *digest);
/* Drops expired blobs. */
void blob_memory_expire(blob_memory *m);
