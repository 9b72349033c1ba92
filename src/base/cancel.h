/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cancel: a token that is set once and can be observed by fd, callback or polling.
 *
 *	g_autoptr(cancel) c = cancel_new(parent);        also set when the parent is
 *	if (!cancel_check(c, error)) return false;       between two pieces of work
 *	poll({fd, cancel_fd(c)})                         while waiting for something
 *
 * Reference counted. Setting is idempotent and runs callbacks on the thread that sets, without locks held.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

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
/* Readable once the token is set. Created at the first call; owned by the token. -1 if c is NULL. */
int cancel_fd(cancel *c);

/*
 * Runs fn once when the token is set, or immediately if it is set already. Returns an id for cancel_remove, 0 if fn has
 * run.
 */
guint cancel_add(cancel *c, cancel_fn fn, void *data);
/* After it returns, fn is not running and will not run (if called from fn: will not run again). */
void cancel_remove(cancel *c, guint id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cancel, cancel_unref)
