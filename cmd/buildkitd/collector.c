/* SPDX-License-Identifier: Apache-2.0 */
#include "collector.h"
#include "base/log.h"

#define DELAY_US G_USEC_PER_SEC
#define INTERVAL_US (60 * G_USEC_PER_SEC)

struct collector {
	worker *worker;
	GThread *thread;
	cancel *cancel;
	GMutex mu;
	GCond changed;
	gint64 due; /* monotonic time, 0: nothing to do; mu */
	gint64 last;
	bool stop;
};

static bool wait_for_work(collector *c)
{
	g_mutex_lock(&c->mu);
	while (!c->stop && (c->due == 0 || g_get_monotonic_time() < c->due)) {
		if (c->due == 0)
			g_cond_wait(&c->changed, &c->mu);
		else
			g_cond_wait_until(&c->changed, &c->mu, c->due);
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

collector *collector_start(worker *w)
{
	collector *c = g_new0(collector, 1);
	c->worker = w;
	c->cancel = cancel_new(NULL);
	g_mutex_init(&c->mu);
	g_cond_init(&c->changed);
	c->due = g_get_monotonic_time() + DELAY_US;
	c->thread = g_thread_new("gc", run, c);
	return c;
}

void collector_poke(collector *c)
{
	g_mutex_lock(&c->mu);
	if (c->due == 0) {
		gint64 soon = g_get_monotonic_time() + DELAY_US;
		c->due = MAX(soon, c->last ? c->last + INTERVAL_US : 0);
		g_cond_signal(&c->changed);
	}
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
	cancel_unref(c->cancel);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->changed);
	g_free(c);
}
