/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"
#include "base/inherit.h"
#include "base/limits.h"

struct start {
	GThreadFunc fn;
	void *data;
	inherited *object; /* ref */
};

static gint n_threads;  /* atomic */
static gint test_limit; /* atomic; 0: none */

unsigned thread_count(void)
{
	return (unsigned)g_atomic_int_get(&n_threads);
}

void thread_set_limit(unsigned limit)
{
	g_atomic_int_set(&test_limit, (gint)limit);
}

static gint max_threads_now(void)
{
	gint limit = g_atomic_int_get(&test_limit);
	return limit ? limit : (gint)LIMIT_THREADS;
}

static gpointer thread_main(gpointer data)
{
	struct start start = *(struct start *)data;
	g_free(data);
	inherit_replace(start.object);
	gpointer ret = start.fn(start.data);
	inherited_unref(inherit_replace(NULL));
	g_atomic_int_add(&n_threads, -1);
	return ret;
}

GThread *thread_start(const char *name, GThreadFunc fn, void *data, GError **error)
{
	gint limit = max_threads_now();
	if (g_atomic_int_add(&n_threads, 1) >= limit) {
		g_atomic_int_add(&n_threads, -1);
		return error_null(error, ERROR_RESOURCE_EXHAUSTED,
				  "start thread \"%s\": the limit of %d threads is reached", name, limit);
	}
	struct start *start = g_new(struct start, 1);
	*start = (struct start){fn, data, inherited_ref(inherit_get())};
	g_autoptr(GError) why = NULL;
	GThread *thread = g_thread_try_new(name, thread_main, start, &why);
	if (thread)
		return thread;
	inherited_unref(start->object);
	g_free(start);
	g_atomic_int_add(&n_threads, -1);
	return error_null(error, ERROR_RESOURCE_EXHAUSTED,
			  "start thread \"%s\": %s (see pids.max of the cgroup, TasksMax= of the unit, ulimit -u)",
			  name, why->message);
}

/* ---- thread_each */

#define HELPERS_MAX 64

struct each {
	void (*fn)(void *data, size_t i);
	void *data;
	size_t n;
	gsize next; /* atomic */
};

static gpointer each_run(gpointer data)
{
	struct each *e = data;
	for (size_t i = g_atomic_pointer_add(&e->next, 1); i < e->n; i = g_atomic_pointer_add(&e->next, 1))
		e->fn(e->data, i);
	return NULL;
}

void thread_each(size_t n, size_t max_threads, void (*fn)(void *data, size_t i), void *data)
{
	struct each e = {.fn = fn, .data = data, .n = n};
	GThread *helpers[HELPERS_MAX];
	size_t wanted = MIN(MIN(n, max_threads), HELPERS_MAX + 1);
	size_t started = 0;
	while (started + 1 < wanted && (helpers[started] = thread_start("each", each_run, &e, NULL)))
		started++;
	each_run(&e);
	for (size_t i = 0; i < started; i++)
		g_thread_join(helpers[i]);
}
