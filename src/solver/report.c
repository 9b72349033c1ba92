/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Success is reported after the keys that make it durable are written: the completion of a step and the answer to a
 * request wait, in their order, for one batch of keys (no fsync). The next step runs meanwhile; its events wait, too. A
 * daemon that is killed then finds everything again that clients saw as done. A separate thread writes, because all
 * workers may be busy with steps that take hours.
 */
#include "base/log.h"
#include "base/thread.h"
#include "solver/graph.h"

#define RETRY_US (5 * G_USEC_PER_SEC) /* after a failed write, as on a full disk */

/* The completion of a step, the end of the wait of a step that began meanwhile, or the answer to a request. */
struct report {
	progress_sink *held; /* ref, or NULL: */
	progress_sink *sink; /* ref, or NULL: */
	int64_t completed_ns;
	bool cached;
	struct request *request; /* ref */
	void *result;            /* owned until sent */
	struct failure *failure; /* ref until sent */
};

static void report_clear(gpointer data)
{
	struct report *n = data;
	progress_sink_unref(n->held);
	progress_sink_unref(n->sink);
	if (n->request)
		request_unref(n->request);
}

static GArray *reports_new(void)
{
	GArray *reports = g_array_new(FALSE, FALSE, sizeof(struct report));
	g_array_set_clear_func(reports, report_clear);
	return reports;
}

void report_complete(solver *s, progress_sink *sink, int64_t completed_ns, bool cached)
{
	struct report n = {.sink = progress_sink_ref(sink), .completed_ns = completed_ns, .cached = cached};
	g_array_append_val(s->reports, n);
}

void report_answer(solver *s, struct request *r, void *result, struct failure *failure)
{
	struct report n = {.request = request_ref(r), .result = result, .failure = failure};
	g_array_append_val(s->reports, n);
}

void report_after(solver *s, progress_sink *sink)
{
	if (!sink || (s->reports->len == 0 && !s->reporting))
		return;
	struct report n = {.held = progress_sink_ref(sink)};
	progress_sink_hold(sink);
	g_array_append_val(s->reports, n);
}

/* Thread: any. */
static void reports_send(solver *s, GArray *reports)
{
	for (guint i = 0; i < reports->len; i++) {
		struct report *n = &g_array_index(reports, struct report, i);
		if (n->held)
			progress_sink_release(n->held);
		else if (n->sink)
			progress_sink_complete_at(n->sink, n->completed_ns, n->cached);
		else
			request_finish(n->request, n->result, n->failure);
	}
	g_array_set_size(reports, 0);
}

/* ---- the writer */

struct batch {
	GArray *reports; /* owned; NULL: end the thread */
};

struct written {
	bool ok;
};

static void batch_written(solver *s, void *data)
{
	g_autofree struct written *w = data;
	s->flush_running = s->reporting = false;
	s->flush_at_us = w->ok ? 0 : g_get_monotonic_time() + RETRY_US;
}

/* Cache keys that do not fit on the disk are not essential: the build continues, or fails when it is made durable. */
static bool batch_write(solver *s)
{
	const struct solver_result_class *results = s->options.results;
	g_autoptr(GError) error = NULL;
	if (results->settle)
		results->settle(s->options.data);
	if (key_store_flush(s->keys, false, &error))
		return true;
	log_warn("write cache keys: %s", error->message);
	return false;
}

static gpointer writer_run(gpointer data)
{
	solver *s = data;
	for (;;) {
		g_autofree struct batch *b = g_async_queue_pop(s->batches);
		if (!b->reports)
			return NULL;
		struct written w = {.ok = batch_write(s)};
		reports_send(s, b->reports);
		g_array_unref(b->reports);
		solver_post(s, batch_written, g_memdup2(&w, sizeof w));
	}
}

static void batch_push(solver *s, GArray *reports)
{
	struct batch *b = g_new(struct batch, 1);
	b->reports = reports;
	g_async_queue_push(s->batches, b);
}

bool report_start(solver *s, GError **error)
{
	s->reports = reports_new();
	s->batches = g_async_queue_new();
	s->writer = thread_start("keys", writer_run, s, error);
	return s->writer;
}

void report_stop(solver *s)
{
	batch_push(s, NULL);
	if (s->writer)
		g_thread_join(s->writer);
	reports_send(s, s->reports);
	g_array_unref(s->reports);
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

void report_turn(solver *s)
{
	if (s->flush_running)
		return;
	bool due = flush_is_due(s);
	if (s->reports->len > 0 && s->flush_at_us == 0) { /* there is nothing to write */
		reports_send(s, s->reports);
		return;
	}
	if (!due && s->reports->len == 0)
		return;
	s->flush_at_us = 0;
	s->flush_running = true;
	s->reporting = s->reports->len > 0;
	batch_push(s, s->reports);
	s->reports = reports_new();
}
