/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inherit: one object per thread that the threads which it starts get, too.
 *
 *	inherited *before = inherit_replace(object);        until:
 *	inherited_unref(inherit_replace(before));
 *
 * thread_start passes it on; threads of a pool start without one. A higher module defines the object: its struct begins
 * with an inherited (trace/trace.h). Thread: each thread has a separate object; references are counted atomically.
 */
#pragma once
#include <glib.h>

typedef struct inherited inherited;
struct inherited {
	gint refs;
	void (*free)(inherited *object);
};

/* NULL is allowed. */
inherited *inherited_ref(inherited *object);
void inherited_unref(inherited *object);
/* The calling thread's object; borrowed, NULL: none. */
inherited *inherit_get(void);
/* Takes a reference, or NULL. Returns the earlier object with its reference. */
inherited *inherit_replace(inherited *object);
