/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: the one I/O thread: epoll, timers, and functions that other threads post.
 *
 *	loop_watch_set(loop, &watch, EPOLLIN);           watch.ready runs on the loop's thread
 *	loop_timer_set(loop, &timer, g_get_monotonic_time() + 1000);
 *	loop_post(loop, fn, data);
 *
 * epoll and not GMainContext: a thousand idle connections then cost nothing a wakeup. Watches and timers are embedded
 * in their owner, which removes them first and then frees itself in a posted function, so that no event of the batch
 * in hand finds it gone. Functions that run on the loop never block.
 * Thread: any; callbacks on the loop's.
 */
#pragma once
#include "rpc/rpc.h"
#include <sys/epoll.h>

struct loop_watch {
	int fd;
	uint32_t events; /* set now; 0: not registered */
	void (*ready)(void *data, uint32_t events);
	void *data;
};

struct loop_timer {
	gint64 at_us; /* of g_get_monotonic_time */
	size_t index; /* place in the heap plus one, 0: not set */
	void (*fire)(void *data);
	void *data;
};

typedef void (*loop_fn)(void *data);

void loop_post(rpc_loop *loop, loop_fn fn, void *data);
bool loop_is_current(const rpc_loop *loop);
/* events 0 removes. Error: errno (EPERM for files that cannot be polled). */
bool loop_watch_set(rpc_loop *loop, struct loop_watch *watch, uint32_t events);
void loop_timer_set(rpc_loop *loop, struct loop_timer *timer, gint64 at_us);
/* Unless it is set to an earlier time. */
void loop_timer_set_earlier(rpc_loop *loop, struct loop_timer *timer, gint64 at_us);
void loop_timer_clear(rpc_loop *loop, struct loop_timer *timer);
/* Scratch memory of the loop's thread, for one read. */
uint8_t *loop_buffer(rpc_loop *loop, size_t *ret_size);
