/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: a thread pool; each thread runs queued items.
 *
 *	pool *p = pool_new("solver", 128, run, data);     run(item, data)
 *	if (!pool_keep(p, error)) ...                     keeps at least one thread from now on
 *	pool_push(p, item, NULL);
 *	pool_free(p);                                     waits for all items
 *
 * Threads are started when items are queued and end after some idle time. An accepted item is never lost: if no further
 * thread can be started, it waits for the existing ones.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

typedef struct pool pool;

/* name is borrowed. */
pool *pool_new(const char *name, unsigned max_threads, void (*run)(void *item, void *data), void *data);
/*
 * Starts a first thread that stays until pool_free, so that pool_push cannot fail afterwards. Errors:
 * RESOURCE_EXHAUSTED.
 */
bool pool_keep(pool *p, GError **error);
/* Fails, without taking the item, only if the pool has no thread and none can be started. */
bool pool_push(pool *p, void *item, GError **error);
/* For items that wait for each other: fails, without taking the item, unless a thread is free for it immediately. */
bool pool_push_now(pool *p, void *item, GError **error);
unsigned pool_threads(pool *p);
/* Waits for all items. NULL is allowed. */
void pool_free(pool *p);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(pool, pool_free)
