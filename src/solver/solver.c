/* SPDX-License-Identifier: Apache-2.0 */
/* The solver thread: processes messages, evaluates edges until nothing changes, and has keys written asynchronously. */
#include "solver/graph.h"
#include "base/thread.h"

struct message {
	message_fn fn;
	void *data;
};
struct deferred {
	void (*fn)(solver *s, void *data);
	void *data;
};
/* An item of the pool: a task, or the deferred calls of a turn. */
struct pool_item {
	struct task *task;
	GArray *deferred; /* owned */
};

void solver_post(solver *s, message_fn fn, void *data)
{
	struct message *m = g_new(struct message, 1);
	m->fn = fn;
	m->data = data;
	g_async_queue_push(s->messages, m);
}

static void deferred_run(solver *s, GArray *calls)
{
	for (guint i = 0; i < calls->len; i++) {
		struct deferred d = g_array_index(calls, struct deferred, i);
		d.fn(s, d.data);
	}
}

static void pool_item_run(void *item, void *data)
{
	solver *s = data;
	struct pool_item *p = item;
	if (p->task) {
		task_run(p->task);
		solver_post(s, task_done, p->task);
	} else {
		deferred_run(s, p->deferred);
		g_array_unref(p->deferred);
	}
	g_free(p);
}

void solver_pool_push(solver *s, struct task *t)
{
	struct pool_item *p = g_new0(struct pool_item, 1);
	p->task = t;
	pool_push(s->pool, p, NULL); /* cannot fail after pool_keep */
}

void solver_defer(solver *s, void (*fn)(solver *s, void *data), void *data)
{
	struct deferred d = {.fn = fn, .data = data};
	g_array_append_val(s->deferred, d);
}

/* One item for the calls of a turn: the end of a large build defers thousands, and each item wakes a worker. */
static void deferred_push(solver *s)
{
	if (s->deferred->len == 0)
		return;
	struct pool_item *p = g_new0(struct pool_item, 1);
	p->deferred = g_steal_pointer(&s->deferred);
	s->deferred = g_array_new(FALSE, FALSE, sizeof(struct deferred));
	pool_push(s->pool, p, NULL);
}

void *result_ref(solver *s, void *result)
{
	return result ? s->options.results->ref(result) : NULL;
}

static void deferred_unref(solver *s, void *result)
{
	s->options.results->unref(result);
}

void result_unref_later(solver *s, void *result)
{
	if (result)
		solver_defer(s, deferred_unref, result);
}

bool solver_sync(solver *s, GError **error)
{
	return key_store_flush(s->keys, true, error);
}

/* ---- the thread */

static struct message *next_message(solver *s)
{
	if (s->flush_at_us == 0 || s->flush_running) /* a running flush ends with a message */
		return g_async_queue_pop(s->messages);
	gint64 wait = s->flush_at_us - g_get_monotonic_time();
	return wait > 0 ? g_async_queue_timeout_pop(s->messages, (guint64)wait) : g_async_queue_try_pop(s->messages);
}

void solver_post_and_wait(solver *s, message_fn fn, void *data, struct solver_wait *wait)
{
	wait->done = false;
	g_mutex_init(&wait->mu);
	g_cond_init(&wait->changed);
	solver_post(s, fn, data);
	g_mutex_lock(&wait->mu);
	while (!wait->done)
		g_cond_wait(&wait->changed, &wait->mu);
	g_mutex_unlock(&wait->mu);
	g_mutex_clear(&wait->mu);
	g_cond_clear(&wait->changed);
}

void solver_wait_end(struct solver_wait *wait)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&wait->mu);
	wait->done = true;
	g_cond_signal(&wait->changed);
}

static void stop(solver *s, void *data)
{
	*(bool *)data = true;
}

static gpointer run(gpointer data)
{
	solver *s = data;
	bool stopped = false;
	while (!stopped) {
		g_autofree struct message *m = next_message(s);
		if (m && m->fn == stop)
			stopped = true;
		else if (m)
			m->fn(s, m->data);
		for (struct edge *e; (e = g_queue_pop_head(&s->dirty));) {
			e->queued = false;
			edge_evaluate(e);
		}
		report_turn(s);
		deferred_push(s);
	}
	return NULL;
}

static void solver_clear(solver *s)
{
	report_stop(s);
	pool_free(s->pool);
	/* Messages that arrived while the pool was shut down: tasks of detached vertices. */
	for (struct message *m; (m = g_async_queue_try_pop(s->messages)); g_free(m))
		m->fn(s, m->data);
	deferred_run(s, s->deferred);
	g_array_unref(s->deferred);
	key_store_close(s->keys);
	g_async_queue_unref(s->messages);
	g_hash_table_unref(s->active);
	g_hash_table_unref(s->edge_index);
	g_hash_table_unref(s->jobs);
	g_cond_clear(&s->emptied);
	g_mutex_clear(&s->mu);
	g_free(s);
}

solver *solver_new(const struct solver_options *options, GError **error)
{
	key_store *keys = key_store_open(options->root_fd, error);
	if (!keys)
		return NULL;
	solver *s = g_new0(solver, 1);
	s->options = *options;
	s->keys = keys;
	s->messages = g_async_queue_new();
	s->deferred = g_array_new(FALSE, FALSE, sizeof(struct deferred));
	int threads = options->max_threads > 0 ? options->max_threads : MAX(128, 16 * (int)g_get_num_processors());
	s->pool = pool_new("solver pool", (unsigned)threads, pool_item_run, s);
	s->active = g_hash_table_new(g_str_hash, g_str_equal);
	s->edge_index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	g_queue_init(&s->dirty);
	g_queue_init(&s->slot_queue);
	g_mutex_init(&s->mu);
	g_cond_init(&s->emptied);
	s->jobs = g_hash_table_new(g_str_hash, g_str_equal);
	bool ok = report_start(s, error) && pool_keep(s->pool, error);
	s->thread = ok ? thread_start("solver", run, s, error) : NULL;
	if (s->thread)
		return s;
	solver_clear(s);
	return NULL;
}

void solver_free(solver *s)
{
	if (!s)
		return;
	g_mutex_lock(&s->mu);
	while (g_atomic_int_get(&s->n_vertices) > 0) /* canceled tasks end */
		g_cond_wait(&s->emptied, &s->mu);
	g_mutex_unlock(&s->mu);
	solver_post(s, stop, NULL);
	g_thread_join(s->thread);
	solver_clear(s);
}

static void forget(solver *s, void *data)
{
	g_autofree char *id = data;
	key_store_forget(s->keys, id);
}

void solver_forget_result(solver *s, const char *id)
{
	solver_post(s, forget, g_strdup(id));
}

struct solver_stats solver_get_stats(solver *s)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	return (struct solver_stats){
		.vertices = (size_t)g_atomic_int_get(&s->n_vertices),
		.running = (size_t)g_atomic_int_get(&s->running),
		.jobs = g_hash_table_size(s->jobs),
		.requests = (size_t)g_atomic_int_get(&s->n_requests),
	};
}
