/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/event.h"
#include "base/time.h"
#include <string.h>
#include <time.h>

#define TRANSFER_INTERVAL_US (100 * 1000)

struct progress_sink {
	gint refs;
	struct vertex_info *info;
	GMutex mu;         /* guards the following members; taken before that of a log */
	GPtrArray *logs;   /* of progress_log, ref */
	GPtrArray *events; /* of struct event, ref: for logs added later */
	guint n_sent;      /* events that the logs have; the rest is sent when the sink is not held */
	guint held;
	int64_t started_ns, completed_ns;
	bool cached; /* as last reported */
};

int64_t progress_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return timespec_to_ns(&now);
}

progress_sink *progress_sink_new(const struct progress_vertex *vertex)
{
	progress_sink *s = g_new0(progress_sink, 1);
	s->refs = 1;
	s->info = vertex_info_new(vertex);
	g_mutex_init(&s->mu);
	s->logs = g_ptr_array_new_with_free_func((GDestroyNotify)progress_log_unref);
	s->events = g_ptr_array_new_with_free_func((GDestroyNotify)event_unref);
	return s;
}

progress_sink *progress_sink_ref(progress_sink *s)
{
	if (s)
		g_atomic_int_inc(&s->refs);
	return s;
}

void progress_sink_unref(progress_sink *s)
{
	if (!s || !g_atomic_int_dec_and_test(&s->refs))
		return;
	vertex_info_unref(s->info);
	g_ptr_array_unref(s->logs);
	g_ptr_array_unref(s->events);
	g_mutex_clear(&s->mu);
	g_free(s);
}

const char *progress_sink_digest(const progress_sink *s)
{
	return s ? s->info->digest : NULL;
}

/* Locked. */
static void send_events(progress_sink *s)
{
	for (; s->held == 0 && s->n_sent < s->events->len; s->n_sent++)
		for (guint i = 0; i < s->logs->len; i++)
			log_append(s->logs->pdata[i], s->events->pdata[s->n_sent]);
}

/* Takes the event. Locked. */
static void emit(progress_sink *s, struct event *e)
{
	g_ptr_array_add(s->events, e);
	send_events(s);
}

void progress_sink_hold(progress_sink *s)
{
	if (!s)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	s->held++;
}

void progress_sink_release(progress_sink *s)
{
	if (!s)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	s->held--;
	send_events(s);
}

void progress_sink_add(progress_sink *s, progress_log *log)
{
	if (!s || !log)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	if (g_ptr_array_find(s->logs, log, NULL))
		return;
	g_ptr_array_add(s->logs, progress_log_ref(log));
	if (s->events->len == 0)
		g_ptr_array_add(s->events, event_new_vertex(s->info, &(struct vertex_times){0}));
	for (guint i = 0; i < s->n_sent; i++)
		log_append(log, s->events->pdata[i]);
	send_events(s);
}

void progress_sink_remove(progress_sink *s, progress_log *log)
{
	if (!s)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	g_ptr_array_remove_fast(s->logs, log);
}

/* Locked. */
static void emit_vertex(progress_sink *s, const char *error, bool cached)
{
	s->cached = cached;
	emit(s, event_new_vertex(s->info, &(struct vertex_times){
						  .started_ns = s->started_ns,
						  .completed_ns = s->completed_ns,
						  .cached = cached,
						  .error = error,
					  }));
}

static void sink_start(progress_sink *s, bool cached)
{
	if (!s)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	if (s->started_ns != 0 && s->completed_ns == 0)
		return;
	s->started_ns = progress_now_ns();
	s->completed_ns = 0;
	emit_vertex(s, NULL, cached);
}

void progress_sink_start(progress_sink *s)
{
	sink_start(s, false);
}

void progress_sink_start_cached(progress_sink *s)
{
	sink_start(s, true);
}

