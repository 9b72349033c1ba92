/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/event.h"
#include "base/hash_walk.h"
#include <string.h>

/* State of a vertex in a log: enough for implicit events and counts. */
struct log_vertex {
	struct event *last; /* ref; the last vertex event */
	bool seen_cached;   /* it, or a vertex that depends on it, was cached */
	bool counted_cached, counted_completed;
};

struct progress_log {
	gint refs;
	GMutex mu; /* guards everything below */
	GCond more;
	unsigned waiting;     /* number of readers that wait for a first event */
	GPtrArray *armed;     /* of progress_reader *, borrowed: to be notified of the next event */
	GPtrArray *followers; /* of progress_reader *, borrowed: to be notified of the end */
	bool closed;
	GPtrArray *events;    /* struct event, ref */
	guint read_to;        /* highest position of any reader */
	GHashTable *vertices; /* digest (of the info) to struct log_vertex */
	GHashTable *statuses; /* status event to itself, by vertex and id; value: index in events + 1 */
	struct progress_counts counts;
};

static guint status_hash(gconstpointer p)
{
	const struct event *e = p;
	return g_str_hash(e->public.vertex) * 31 + g_str_hash(e->public.status.id);
}

static gboolean status_equal(gconstpointer a, gconstpointer b)
{
	const struct event *x = a, *y = b;
	return strcmp(x->public.vertex, y->public.vertex) == 0 && strcmp(x->public.status.id, y->public.status.id) == 0;
}

static void log_vertex_free(gpointer data)
{
	struct log_vertex *v = data;
	event_unref(v->last);
	g_free(v);
}

progress_log *progress_log_new(void)
{
	progress_log *log = g_new0(progress_log, 1);
	log->refs = 1;
	g_mutex_init(&log->mu);
	g_cond_init(&log->more);
	log->armed = g_ptr_array_new();
	log->followers = g_ptr_array_new();
	log->events = g_ptr_array_new_with_free_func((GDestroyNotify)event_unref);
	log->vertices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, log_vertex_free);
	log->statuses = g_hash_table_new_full(status_hash, status_equal, (GDestroyNotify)event_unref, NULL);
	return log;
}

progress_log *progress_log_ref(progress_log *log)
{
	g_atomic_int_inc(&log->refs);
	return log;
}

void progress_log_unref(progress_log *log)
{
	if (!log || !g_atomic_int_dec_and_test(&log->refs))
		return;
	g_ptr_array_unref(log->armed);
	g_ptr_array_unref(log->followers);
	g_ptr_array_unref(log->events);
	g_hash_table_unref(log->vertices);
	g_hash_table_unref(log->statuses);
	g_cond_clear(&log->more);
	g_mutex_clear(&log->mu);
	g_free(log);
}

struct progress_reader {
	progress_log *log; /* ref */
	cancel *cancel;    /* ref, or NULL */
	cancel_watch watch;
	guint next;
	void (*notify)(void *data, bool end); /* NULL: the reader waits */
	void *notify_data;
};

/* ---- appending, locked */

static void push(progress_log *log, struct event *e)
{
	g_ptr_array_add(log->events, event_ref(e));
	if (log->waiting > 0)
		g_cond_broadcast(&log->more);
	for (guint i = 0; i < log->armed->len; i++) {
		progress_reader *r = log->armed->pdata[i];
		r->notify(r->notify_data, false);
	}
	g_ptr_array_set_size(log->armed, 0);
}

/* A counter that no reader has read yet is overwritten: a slow reader only sees its last value. */
static void push_status(progress_log *log, struct event *e)
{
	guint at = GPOINTER_TO_UINT(g_hash_table_lookup(log->statuses, e));
	if (at > 0 && at - 1 >= log->read_to) {
		event_unref(log->events->pdata[at - 1]);
		log->events->pdata[at - 1] = event_ref(e);
	} else {
		push(log, e);
		at = log->events->len;
	}
	g_hash_table_replace(log->statuses, event_ref(e), GUINT_TO_POINTER(at));
}

static struct log_vertex *vertex_note(progress_log *log, struct event *e)
{
	struct log_vertex *v = g_hash_table_lookup(log->vertices, e->public.vertex);
	if (!v) {
		v = g_new0(struct log_vertex, 1);
		g_hash_table_insert(log->vertices, g_strdup(e->public.vertex), v);
		log->counts.total++;
	} else {
		event_unref(v->last);
	}
	v->last = event_ref(e);
	if (e->public.v.cached && !v->counted_cached) {
		v->counted_cached = true;
		log->counts.cached++;
	}
	if (e->public.v.completed_ns != 0 && !v->counted_completed) {
		v->counted_completed = true;
		log->counts.completed++;
	}
	return v;
}

/* Marks everything that a cached vertex depends on as cached, each vertex once. */
static void mark_cached(progress_log *log, struct log_vertex *first)
{
	g_autoptr(GPtrArray) stack = g_ptr_array_new();
	g_ptr_array_add(stack, first);
	while (stack->len > 0) {
		struct log_vertex *v = g_ptr_array_steal_index_fast(stack, stack->len - 1);
		if (v->seen_cached)
			continue;
		v->seen_cached = true;
		for (size_t i = 0; i < v->last->info->n_inputs; i++) {
			struct log_vertex *in = g_hash_table_lookup(log->vertices, v->last->info->inputs[i]);
			if (in && !in->seen_cached)
				g_ptr_array_add(stack, in);
		}
	}
}

static bool is_unfinished(const struct log_vertex *v)
{
	return v && !v->last->public.v.cached && v->last->public.v.completed_ns == 0;
}

