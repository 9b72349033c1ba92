/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cancel: a token that is set once and can be waited for by fd, by callback or by asking.
 *
 *	g_autoptr(cancel) c = cancel_new(parent);        set when the parent is
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

/* code and text: what cancel_check will report; the first setter wins. text NULL is "context canceled". */
void cancel_set(cancel *c, enum error_code code, const char *text);
bool cancel_is_set(const cancel *c); /* NULL is never set */
/* False and the error of the setter when set. */
bool cancel_check(cancel *c, GError **error);
/* Readable once set. Made at the first call; belongs to the token. -1 when c is NULL. */
int cancel_fd(cancel *c);

/* Runs fn once when set, or at once when it is already. Returns an id for cancel_remove, 0 when it ran at once. */
guint cancel_add(cancel *c, cancel_fn fn, void *data);
/* After it returns fn is not running and will not run (from inside fn: will not run again). */
void cancel_remove(cancel *c, guint id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(cancel, cancel_unref)