static void sink_complete(progress_sink *s, int64_t now, const char *error, bool cached)
{
	if (!s)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	if (s->started_ns == 0 || s->completed_ns != 0)
		s->started_ns = now;
	s->completed_ns = MAX(now, s->started_ns);
	emit_vertex(s, error, cached);
}

void progress_sink_complete(progress_sink *s, const char *error, bool cached)
{
	sink_complete(s, progress_now_ns(), error, cached);
}

void progress_sink_complete_at(progress_sink *s, int64_t completed_ns, bool cached)
{
	sink_complete(s, completed_ns, NULL, cached);
}

bool progress_sink_is_open(const progress_sink *s)
{
	if (!s)
		return false;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new((GMutex *)&s->mu);
	return s->started_ns != 0 && s->completed_ns == 0;
}

bool progress_sink_is_cached(const progress_sink *s)
{
	if (!s)
		return false;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new((GMutex *)&s->mu);
	return s->cached;
}

static void emit_locking(progress_sink *s, struct event *e)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	emit(s, e);
}

/* The index of an earlier status with the same id, which is near the end; the number of events if there is none. Locked. */
static guint find_status(const progress_sink *s, const struct event *e)
{
	for (guint i = s->events->len; i > 0 && s->events->len - i <= 64; i--) {
		const struct event *old = s->events->pdata[i - 1];
		if (old->public.type != PROGRESS_STATUS)
			break;
		if (strcmp(old->public.status.id, e->public.status.id) == 0)
			return i - 1;
	}
	return s->events->len;
}

void progress_status(progress_sink *s, const struct progress_status *status)
{
	if (!s)
		return;
	struct event *e = event_new_status(s->info, status);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&s->mu);
	guint i = find_status(s, e);
	/* Only the last value of a counter is kept; a value that was sent stays before those that are held. */
	if (i == s->events->len || (s->held > 0 && i < s->n_sent)) {
		emit(s, e);
		return;
	}
	for (guint k = 0; i < s->n_sent && k < s->logs->len; k++)
		log_append(s->logs->pdata[k], e);
	event_unref(s->events->pdata[i]);
	s->events->pdata[i] = e;
}

void progress_status_start(progress_sink *s, const char *id, const char *name, int64_t *ret_started_ns)
{
	*ret_started_ns = progress_now_ns();
	progress_status(s, &(struct progress_status){.id = id, .name = name, .started_ns = *ret_started_ns});
}

void progress_status_end(progress_sink *s, const char *id, const char *name, int64_t started_ns)
{
	progress_status(s,
			&(struct progress_status){
				.id = id, .name = name, .started_ns = started_ns, .completed_ns = progress_now_ns()});
}

void progress_transfer_report(void *data, int64_t bytes, bool done)
{
	struct progress_transfer *t = data;
	int64_t now_us = g_get_monotonic_time();
	if (!done && now_us < t->next_us)
		return;
	t->next_us = now_us + TRANSFER_INTERVAL_US;
	if (!t->started_ns)
		t->started_ns = progress_now_ns();
	progress_status(t->sink, &(struct progress_status){.id = t->id,
							   .name = t->name,
							   .current = bytes,
							   .total = t->total >= 0 ? t->total
								    : done        ? bytes
										  : 0,
							   .started_ns = t->started_ns,
							   .completed_ns = done ? progress_now_ns() : 0});
}

void progress_output(progress_sink *s, int stream, const void *bytes, size_t n)
{
	if (s && n > 0)
		emit_locking(s, event_new_output(s->info, stream, bytes, n));
}

void progress_warn(progress_sink *s, const struct progress_warning *warning)
{
	if (s)
		emit_locking(s, event_new_warning(s->info, warning));
}

void progress_log_warn(progress_log *log, const char *digest, const struct progress_warning *warning)
{
	struct vertex_info *info = vertex_info_new(&(struct progress_vertex){.digest = digest, .name = ""});
	struct event *e = event_new_warning(info, warning);
	log_append(log, e);
	event_unref(e);
	vertex_info_unref(info);
}
