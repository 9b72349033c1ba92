/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Success is told after what makes it last is written: the end of a step and the answer to a request wait, in the order
 * in which they came about, for one batch of keys (no fsync). A daemon that is killed then finds again what clients have
 * seen as done. A separate thread writes, because workers may all be busy with steps that take hours.
 */
#include "base/log.h"
#include "base/thread.h"
#include "solver/graph.h"

#define RETRY_US (5 * G_USEC_PER_SEC) /* after a write that failed, as on a full disk */

/* The end of a step, the answer to a request, or a task that starts after what was told before it. */
struct news {
	struct task *task;   /* borrowed, or NULL: */
	progress_sink *sink; /* ref, or NULL: */
	int64_t completed_ns;
	bool cached;
	struct request *request; /* ref */
	void *result;            /* owned until told */
	struct failure *failure; /* ref until told */
};

static void news_clear(gpointer data)
{
	struct news *n = data;
	progress_sink_unref(n->sink);
	if (n->request)
		request_unref(n->request);
}

static GArray *news_new(void)
{
	GArray *news = g_array_new(FALSE, FALSE, sizeof(struct news));
	g_array_set_clear_func(news, news_clear);
	return news;
}

void tell_complete(solver *s, progress_sink *sink, int64_t completed_ns, bool cached)
{
	struct news n = {.sink = progress_sink_ref(sink), .completed_ns = completed_ns, .cached = cached};
	g_array_append_val(s->news, n);
}

void tell_answer(solver *s, struct request *r, void *result, struct failure *failure)
{
	struct news n = {.request = request_ref(r), .result = result, .failure = failure};
	g_array_append_val(s->news, n);
}

bool tell_is_pending(const solver *s)
{
	return s->news->len > 0 || s->telling;
}

void tell_then_dispatch(solver *s, struct task *t)
{
	struct news n = {.task = t};
	g_array_append_val(s->news, n);
}

/* Thread: any. */
static void tell_all(solver *s, GArray *news)
{
	for (guint i = 0; i < news->len; i++) {
		struct news *n = &g_array_index(news, struct news, i);
		if (n->task)
			solver_post(s, task_dispatch, n->task);
		else if (n->sink)
			progress_sink_complete_at(n->sink, n->completed_ns, n->cached);
		else
			request_finish(n->request, n->result, n->failure);
	}
	g_array_set_size(news, 0);
}

/* ---- the writer */

struct batch {
	GArray *news; /* owned; NULL: the end */
};

struct written {
	bool ok;
};

static void batch_written(solver *s, void *data)
{
	g_autofree struct written *w = data;
	s->flush_running = s->telling = false;
	s->flush_at_us = w->ok ? 0 : g_get_monotonic_time() + RETRY_US;
}

/* What does not fit on the disk is only cache: the build ends with the error when it is made durable, or goes on. */
static bool batch_write(solver *s)
{
	const struct solver_result_class *results = s->options.results;
	g_autoptr(GError) error = NULL;
	if (results->settle)
		results->settle(s->options.data);
	if (key_store_flush(s->keys, false, &error))
		return true;
	log_warn("cache keys cannot be written: %s", error->message);
	return false;
}

static gpointer writer_run(gpointer data)
{
	solver *s = data;
	for (;;) {
		g_autofree struct batch *b = g_async_queue_pop(s->batches);
		if (!b->news)
			return NULL;
		struct written w = {.ok = batch_write(s)};
		tell_all(s, b->news);
		g_array_unref(b->news);
		solver_post(s, batch_written, g_memdup2(&w, sizeof w));
	}
}

static void batch_push(solver *s, GArray *news)
{
	struct batch *b = g_new(struct batch, 1);
	b->news = news;
	g_async_queue_push(s->batches, b);
}

bool tell_start(solver *s, GError **error)
{
	s->news = news_new();
	s->batches = g_async_queue_new();
	s->writer = thread_start("keys", writer_run, s, error);
	return s->writer;
}

void tell_stop(solver *s)
{
	batch_push(s, NULL);
	if (s->writer)
		g_thread_join(s->writer);
	tell_all(s, s->news);
	g_array_unref(s->news);
	g_async_queue_unref(s->batches);
}

/* ---- at the end of each turn of the solver thread */

/* Keys that no task waits for are collected for a while. */
static bool flush_is_due(solver *s)
{
	if (!key_store_needs_flush(s->keys)) {
		s->flush_at_us = 0;
		return false;
	}
	gint64 now = g_get_monotonic_time();
	if (s->flush_at_us == 0)
		s->flush_at_us = now + FLUSH_DELAY_US;
	return now >= s->flush_at_us;
}

void tell_turn(solver *s)
{
	if (s->flush_running)
		return;
	bool due = flush_is_due(s);
	if (s->news->len > 0 && s->flush_at_us == 0) { /* nothing is to be written */
		tell_all(s, s->news);
		return;
	}
	if (!due && s->news->len == 0)
		return;
	s->flush_at_us = 0;
	s->flush_running = true;
	s->telling = s->news->len > 0;
	batch_push(s, s->news);
	s->news = news_new();
}
