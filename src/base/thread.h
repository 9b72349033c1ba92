/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread: starts threads. A thread that cannot be started is an error and never ends the program.
 *
 *	GThread *t = thread_start("export", run, data, error);    g_thread_join(t)
 *	thread_each(n, 8, run_one, data);                         run_one(data, 0) to run_one(data, n - 1)
 *
 * All threads of the program are started here (or by pool.h, which calls thread_start) and counted: at most
 * LIMIT_THREADS exist at a time. The kernel may refuse earlier (pids.max of the cgroup, RLIMIT_NPROC, memory).
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* The caller owns the thread: g_thread_join or g_thread_unref. Errors: RESOURCE_EXHAUSTED. */
GThread *thread_start(const char *name, GThreadFunc fn, void *data, GError **error);
/* Threads started here that have not ended. */
unsigned thread_count(void);
/* thread_start fails as long as more threads than this are wanted; 0: LIMIT_THREADS. For tests. */
void thread_set_limit(unsigned limit);

/*
 * Runs fn(data, i) for every i below n, on at most max_threads threads, the caller's being one of them; returns when
 * all have returned. It cannot fail: the caller's thread does what the others, which may be none, do not take.
 */
void thread_each(size_t n, size_t max_threads, void (*fn)(void *data, size_t i), void *data);
