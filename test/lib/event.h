/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: a count that one thread raises and another waits for.
 *
 *	static struct event begun;                static memory needs no init
 *	event_raise(&begun);
 *	event_wait(&begun, 1);
 *
 * A wait of more than 30 s fails the test. Thread: any.
 */
#pragma once
#include <glib.h>

struct event {
	GMutex mu;
	GCond changed;
	guint count;
};
void event_raise(struct event *e);
/* Returns when the count is at least that. */
void event_wait(struct event *e, guint count);
guint event_count(struct event *e);
