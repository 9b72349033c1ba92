/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cancel: a token that is set once, and the two cancel-aware waits.
 *
 *	g_autoptr(cancel) c = cancel_new(parent);                  set when the parent is
 *	if (!cancel_check(c, error)) return false;                 between two pieces of work
 *	if (cancel_poll(c, &fd, 1, -1, error) < 0) return false;   while waiting for descriptors
 *	g_auto(cancel_watch) watch = {0};
 *	cancel_watch_start(&watch, c, &mu, &cond);                 while waiting for a condition
 *
 * Reference counted. Setting is idempotent and runs callbacks on the thread that sets, without locks held.
 * Neither wait needs a descriptor or memory, so that both work when the process has none left. cancel_poll is woken by
 * SIGURG, sent to the waiting thread: the signal is blocked in that thread except inside ppoll(2), and its handler, which
 * the first wait installs, does nothing. Programs that use this module leave SIGURG to it.
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include <poll.h>

typedef struct cancel cancel;
typedef void (*cancel_fn)(void *data);

cancel *cancel_new(cancel *parent /* borrowed, may be NULL; kept alive by the child */);
cancel *cancel_ref(cancel *c);
void cancel_unref(cancel *c);

/* code and text are reported by cancel_check; the first setter wins. text NULL: "context canceled". */
void cancel_set(cancel *c, enum error_code code, const char *text);
bool cancel_is_set(const cancel *c); /* false for NULL */
/* Returns false with the setter's error if the token is set. */
bool cancel_check(cancel *c, GError **error);

/*
 * poll(2) that c ends at once. Returns the number of fds with events, 0 after timeout_ms (-1: no limit), or -1 when c is
 * set (the error of the setter; also when fds are ready) or poll fails; then revents mean nothing. Signals do not end it.
 * c may be NULL: it is never set.
 */
int cancel_poll(cancel *c, struct pollfd *fds, size_t n_fds, int64_t timeout_ms, GError **error);
/* Waits for ms milliseconds. False and the error of the setter when c is set before they are over. */
bool cancel_sleep(cancel *c, int64_t ms, GError **error);

/*
 * Runs fn once when the token is set, or immediately if it is set already. Returns an id for cancel_remove, 0 if fn has
 * run.
 */
guint cancel_add(cancel *c, cancel_fn fn, void *data);
/* After it returns, fn is not running and will not run (if called from fn: will not run again). */
void cancel_remove(cancel *c, guint id);

/*
 * From start to clear, setting c broadcasts cond, under mu. The waiting loop asks cancel_is_set(c) beside its condition.
 * Start and clear are called without mu held: the callback locks it, may run at once, and clear waits for its end.
 * c is borrowed and may be NULL; clear without start does nothing.
 */
typedef struct cancel_watch {
	cancel *c;
	GMutex *mu;
	GCond *cond;
	guint id;
} cancel_watch;
void cancel_watch_start(cancel_watch *w, cancel *c, GMutex *mu, GCond *cond);
void cancel_watch_clear(cancel_watch *w);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(cancel_watch, cancel_watch_clear)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cancel, cancel_unref)
