/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/loop.h"
#include "base/thread.h"
#include "base/scope.h"
#include <signal.h>
#include <sys/eventfd.h>

#define BUFFER_BYTES ((size_t)128 * 1024)

struct posted {
	loop_fn fn;
	void *data;
};

struct rpc_loop {
	int epoll_fd;
	int event_fd;
	GThread *thread;
	uint8_t *buffer; /* owned */
	GMutex mu;       /* guards all members below; taken last */
	GArray *posts;   /* of struct posted */
	GPtrArray *heap; /* of struct loop_timer, earliest first; borrowed */
	bool quit;
};

static _Thread_local const rpc_loop *current;

static void wake(rpc_loop *loop)
{
	if (current != loop)
		eventfd_write(loop->event_fd, 1);
}

void loop_post(rpc_loop *loop, loop_fn fn, void *data)
{
	struct posted p = {fn, data};
	g_mutex_lock(&loop->mu);
	bool first = loop->posts->len == 0;
	g_array_append_val(loop->posts, p);
	g_mutex_unlock(&loop->mu);
	if (first)
		wake(loop);
}

bool loop_watch_set(rpc_loop *loop, struct loop_watch *watch, uint32_t events)
{
	if (events == watch->events)
		return true;
	struct epoll_event event = {.events = events, .data.ptr = watch};
	int op = !events ? EPOLL_CTL_DEL : watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(loop->epoll_fd, op, watch->fd, &event) < 0)
		return false;
	watch->events = events;
	return true;
}

/* ---- the heap of timers */

static struct loop_timer *timer_at(rpc_loop *loop, size_t i)
{
	return g_ptr_array_index(loop->heap, i);
}

static void timer_place(rpc_loop *loop, struct loop_timer *timer, size_t i)
{
	g_ptr_array_index(loop->heap, i) = timer;
	timer->index = i + 1;
}

static void heap_up(rpc_loop *loop, struct loop_timer *timer, size_t i)
{
	for (; i > 0; i = (i - 1) / 2) {
		struct loop_timer *parent = timer_at(loop, (i - 1) / 2);
		if (parent->at_us <= timer->at_us)
			break;
		timer_place(loop, parent, i);
	}
	timer_place(loop, timer, i);
}

static void heap_down(rpc_loop *loop, struct loop_timer *timer, size_t i)
{
	size_t n = loop->heap->len;
	for (size_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n && timer_at(loop, child + 1)->at_us < timer_at(loop, child)->at_us)
			child++;
		if (timer_at(loop, child)->at_us >= timer->at_us)
			break;
		timer_place(loop, timer_at(loop, child), i);
		i = child;
	}
	timer_place(loop, timer, i);
}

static void heap_remove(rpc_loop *loop, struct loop_timer *timer)
{
	if (!timer->index)
		return;
	size_t i = timer->index - 1;
	timer->index = 0;
	struct loop_timer *last = g_ptr_array_steal_index(loop->heap, loop->heap->len - 1);
	if (last == timer)
		return;
	if (last->at_us < timer->at_us)
		heap_up(loop, last, i);
	else
		heap_down(loop, last, i);
}

static void timer_set(rpc_loop *loop, struct loop_timer *timer, gint64 at_us, bool earlier_only)
{
	g_mutex_lock(&loop->mu);
	if (earlier_only && timer->index && timer->at_us <= at_us) {
		g_mutex_unlock(&loop->mu);
		return;
	}
	heap_remove(loop, timer);
	timer->at_us = at_us;
	g_ptr_array_add(loop->heap, timer);
	heap_up(loop, timer, loop->heap->len - 1);
	bool first = timer->index == 1;
	g_mutex_unlock(&loop->mu);
	if (first)
		wake(loop);
}

void loop_timer_set(rpc_loop *loop, struct loop_timer *timer, gint64 at_us)
{
	timer_set(loop, timer, at_us, false);
}

void loop_timer_set_earlier(rpc_loop *loop, struct loop_timer *timer, gint64 at_us)
{
	timer_set(loop, timer, at_us, true);
}

