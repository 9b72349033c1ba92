/* SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"
#include "base/thread.h"
#include "base/log.h"
#include <malloc.h>

#define DELAY_US G_USEC_PER_SEC
#define INTERVAL_US (60 * G_USEC_PER_SEC)
/* Idle pool threads end after 5 s; malloc_trim runs after that, so that their memory is returned too. */
#define TRIM_AGAIN_US (17 * G_USEC_PER_SEC)

struct collector {
	worker *worker;
	GThread *thread;
	cancel *cancel;
	GMutex mu;
	GCond changed;
	gint64 due;     /* monotonic time, 0: nothing to do; mu */
	gint64 trim_at; /* monotonic time, 0: nothing to do; builds have ended, return freed memory to the system; mu */
	bool trimmed;   /* memory was returned once since the last build */
	gint64 last;
	bool stop;
};

/* Returns freed memory to the system: after a burst of builds, malloc keeps it in per-thread arenas. Requires mu. */
static void trim(collector *c)
{
	c->trim_at = c->trimmed ? 0 : g_get_monotonic_time() + TRIM_AGAIN_US;
	c->trimmed = true;
	g_mutex_unlock(&c->mu);
	malloc_trim(0);
	g_mutex_lock(&c->mu);
}

static void wait_until(collector *c, gint64 when)
{
	if (when == 0)
		g_cond_wait(&c->changed, &c->mu);
	else
		g_cond_wait_until(&c->changed, &c->mu, when);
}

static bool wait_for_work(collector *c)
{
	g_mutex_lock(&c->mu);
	for (;;) {
		gint64 now = g_get_monotonic_time();
		if (c->stop || (c->due != 0 && now >= c->due))
			break;
		if (c->trim_at != 0 && now >= c->trim_at)
			trim(c);
		else
			wait_until(c, c->due == 0 || (c->trim_at != 0 && c->trim_at < c->due) ? c->trim_at : c->due);
	}
	c->due = 0;
	c->last = g_get_monotonic_time();
	bool go = !c->stop;
	g_mutex_unlock(&c->mu);
	return go;
}

static gpointer run(gpointer data)
{
	collector *c = data;
	while (wait_for_work(c)) {
		g_autoptr(GError) error = NULL;
		if (!worker_gc(c->worker, c->cancel, &error) && !error_is(error, ERROR_CANCELED))
			log_error("gc error: %s", error->message);
	}
	return NULL;
}

static void collector_free(collector *c)
{
	cancel_unref(c->cancel);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->changed);
	g_free(c);
}

collector *collector_start(worker *w, GError **error)
{
	collector *c = g_new0(collector, 1);
	c->worker = w;
	c->cancel = cancel_new(NULL);
	g_mutex_init(&c->mu);
	g_cond_init(&c->changed);
	c->due = g_get_monotonic_time() + DELAY_US;
	c->thread = thread_start("gc", run, c, error);
	if (c->thread)
		return c;
	collector_free(c);
	return NULL;
}

void collector_poke(collector *c)
{
	g_mutex_lock(&c->mu);
	gint64 soon = g_get_monotonic_time() + DELAY_US;
	bool sooner = c->due == 0 || c->trim_at == 0 || c->trim_at > soon;
	if (c->due == 0)
		c->due = MAX(soon, c->last ? c->last + INTERVAL_US : 0);
	c->trim_at = soon; /* later, while builds go on ending */
	c->trimmed = false;
	if (sooner)
		g_cond_signal(&c->changed);
	g_mutex_unlock(&c->mu);
}

void collector_stop(collector *c)
{
	if (!c)
		return;
	cancel_set(c->cancel, ERROR_CANCELED, NULL);
	g_mutex_lock(&c->mu);
	c->stop = true;
	g_cond_signal(&c->changed);
	g_mutex_unlock(&c->mu);
	g_thread_join(c->thread);
	collector_free(c);
}
