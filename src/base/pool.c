/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "base/inherit.h"
#include "base/thread.h"

#define IDLE_US (5 * G_USEC_PER_SEC)

struct pool {
	const char *name;
	void (*run)(void *item, void *data);
	void *data;
	GMutex mu; /* guards everything below */
	GCond work;
	GCond gone;
	GQueue items;
	unsigned max, threads, idle;
	bool keep; /* keep the last thread */
	bool quit;
};

static bool grow(pool *p, GError **error);

/* Call with mu held. False if the thread may end. */
static bool next_item(pool *p, void **ret)
{
	gint64 until = g_get_monotonic_time() + IDLE_US;
	p->idle++;
	while (g_queue_is_empty(&p->items) && !p->quit) {
		if (p->keep && p->threads == 1)
			g_cond_wait(&p->work, &p->mu);
		else if (!g_cond_wait_until(&p->work, &p->mu, until) && !(p->keep && p->threads == 1))
			break;
	}
	p->idle--;
	bool have = !g_queue_is_empty(&p->items);
	if (have)
		*ret = g_queue_pop_head(&p->items);
	/* Starting a thread may have failed when later items were pushed. */
	if (p->items.length > p->idle)
		grow(p, NULL);
	return have;
}

static gpointer pool_main(gpointer data)
{
	pool *p = data;
	void *item;
	inherited_unref(inherit_replace(NULL)); /* of the thread that happened to need one more */
	g_mutex_lock(&p->mu);
	while (next_item(p, &item)) {
		g_mutex_unlock(&p->mu);
		p->run(item, p->data);
		g_mutex_lock(&p->mu);
	}
	p->threads--;
	g_cond_broadcast(&p->gone);
	g_mutex_unlock(&p->mu);
	return NULL;
}

/* Call with mu held. */
static bool grow(pool *p, GError **error)
{
	if (p->threads >= p->max)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "all %u threads for \"%s\" are in use", p->max,
				 p->name);
	GThread *thread = thread_start(p->name, pool_main, p, error);
	if (!thread)
		return false;
	g_thread_unref(thread);
	p->threads++;
	return true;
}

/* Call with mu held. */
static void add(pool *p, void *item)
{
	g_queue_push_tail(&p->items, item);
	if (p->idle > 0)
		g_cond_signal(&p->work);
}

pool *pool_new(const char *name, unsigned max_threads, void (*run)(void *item, void *data), void *data)
{
	pool *p = g_new0(pool, 1);
	p->name = name;
	p->run = run;
	p->data = data;
	p->max = MAX(max_threads, 1);
	g_mutex_init(&p->mu);
	g_cond_init(&p->work);
	g_cond_init(&p->gone);
	g_queue_init(&p->items);
	return p;
}

bool pool_keep(pool *p, GError **error)
{
	g_mutex_lock(&p->mu);
	p->keep = p->threads > 0 || grow(p, error);
	bool ok = p->keep;
	g_mutex_unlock(&p->mu);
	return ok;
}

bool pool_push(pool *p, void *item, GError **error)
{
	g_mutex_lock(&p->mu);
	bool ok = p->idle > p->items.length || grow(p, p->threads == 0 ? error : NULL) || p->threads > 0;
	if (ok)
		add(p, item);
	g_mutex_unlock(&p->mu);
	return ok;
}

bool pool_push_now(pool *p, void *item, GError **error)
{
	g_mutex_lock(&p->mu);
	bool ok = p->idle > p->items.length || grow(p, error);
	if (ok)
		add(p, item);
	g_mutex_unlock(&p->mu);
	return ok;
}

unsigned pool_threads(pool *p)
{
	g_mutex_lock(&p->mu);
	unsigned n = p->threads;
	g_mutex_unlock(&p->mu);
	return n;
}

void pool_free(pool *p)
{
	if (!p)
		return;
	g_mutex_lock(&p->mu);
	p->quit = true;
	g_cond_broadcast(&p->work);
	while (p->threads > 0)
		g_cond_wait(&p->gone, &p->mu);
	g_mutex_unlock(&p->mu);
	g_queue_clear(&p->items);
	g_cond_clear(&p->work);
	g_cond_clear(&p->gone);
	g_mutex_clear(&p->mu);
	g_free(p);
}
