/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: threads that run items one after the other.
 *
 *	pool *p = pool_new("solver", 128, run, data);     run(item, data)
 *	if (!pool_keep(p, error)) ...                     one thread at least, from now on
 *	pool_push(p, item, NULL);
 *	pool_free(p);                                     when all items have run
 *
 * Threads are started when items wait, kept for a while without work, and end. An item that was taken is never lost:
 * where no further thread can be started it waits for those that exist.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

typedef struct pool pool;

/* name is borrowed. */
pool *pool_new(const char *name, unsigned max_threads, void (*run)(void *item, void *data), void *data);
/* Starts a first thread that stays until pool_free: pool_push cannot fail afterwards. Errors: RESOURCE_EXHAUSTED. */
bool pool_keep(pool *p, GError **error);
/* False, and the item is not taken, only when the pool has no thread and none can be started. */
bool pool_push(pool *p, void *item, GError **error);
/* For items that wait for each other: false, and not taken, unless a thread is free for it at once. */
bool pool_push_now(pool *p, void *item, GError **error);
unsigned pool_threads(pool *p);
/* Waits for all items. NULL is allowed. */
void pool_free(pool *p);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(pool, pool_free)
