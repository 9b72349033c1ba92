/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/exporter.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "otlp/sender.h"

#define QUEUE_BYTES MIB(16)
#define MESSAGE_BYTES MIB(3) /* collectors usually accept 4 MiB */
#define FIRST_RETRY_MS 500
#define LOG_EVERY_US (60 * G_USEC_PER_SEC)

struct otlp_exporter {
	const struct otlp_config *config; /* borrowed */
	otlp_sender *sender;              /* owned; used by the thread */
	cancel *stop;                     /* owned; set when the time to end is over */
	GThread *thread;
	gint64 logged_us; /* used by the thread; time of the last line; 0: none */
	GMutex mu;        /* guards everything below */
	GCond changed;
	GQueue queue; /* struct trace_record * (refs) */
	size_t bytes; /* in the queue */
	bool stopping;
	struct otlp_counts counts;
};

/* ---- the queue */

void otlp_exporter_add(void *data, struct trace_record *r)
{
	otlp_exporter *e = data;
	g_mutex_lock(&e->mu);
	bool fits = e->queue.length < (guint)e->config->queue_spans && e->bytes + r->n <= QUEUE_BYTES;
	if (fits) {
		g_queue_push_tail(&e->queue, trace_record_ref(r));
		e->bytes += r->n;
	} else {
		e->counts.dropped++;
	}
	/* Otherwise the thread wakes up when the delay is over. */
	if (e->queue.length == (guint)e->config->batch_spans || e->queue.length == 1)
		g_cond_signal(&e->changed);
	g_mutex_unlock(&e->mu);
}

/* Requires mu. */
static GPtrArray *take_batch(otlp_exporter *e)
{
	GPtrArray *batch = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	size_t bytes = 0;
	while (!g_queue_is_empty(&e->queue) && batch->len < (guint)e->config->batch_spans && bytes < MESSAGE_BYTES) {
		struct trace_record *r = g_queue_pop_head(&e->queue);
		bytes += r->n;
		e->bytes -= r->n;
		g_ptr_array_add(batch, r);
	}
	return batch;
}

/* Waits until a batch is full, the oldest span has waited for the delay, or the exporter ends. NULL: the end. */
static GPtrArray *next_batch(otlp_exporter *e)
{
	g_mutex_lock(&e->mu);
	while (g_queue_is_empty(&e->queue) && !e->stopping)
		g_cond_wait(&e->changed, &e->mu);
	gint64 due_us = g_get_monotonic_time() + e->config->delay_ms * 1000;
	while (e->queue.length < (guint)e->config->batch_spans && !e->stopping)
		if (!g_cond_wait_until(&e->changed, &e->mu, due_us))
			break;
	GPtrArray *batch = g_queue_is_empty(&e->queue) ? NULL : take_batch(e);
	g_mutex_unlock(&e->mu);
	return batch;
}

/* ---- sending */

static void log_failure(otlp_exporter *e, guint n, const GError *why)
{
	gint64 now = g_get_monotonic_time();
	if (e->logged_us != 0 && now < e->logged_us + LOG_EVERY_US)
		return;
	e->logged_us = now;
	log_warn("%u spans are lost: export traces to %s: %s", n, e->config->endpoint, why->message);
}

/* While the collector does not accept it, the queue takes further spans. */
static bool send_batch(otlp_exporter *e, GBytes *message, int64_t *ret_rejected, GError **error)
{
	gint64 until_us = g_get_monotonic_time() + e->config->export_ms * 1000;
	for (int64_t wait_ms = FIRST_RETRY_MS;; wait_ms *= 2) {
		bool again = false;
		g_autoptr(GError) why = NULL;
		if (otlp_sender_send(e->sender, message, e->stop, ret_rejected, &again, &why))
			return true;
		if (!again || g_get_monotonic_time() + wait_ms * 1000 > until_us ||
		    !cancel_sleep(e->stop, wait_ms, NULL))
			return error_propagate(error, g_steal_pointer(&why));
	}
}

static void export_batch(otlp_exporter *e, const GPtrArray *batch)
{
	int64_t rejected = 0;
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) message = trace_pack(batch, 0, batch->len);
	bool ok = send_batch(e, message, &rejected, &why);
	rejected = MIN(rejected, (int64_t)batch->len);
	g_mutex_lock(&e->mu);
	e->counts.sent += ok ? batch->len - (guint)rejected : 0;
	e->counts.rejected += (uint64_t)rejected;
	e->counts.failed += ok ? 0 : batch->len;
	g_mutex_unlock(&e->mu);
	if (!ok)
		log_failure(e, batch->len, why);
}

static gpointer export_run(gpointer data)
{
	otlp_exporter *e = data;
	for (;;) {
		g_autoptr(GPtrArray) batch = next_batch(e);
		if (!batch)
			return NULL;
		export_batch(e, batch);
	}
}

/* ---- */

otlp_exporter *otlp_exporter_new(const struct otlp_config *config, rpc_loop *loop, GError **error)
{
	otlp_exporter *e = g_new0(otlp_exporter, 1);
	e->config = config;
	e->stop = cancel_new(NULL);
	g_mutex_init(&e->mu);
	g_cond_init(&e->changed);
	g_queue_init(&e->queue);
	if ((e->sender = otlp_sender_new(config, loop, error)) &&
	    (e->thread = thread_start("otlp", export_run, e, error)))
		return e;
	otlp_exporter_free(e, 0);
	return NULL;
}

struct ending {
	otlp_exporter *exporter;
	GMutex mu;
	GCond changed;
	bool over; /* mu */
	gint64 until_us;
};

/* Ends requests that take too long. */
static gpointer limit_end(gpointer data)
{
	struct ending *end = data;
	g_mutex_lock(&end->mu);
	while (!end->over && g_cond_wait_until(&end->changed, &end->mu, end->until_us))
		;
	g_mutex_unlock(&end->mu);
	cancel_set(end->exporter->stop, ERROR_CANCELED, NULL);
	return NULL;
}

static void join_within(otlp_exporter *e, int timeout_ms)
{
	struct ending end = {.exporter = e, .until_us = g_get_monotonic_time() + timeout_ms * INT64_C(1000)};
	g_mutex_init(&end.mu);
	g_cond_init(&end.changed);
	GThread *watch = thread_start("otlp-end", limit_end, &end, NULL);
	if (!watch) /* nothing would end a request that does not */
		cancel_set(e->stop, ERROR_CANCELED, NULL);
	g_thread_join(e->thread);
	g_mutex_lock(&end.mu);
	end.over = true;
	g_cond_broadcast(&end.changed);
	g_mutex_unlock(&end.mu);
	if (watch)
		g_thread_join(watch);
	g_mutex_clear(&end.mu);
	g_cond_clear(&end.changed);
}

void otlp_exporter_free(otlp_exporter *e, int timeout_ms)
{
	if (!e)
		return;
	g_mutex_lock(&e->mu);
	e->stopping = true;
	g_cond_broadcast(&e->changed);
	g_mutex_unlock(&e->mu);
	if (e->thread)
		join_within(e, timeout_ms);
	otlp_sender_free(e->sender);
	g_queue_clear_full(&e->queue, (GDestroyNotify)trace_record_unref);
	cancel_unref(e->stop);
	g_mutex_clear(&e->mu);
	g_cond_clear(&e->changed);
	g_free(e);
}

void otlp_exporter_count(otlp_exporter *e, struct otlp_counts *ret)
{
	g_mutex_lock(&e->mu);
	*ret = e->counts;
	g_mutex_unlock(&e->mu);
}
