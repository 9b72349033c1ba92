/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_memory: small blobs that are kept in memory for some minutes and are on no disk.
 *
 *	blob_memory *m = blob_memory_new();
 *	blob_memory_put(m, &digest, bytes);
 *	g_autoptr(GBytes) bytes = blob_memory_get(m, &digest);      NULL when it is not (or no longer) there
 *
 * At most LIMIT_MEMORY_BLOBS_BYTES in all, the oldest go first. A reader must be able to fetch a blob again.
 * Thread: any.
 */
#pragma once
#include "base/digest.h"

typedef struct blob_memory blob_memory;
blob_memory *blob_memory_new(void);
void blob_memory_free(blob_memory *m);
/* bytes must be what digest says; a reference is taken. */
void blob_memory_put(blob_memory *m, const struct digest *digest, GBytes *bytes);
GBytes *blob_memory_get(blob_memory *m, const struct digest *digest);
/* Forgets what is older than its time. */
void blob_memory_expire(blob_memory *m);