void loop_timer_clear(rpc_loop *loop, struct loop_timer *timer)
{
	g_mutex_lock(&loop->mu);
	heap_remove(loop, timer);
	g_mutex_unlock(&loop->mu);
}

/* ---- the thread */

static void run_timers(rpc_loop *loop)
{
	gint64 now = g_get_monotonic_time();
	g_mutex_lock(&loop->mu);
	while (loop->heap->len > 0 && timer_at(loop, 0)->at_us <= now) {
		struct loop_timer *timer = timer_at(loop, 0);
		heap_remove(loop, timer);
		g_mutex_unlock(&loop->mu);
		timer->fire(timer->data);
		g_mutex_lock(&loop->mu);
	}
	g_mutex_unlock(&loop->mu);
}

/* Runs the functions posted so far; false once the loop may end. */
static bool run_posts(rpc_loop *loop)
{
	g_mutex_lock(&loop->mu);
	bool more = !loop->quit || loop->posts->len > 0;
	GArray *posts = loop->posts;
	loop->posts = g_array_new(FALSE, FALSE, sizeof(struct posted));
	g_mutex_unlock(&loop->mu);
	for (guint i = 0; i < posts->len; i++) {
		struct posted *p = &g_array_index(posts, struct posted, i);
		p->fn(p->data);
	}
	g_array_unref(posts);
	return more;
}

static int wait_ms(rpc_loop *loop)
{
	gint64 ms = -1;
	g_mutex_lock(&loop->mu);
	if (loop->posts->len > 0 || loop->quit)
		ms = 0;
	else if (loop->heap->len > 0)
		ms = CLAMP((timer_at(loop, 0)->at_us - g_get_monotonic_time() + 999) / 1000, 0, 60000);
	g_mutex_unlock(&loop->mu);
	return (int)ms;
}

static void *loop_main(void *data)
{
	rpc_loop *loop = data;
	current = loop;
	struct epoll_event events[64];
	do {
		int n = epoll_wait(loop->epoll_fd, events, G_N_ELEMENTS(events), wait_ms(loop));
		for (int i = 0; i < n; i++) {
			struct loop_watch *watch = events[i].data.ptr;
			eventfd_t ignored;
			if (!watch)
				eventfd_read(loop->event_fd, &ignored);
			else
				watch->ready(watch->data, events[i].events);
		}
		run_timers(loop);
	} while (run_posts(loop));
	return NULL;
}

/* Pipes and TLS sockets have no MSG_NOSIGNAL, so SIGPIPE must not kill the program when a peer closes. */
static void ignore_sigpipe(void)
{
	struct sigaction now;
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static void loop_clear(rpc_loop *loop)
{
	fd_close(&loop->epoll_fd);
	fd_close(&loop->event_fd);
	g_array_unref(loop->posts);
	g_ptr_array_unref(loop->heap);
	g_free(loop->buffer);
	g_mutex_clear(&loop->mu);
	g_free(loop);
}

rpc_loop *rpc_loop_new(GError **error)
{
	ignore_sigpipe();
	rpc_loop *loop = g_new0(rpc_loop, 1);
	g_mutex_init(&loop->mu);
	loop->posts = g_array_new(FALSE, FALSE, sizeof(struct posted));
	loop->heap = g_ptr_array_new();
	loop->buffer = g_malloc(BUFFER_BYTES);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	if (loop->epoll_fd < 0 || loop->event_fd < 0 ||
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) < 0)
		error_set_errno(error, errno, "start the I/O loop");
	else if ((loop->thread = thread_start("io", loop_main, loop, error)))
		return loop;
	loop_clear(loop);
	return NULL;
}

void rpc_loop_free(rpc_loop *loop)
{
	if (!loop)
		return;
	g_mutex_lock(&loop->mu);
	loop->quit = true;
	g_mutex_unlock(&loop->mu);
	eventfd_write(loop->event_fd, 1);
	g_thread_join(loop->thread);
	loop_clear(loop);
}

uint8_t *loop_buffer(rpc_loop *loop, size_t *ret_size)
{
	*ret_size = BUFFER_BYTES;
	return loop->buffer;
}
