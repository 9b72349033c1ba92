/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tsan_glib: tells the thread sanitizer what GLib orders.
 *
 * GLib's locks are futexes in a library that is not instrumented: without this every use of one looks like a race.
 * Linked into test programs of a -Db_sanitize=thread build; each function calls the real one.
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>
#include <stdlib.h>
#include <unistd.h>

void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

#define REAL(name)                                                                                                     \
	static __typeof__(&name) found;                                                                                \
	__typeof__(&name) real = __atomic_load_n(&found, __ATOMIC_RELAXED);                                            \
	if (!real) {                                                                                                   \
		real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                                     \
		__atomic_store_n(&found, real, __ATOMIC_RELAXED);                                                      \
	}

const char *__tsan_default_suppressions(void);
/*
 * The nodes of an async queue are freed under its own lock, inside the library; so are its reader-writer locks made.
 * G_DEFINE_EXTENDED_ERROR keeps its quark in a plain static: every writer writes the same.
 */
const char *__tsan_default_suppressions(void)
{
	return "race:g_queue_pop_tail\nrace:g_queue_push_head\n"
	       "race:g_rw_lock_reader_lock\nrace:build_error_quark\n";
}

/* GLib's slices hand memory from thread to thread unseen: start again without them. */
__attribute__((constructor)) static void without_slices(int argc, char **argv)
{
	if (getenv("G_SLICE"))
		return;
	setenv("G_SLICE", "always-malloc", 1);
	execv("/proc/self/exe", argv);
}

/* ---- locks, as locks: their order is checked too */

#undef g_mutex_lock
void g_mutex_lock(GMutex *m)
{
	REAL(g_mutex_lock);
	__tsan_mutex_pre_lock(m, 0);
	real(m);
	__tsan_mutex_post_lock(m, 0, 0);
}

#undef g_mutex_unlock
void g_mutex_unlock(GMutex *m)
{
	REAL(g_mutex_unlock);
	__tsan_mutex_pre_unlock(m, 0);
	real(m);
	__tsan_mutex_post_unlock(m, 0);
}

gboolean g_mutex_trylock(GMutex *m)
{
	REAL(g_mutex_trylock);
	__tsan_mutex_pre_lock(m, __tsan_mutex_try_lock);
	gboolean ok = real(m);
	__tsan_mutex_post_lock(m, __tsan_mutex_try_lock | (ok ? 0 : __tsan_mutex_try_lock_failed), 0);
	return ok;
}

void g_mutex_clear(GMutex *m)
{
	REAL(g_mutex_clear);
	__tsan_mutex_destroy(m, 0);
	real(m);
}

void g_rec_mutex_lock(GRecMutex *m)
{
	REAL(g_rec_mutex_lock);
	__tsan_mutex_pre_lock(m, __tsan_mutex_write_reentrant);
	real(m);
	__tsan_mutex_post_lock(m, __tsan_mutex_write_reentrant, 0);
}

void g_rec_mutex_unlock(GRecMutex *m)
{
	REAL(g_rec_mutex_unlock);
	__tsan_mutex_pre_unlock(m, __tsan_mutex_write_reentrant);
	real(m);
	__tsan_mutex_post_unlock(m, __tsan_mutex_write_reentrant);
}

void g_rec_mutex_clear(GRecMutex *m)
{
	REAL(g_rec_mutex_clear);
	__tsan_mutex_destroy(m, 0);
	real(m);
}

void g_cond_wait(GCond *c, GMutex *m)
{
	REAL(g_cond_wait);
	__tsan_mutex_pre_unlock(m, 0);
	__tsan_mutex_post_unlock(m, 0);
	real(c, m);
	__tsan_mutex_pre_lock(m, 0);
	__tsan_mutex_post_lock(m, 0, 0);
}

gboolean g_cond_wait_until(GCond *c, GMutex *m, gint64 end)
{
	REAL(g_cond_wait_until);
	__tsan_mutex_pre_unlock(m, 0);
	__tsan_mutex_post_unlock(m, 0);
	gboolean ok = real(c, m, end);
	__tsan_mutex_pre_lock(m, 0);
	__tsan_mutex_post_lock(m, 0, 0);
	return ok;
}

void g_async_queue_push(GAsyncQueue *q, gpointer item)
{
	REAL(g_async_queue_push);
	__tsan_release(item);
	real(q, item);
}

static gpointer taken(gpointer item)
{
	if (item)
		__tsan_acquire(item);
	return item;
}

gpointer g_async_queue_pop(GAsyncQueue *q)
{
	REAL(g_async_queue_pop);
	return taken(real(q));
}

gpointer g_async_queue_try_pop(GAsyncQueue *q)
{
	REAL(g_async_queue_try_pop);
	return taken(real(q));
}

gpointer g_async_queue_timeout_pop(GAsyncQueue *q, guint64 timeout)
{
	REAL(g_async_queue_timeout_pop);
	return taken(real(q, timeout));
}

/* ---- pools: an item is ordered from push to the function, what functions did before the end of the pool */

struct pool_call {
	GFunc func;
	gpointer data;
	GThreadPool *pool;
	struct pool_call *next;
};
static GMutex pools_mu;
static struct pool_call *pools; /* for good: pools are few */

static void pool_call(gpointer item, gpointer data)
{
	struct pool_call *call = data;
	__tsan_acquire(item);
	__tsan_acquire(call);
	call->func(item, call->data);
	__tsan_release(call);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer data, gint max, gboolean exclusive, GError **error)
{
	REAL(g_thread_pool_new);
	struct pool_call *call = g_new0(struct pool_call, 1);
	call->func = func;
	call->data = data;
	/* The pool itself is freed by whichever thread leaves last, ordered by a lock inside the library. */
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
	call->pool = real(pool_call, call, max, exclusive, error);
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	g_mutex_lock(&pools_mu);
	call->next = pools;
	pools = call;
	g_mutex_unlock(&pools_mu);
	__tsan_release(call);
	return call->pool;
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer item, GError **error)
{
	REAL(g_thread_pool_push);
	__tsan_release(item);
	return real(pool, item, error);
}

static struct pool_call *pool_find(GThreadPool *pool)
{
	g_mutex_lock(&pools_mu);
	struct pool_call *call = pools; /* the newest: addresses come again */
	while (call && call->pool != pool)
		call = call->next;
	g_mutex_unlock(&pools_mu);
	return call;
}

void g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
	REAL(g_thread_pool_free);
	struct pool_call *call = pool_find(pool);
	real(pool, immediate, wait);
	if (wait && call)
		__tsan_acquire(call);
}
