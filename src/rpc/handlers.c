/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/handlers.h"
#include <pthread.h>

#define IDLE_US (5 * G_USEC_PER_SEC)
#define STACK_BYTES ((size_t)4 * 1024 * 1024) /* address space; only what is touched costs */

struct handlers {
	void (*run)(void *job, void *data);
	void *data;
	GMutex mu;
	GCond work;
	GCond gone;
	GQueue jobs;
	guint threads;
	guint idle;
	bool quit;
};

struct handlers *handlers_new(void (*run)(void *job, void *data), void *data)
{
	struct handlers *h = g_new0(struct handlers, 1);
	h->run = run;
	h->data = data;
	g_mutex_init(&h->mu);
	g_cond_init(&h->work);
	g_cond_init(&h->gone);
	g_queue_init(&h->jobs);
	return h;
}

/* mu held. NULL when the thread may go. */
static void *next_job(struct handlers *h)
{
	gint64 until = g_get_monotonic_time() + IDLE_US;
	h->idle++;
	while (g_queue_is_empty(&h->jobs) && !h->quit)
		if (!g_cond_wait_until(&h->work, &h->mu, until))
			break;
	h->idle--;
	return g_queue_pop_head(&h->jobs);
}

static void *thread_main(void *data)
{
	struct handlers *h = data;
	g_mutex_lock(&h->mu);
	for (void *job = next_job(h); job; job = next_job(h)) {
		g_mutex_unlock(&h->mu);
		h->run(job, h->data);
		g_mutex_lock(&h->mu);
	}
	h->threads--;
	g_cond_signal(&h->gone);
	g_mutex_unlock(&h->mu);
	return NULL;
}

static bool start_thread(struct handlers *h)
{
	pthread_t thread;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	bool ok = pthread_create(&thread, &attr, thread_main, h) == 0;
	pthread_attr_destroy(&attr);
	return ok;
}

bool handlers_push(struct handlers *h, void *job)
{
	g_mutex_lock(&h->mu);
	bool ok = true;
	if (h->idle <= h->jobs.length) {
		ok = start_thread(h);
		h->threads += ok;
	}
	if (ok) {
		g_queue_push_tail(&h->jobs, job);
		g_cond_signal(&h->work);
	}
	g_mutex_unlock(&h->mu);
	return ok;
}

void handlers_free(struct handlers *h)
{
	g_mutex_lock(&h->mu);
	h->quit = true;
	g_cond_broadcast(&h->work);
	while (h->threads > 0)
		g_cond_wait(&h->gone, &h->mu);
	g_mutex_unlock(&h->mu);
	g_queue_clear(&h->jobs);
	g_cond_clear(&h->work);
	g_cond_clear(&h->gone);
	g_mutex_clear(&h->mu);
	g_free(h);
}