/*
 * A vertex that starts has all of its inputs: inputs that never completed came from the cache without being loaded, and
 * so did their inputs. Events of inputs are written before the vertex.
 */
static void push_vertex(progress_log *log, struct event *first)
{
	g_autoptr(GPtrArray) implied = g_ptr_array_new_with_free_func((GDestroyNotify)event_unref);
	g_ptr_array_add(implied, event_ref(first));
	for (guint next = 0; next < implied->len; next++) {
		struct event *e = implied->pdata[next];
		struct log_vertex *v = vertex_note(log, e);
		for (size_t i = 0; i < e->info->n_inputs && e->public.v.started_ns != 0; i++) {
			struct log_vertex *in = g_hash_table_lookup(log->vertices, e->info->inputs[i]);
			if (!is_unfinished(in))
				continue;
			struct vertex_times at = {.started_ns = e->public.v.started_ns,
						  .completed_ns = e->public.v.started_ns,
						  .cached = true};
			struct event *cached = event_new_vertex(in->last->info, &at);
			event_unref(in->last); /* recorded now, so that another user of it finds it completed */
			in->last = event_ref(cached);
			g_ptr_array_add(implied, cached);
		}
		if (e->public.v.cached)
			mark_cached(log, v);
	}
	for (guint i = implied->len; i > 0; i--)
		push(log, implied->pdata[i - 1]);
}

void log_append(progress_log *log, struct event *e)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&log->mu);
	if (log->closed)
		return;
	if (e->public.type == PROGRESS_VERTEX) {
		push_vertex(log, e);
	} else if (e->public.type == PROGRESS_STATUS) {
		push_status(log, e);
	} else {
		log->counts.warnings += e->public.type == PROGRESS_WARNING;
		push(log, e);
	}
}

void progress_log_close(progress_log *log)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&log->mu);
	if (log->closed)
		return;
	for (struct hash_walk it = hash_walk(log->vertices); hash_walk_next(&it);) {
		struct log_vertex *v = it.value;
		const struct progress_vertex *last = &v->last->public.v;
		if (last->started_ns == 0 || last->completed_ns != 0)
			continue;
		struct vertex_times end = {.started_ns = last->started_ns,
					   .completed_ns = progress_now_ns(),
					   .cached = last->cached,
					   .error = v->seen_cached ? NULL : "context canceled"};
		struct event *e = event_new_vertex(v->last->info, &end);
		vertex_note(log, e);
		push(log, e);
		event_unref(e);
	}
	log->closed = true;
	g_cond_broadcast(&log->more);
	for (guint i = 0; i < log->followers->len; i++) {
		progress_reader *r = log->followers->pdata[i];
		r->notify(r->notify_data, true);
	}
}

struct progress_counts progress_log_counts(progress_log *log)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&log->mu);
	return log->counts;
}

/* ---- readers */

progress_reader *progress_reader_new(progress_log *log, cancel *c)
{
	progress_reader *r = g_new0(progress_reader, 1);
	r->log = progress_log_ref(log);
	if (c) {
		r->cancel = cancel_ref(c);
		cancel_watch_start(&r->watch, c, &log->mu, &log->more);
	}
	return r;
}

void progress_reader_free(progress_reader *r)
{
	if (!r)
		return;
	cancel_watch_clear(&r->watch);
	if (r->notify) {
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->log->mu);
		g_ptr_array_remove_fast(r->log->armed, r);
		g_ptr_array_remove_fast(r->log->followers, r);
	}
	g_clear_pointer(&r->cancel, cancel_unref);
	progress_log_unref(r->log);
	g_free(r);
}

/* Call locked. False: the end. */
static bool wait_for_events(progress_reader *r, int wait_ms)
{
	progress_log *log = r->log;
	while (r->next == log->events->len) {
		if (log->closed || cancel_is_set(r->cancel))
			return false;
		log->waiting++;
		g_cond_wait(&log->more, &log->mu);
		log->waiting--;
	}
	gint64 until = g_get_monotonic_time() + (gint64)wait_ms * 1000;
	while (wait_ms > 0 && !log->closed && !cancel_is_set(r->cancel))
		if (!g_cond_wait_until(&log->more, &log->mu, until))
			break;
	return !cancel_is_set(r->cancel);
}

/* Call locked. */
static GPtrArray *take(progress_reader *r)
{
	progress_log *log = r->log;
	GPtrArray *batch = g_ptr_array_new_full(log->events->len - r->next, (GDestroyNotify)event_unref);
	while (r->next < log->events->len)
		g_ptr_array_add(batch, event_ref(log->events->pdata[r->next++]));
	log->read_to = MAX(log->read_to, r->next);
	return batch;
}

GPtrArray *progress_reader_next(progress_reader *r, int wait_ms)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->log->mu);
	return wait_for_events(r, wait_ms) ? take(r) : NULL;
}

void progress_reader_set_notify(progress_reader *r, void (*notify)(void *data, bool end), void *data)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&r->log->mu);
	r->notify = notify;
	r->notify_data = data;
	g_ptr_array_add(r->log->followers, r);
}

GPtrArray *progress_reader_take(progress_reader *r, bool *ret_end)
{
	progress_log *log = r->log;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&log->mu);
	*ret_end = r->next == log->events->len && log->closed;
	if (r->next < log->events->len)
		return take(r);
	if (!*ret_end && !g_ptr_array_find(log->armed, r, NULL))
		g_ptr_array_add(log->armed, r);
	return NULL;
}
