/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include <pthread.h>
#include <signal.h>

struct watcher {
	guint id;
	cancel_fn fn;
	void *data;
};

/* A thread in cancel_poll; on its stack. */
struct poller {
	pthread_t thread;
	struct poller *next;
};

struct cancel {
	gint refs;
	gint set; /* atomic */
	GMutex mu;
	GCond idle; /* signalled when no callback is running */
	enum error_code code;
	char *text; /* owned, under mu until set */
	struct poller *pollers;
	GArray *watchers; /* of struct watcher */
	guint next_id;
	guint running_id; /* the watcher whose callback is running, 0 if none */
	GThread *runner;  /* the thread that runs it */
	cancel *parent;   /* ref */
	guint parent_id;
};

/* A child whose last reference is being dropped is not revived: its memory stays valid until cancel_remove returns. */
static bool ref_if_alive(cancel *c)
{
	for (gint refs = g_atomic_int_get(&c->refs); refs > 0; refs = g_atomic_int_get(&c->refs))
		if (g_atomic_int_compare_and_exchange(&c->refs, refs, refs + 1))
			return true;
	return false;
}

static void set_from_parent(void *data)
{
	cancel *c = data;
	if (!ref_if_alive(c))
		return;
	cancel_set(c, c->parent->code, c->parent->text);
	cancel_unref(c);
}

cancel *cancel_new(cancel *parent)
{
	cancel *c = g_new0(cancel, 1);
	c->refs = 1;
	c->next_id = 1;
	c->watchers = g_array_new(FALSE, FALSE, sizeof(struct watcher));
	g_mutex_init(&c->mu);
	g_cond_init(&c->idle);
	if (parent) {
		c->parent = cancel_ref(parent);
		c->parent_id = cancel_add(parent, set_from_parent, c);
	}
	return c;
}

cancel *cancel_ref(cancel *c)
{
	g_atomic_int_inc(&c->refs);
	return c;
}

void cancel_unref(cancel *c)
{
	if (!c || !g_atomic_int_dec_and_test(&c->refs))
		return;
	if (c->parent) {
		if (c->parent_id)
			cancel_remove(c->parent, c->parent_id);
		cancel_unref(c->parent);
	}
	g_array_unref(c->watchers);
	g_free(c->text);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->idle);
	g_free(c);
}

static void run_watchers(cancel *c)
{
	g_mutex_lock(&c->mu);
	while (c->watchers->len > 0) {
		struct watcher w = g_array_index(c->watchers, struct watcher, 0);
		g_array_remove_index(c->watchers, 0);
		c->running_id = w.id;
		c->runner = g_thread_self();
		g_mutex_unlock(&c->mu);
		w.fn(w.data);
		g_mutex_lock(&c->mu);
		c->running_id = 0;
		g_cond_broadcast(&c->idle);
	}
	g_mutex_unlock(&c->mu);
}

void cancel_set(cancel *c, enum error_code code, const char *text)
{
	g_mutex_lock(&c->mu);
	if (g_atomic_int_get(&c->set)) {
		g_mutex_unlock(&c->mu);
		return;
	}
	c->code = code;
	c->text = g_strdup(text ? text : "context canceled");
	g_atomic_int_set(&c->set, 1);
	for (const struct poller *p = c->pollers; p; p = p->next)
		pthread_kill(p->thread, SIGURG);
	g_mutex_unlock(&c->mu);
	cancel_ref(c);
	run_watchers(c);
	cancel_unref(c);
}

bool cancel_is_set(const cancel *c)
{
	return c && g_atomic_int_get(&c->set);
}

bool cancel_check(cancel *c, GError **error)
{
	return !cancel_is_set(c) || error_set(error, c->code, "%s", c->text);
}

/* ---- waiting for descriptors */

static void do_nothing(int number)
{
	(void)number;
}

/* A signal without a handler, or one that is ignored, does not end ppoll. */
static void install_handler(void)
{
	struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
	sigaction(SIGURG, &action, NULL);
}

