/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread: starts threads. Failing to start one is a returned error, never an abort.
 *
 *	GThread *t = thread_start("export", run, data, error);    g_thread_join(t)
 *	thread_each(n, 8, run_one, data);                         calls run_one for 0 to n - 1
 *
 * All threads of the program are started here (or by pool.h, which calls thread_start) and counted: at most
 * LIMIT_THREADS exist at a time. They get the object of base/inherit.h. The kernel may refuse earlier (pids.max of the
 * cgroup, RLIMIT_NPROC, memory).
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* The caller owns the thread: use g_thread_join or g_thread_unref. Errors: RESOURCE_EXHAUSTED. */
GThread *thread_start(const char *name, GThreadFunc fn, void *data, GError **error);
/* Number of threads started here that have not ended. */
unsigned thread_count(void);
/* Makes thread_start fail while this many threads exist; 0: LIMIT_THREADS. For tests. */
void thread_set_limit(unsigned limit);

/*
 * Runs fn(data, i) for every i below n, on at most max_threads threads including the caller's; returns when all calls
 * have returned. It cannot fail: the caller's thread runs the items that no other thread takes.
 */
void thread_each(size_t n, size_t max_threads, void (*fn)(void *data, size_t i), void *data);
