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

/* ---- counts: the last user frees after all others have read */

#undef g_bytes_unref
void g_bytes_unref(GBytes *bytes)
{
	REAL(g_bytes_unref);
	if (bytes) {
		__tsan_release(bytes);
		__tsan_acquire(bytes);
	}
	real(bytes);
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

/* ---- once: the macro before g_once_init_enter loads the value itself, which acquires what g_once_init_leave released */

#undef g_once_init_enter
gboolean g_once_init_enter(volatile void *location)
{
	REAL(g_once_init_enter);
	gboolean first = real(location);
	if (!first)
		__tsan_acquire((void *)(gsize)location);
	return first;
}

#undef g_once_init_leave
void g_once_init_leave(volatile void *location, gsize result)
{
	REAL(g_once_init_leave);
	__tsan_release((void *)(gsize)location);
	real(location, result);
}

/* ---- queues */

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