/* False: c is already set. */
static bool poller_enter(cancel *c, struct poller *p)
{
	g_mutex_lock(&c->mu);
	bool ok = !g_atomic_int_get(&c->set);
	if (ok) {
		*p = (struct poller){pthread_self(), c->pollers};
		c->pollers = p;
	}
	g_mutex_unlock(&c->mu);
	return ok;
}

static void poller_leave(cancel *c, const struct poller *p)
{
	g_mutex_lock(&c->mu);
	struct poller **at = &c->pollers;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	g_mutex_unlock(&c->mu);
}

/* ppoll until until_us of the monotonic clock, -1 for ever; c is NULL or this thread is one of its pollers. */
static int poll_until(const cancel *c, struct pollfd *fds, size_t n_fds, int64_t until_us, const sigset_t *mask)
{
	for (;;) {
		int64_t left_us = until_us < 0 ? 0 : MAX(until_us - g_get_monotonic_time(), 0);
		struct timespec left = {.tv_sec = left_us / G_USEC_PER_SEC, .tv_nsec = left_us % G_USEC_PER_SEC * 1000};
		/* A signal that came before is pending, and ends ppoll at once. */
		int n = ppoll(fds, (nfds_t)n_fds, until_us < 0 ? NULL : &left, mask);
		if (n >= 0 || errno != EINTR || cancel_is_set(c))
			return n;
	}
}

int cancel_poll(cancel *c, struct pollfd *fds, size_t n_fds, int64_t timeout_ms, GError **error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int64_t until_us = timeout_ms < 0 ? -1 : g_get_monotonic_time() + timeout_ms * 1000;
	sigset_t wake, saved, inside;
	struct poller self;
	if (c) {
		pthread_once(&once, install_handler);
		sigemptyset(&wake);
		sigaddset(&wake, SIGURG);
		pthread_sigmask(SIG_BLOCK, &wake, &saved);
		inside = saved;
		sigdelset(&inside, SIGURG);
	}
	int n = -1, failure = 0;
	if (!c || poller_enter(c, &self)) {
		n = poll_until(c, fds, n_fds, until_us, c ? &inside : NULL);
		failure = errno;
		if (c)
			poller_leave(c, &self);
	}
	if (c)
		pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (!cancel_check(c, error))
		return -1;
	if (n < 0)
		error_set_errno(error, failure, "poll");
	return n;
}

bool cancel_sleep(cancel *c, int64_t ms, GError **error)
{
	return cancel_poll(c, NULL, 0, MAX(ms, 0), error) == 0;
}

/* ---- callbacks */

guint cancel_add(cancel *c, cancel_fn fn, void *data)
{
	g_mutex_lock(&c->mu);
	if (g_atomic_int_get(&c->set)) {
		g_mutex_unlock(&c->mu);
		fn(data);
		return 0;
	}
	struct watcher w = {.id = c->next_id++, .fn = fn, .data = data};
	g_array_append_val(c->watchers, w);
	g_mutex_unlock(&c->mu);
	return w.id;
}

void cancel_remove(cancel *c, guint id)
{
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < c->watchers->len; i++) {
		if (g_array_index(c->watchers, struct watcher, i).id == id) {
			g_array_remove_index(c->watchers, i);
			break;
		}
	}
	/* Called from the callback itself (it dropped the watched object): it will not be called again. */
	while (c->running_id == id && c->runner != g_thread_self())
		g_cond_wait(&c->idle, &c->mu);
	g_mutex_unlock(&c->mu);
}

/* ---- waiting for a condition */

static void watch_broadcast(void *data)
{
	const cancel_watch *w = data;
	g_mutex_lock(w->mu);
	g_cond_broadcast(w->cond);
	g_mutex_unlock(w->mu);
}

void cancel_watch_start(cancel_watch *w, cancel *c, GMutex *mu, GCond *cond)
{
	*w = (cancel_watch){.c = c, .mu = mu, .cond = cond};
	if (c)
		w->id = cancel_add(c, watch_broadcast, w);
}

void cancel_watch_clear(cancel_watch *w)
{
	if (w->id)
		cancel_remove(w->c, w->id);
	w->id = 0;
}
