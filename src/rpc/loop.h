/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the I/O thread: epoll, timers, and functions posted by other threads.
 *
 *	loop_watch_set(loop, &watch, EPOLLIN);           watch.ready runs on the loop's thread
 *	loop_timer_set(loop, &timer, g_get_monotonic_time() + 1000);
 *	loop_post(loop, fn, data);
 *
 * It uses epoll instead of GMainContext, so that idle connections cost nothing per wakeup. Watches and timers are
 * embedded in their owner, which removes them first and then frees itself in a posted function, so that no event of the
 * current batch refers to freed memory. Functions that run on the loop never block.
 * Thread: any; callbacks on the loop's.
 */
#pragma once
#include "rpc/rpc.h"
#include <sys/epoll.h>

struct loop_watch {
	int fd;
	uint32_t events; /* current events; 0: not registered */
	void (*ready)(void *data, uint32_t events);
	void *data;
};

struct loop_timer {
	gint64 at_us; /* time as g_get_monotonic_time */
	size_t index; /* index in the heap plus one, 0: not set */
	void (*fire)(void *data);
	void *data;
};

typedef void (*loop_fn)(void *data);

void loop_post(rpc_loop *loop, loop_fn fn, void *data);
/* events 0 unregisters it. Error: errno (EPERM for files that cannot be polled). */
bool loop_watch_set(rpc_loop *loop, struct loop_watch *watch, uint32_t events);
void loop_timer_set(rpc_loop *loop, struct loop_timer *timer, gint64 at_us);
/* Keeps an earlier time that is already set. */
void loop_timer_set_earlier(rpc_loop *loop, struct loop_timer *timer, gint64 at_us);
void loop_timer_clear(rpc_loop *loop, struct loop_timer *timer);
/* Scratch memory of the loop's thread, valid for one read. */
uint8_t *loop_buffer(rpc_loop *loop, size_t *ret_size);
