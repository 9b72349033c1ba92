/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracer.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/version.h"
#include "trace/encode.h"
#include <string.h>

#define KEPT_US (60 * G_USEC_PER_SEC) /* spans of a trace that no build records, as upstream */

/* The spans of a trace. */
struct trace {
	uint8_t id[TRACE_ID_BYTES];
	GPtrArray *records; /* struct trace_record * (refs) */
	size_t bytes, foreign_bytes;
	guint recordings;
	gint64 last_us;
	GList link; /* in tracer->order; data: the trace */
};

struct tracer {
	gint refs;
	struct trace_source *source; /* ref */
	GRWLock sink_lock;
	void (*sink)(void *data, struct trace_record *r); /* sink_lock */
	void *sink_data;
	GMutex mu; /* guards everything below */
	bool keeps;
	GHashTable *traces; /* id (borrowed) to struct trace * (owned) */
	GQueue order;       /* by last_us, oldest first */
	size_t bytes;
	struct trace_counts counts;
};

struct trace_recording {
	tracer *tracer;      /* ref */
	struct trace *trace; /* borrowed: kept as long as it has recordings */
};

/* ---- the resource */

static char *percent_decoded(const char *text)
{
	g_autofree char *decoded = g_uri_unescape_string(text, NULL);
	return g_strstrip(decoded ? g_steal_pointer(&decoded) : g_strdup(text));
}

/* Of equal keys, service.name is that of the arguments, and the last of the others counts. */
static GBytes *resource_new(const char *service, const char *attributes)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) pairs = g_strsplit(attributes ? attributes : "", ",", (gint)LIMIT_SPAN_ITEMS);
	for (char **p = pairs; *p; p++) {
		char *equals = strchr(*p, '=');
		if (!equals)
			continue;
		*equals = 0;
		g_hash_table_replace(table, g_strstrip(g_strdup(*p)), percent_decoded(equals + 1));
	}
	if (service || !g_hash_table_contains(table, "service.name"))
		g_hash_table_replace(table, g_strdup("service.name"), g_strdup(service ? service : "buildkit"));
	g_hash_table_replace(table, g_strdup("telemetry.sdk.language"), g_strdup("c"));
	g_hash_table_replace(table, g_strdup("telemetry.sdk.name"), g_strdup("buildkit-c"));
	g_hash_table_replace(table, g_strdup("telemetry.sdk.version"), g_strdup(PROJECT_VERSION));
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(table), (GCompareFunc)strcmp);
	for (GList *l = keys; l; l = l->next)
		encode_pair_text(out, 1, l->data, g_hash_table_lookup(table, l->data));
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

static GBytes *scope_new(void)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	encode_text(out, 1, "buildkit-c");
	encode_text(out, 2, PROJECT_VERSION);
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

/* ---- traces */

static void trace_free(void *data)
{
	struct trace *t = data;
	g_ptr_array_unref(t->records);
	g_free(t);
}

static guint trace_hash(const void *id)
{
	guint h;
	memcpy(&h, (const uint8_t *)id + 8, sizeof h); /* of random bytes, also where the first are a time */
	return h;
}

static gboolean trace_equal(const void *a, const void *b)
{
	return memcmp(a, b, TRACE_ID_BYTES) == 0;
}

/* Requires mu. */
static void drop_trace(tracer *t, struct trace *trace)
{
	t->bytes -= trace->bytes;
	g_queue_unlink(&t->order, &trace->link);
	g_hash_table_remove(t->traces, trace->id);
}

/* Requires mu. Drops traces without recordings that are older than before_us, until at least `room` bytes are free. */
static void drop_old(tracer *t, gint64 before_us, size_t room)
{
	for (GList *l = t->order.head; l;) {
		struct trace *trace = l->data;
		l = l->next;
		bool is_full = t->bytes + room > (size_t)LIMIT_TRACES_BYTES;
		if (trace->last_us >= before_us && !is_full)
			return;
		if (trace->recordings == 0)
			drop_trace(t, trace);
	}
}

/* Requires mu. */
static struct trace *ensure_trace(tracer *t, const uint8_t *id)
{
	struct trace *trace = g_hash_table_lookup(t->traces, id);
	if (trace) {
		g_queue_unlink(&t->order, &trace->link);
	} else {
		trace = g_new0(struct trace, 1);
		memcpy(trace->id, id, sizeof trace->id);
		trace->records = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
		trace->link.data = trace;
		trace->bytes = sizeof *trace;
		t->bytes += trace->bytes;
		g_hash_table_insert(t->traces, trace->id, trace);
	}
	trace->last_us = g_get_monotonic_time();
	g_queue_push_tail_link(&t->order, &trace->link);
	return trace;
}

/* Requires mu. */
static void keep(tracer *t, struct trace_record *r)
{
	size_t n = sizeof *r + sizeof(void *) + r->n;
	if (r->foreign) /* the record of the build repeats it for each span */
		n += g_bytes_get_size(r->source->resource);
	drop_old(t, g_get_monotonic_time() - KEPT_US, n + sizeof(struct trace));
	if (t->bytes + n + sizeof(struct trace) > (size_t)LIMIT_TRACES_BYTES) {
		t->counts.dropped++;
		return;
	}
	struct trace *trace = ensure_trace(t, r->trace);
	if (trace->bytes + n > (size_t)LIMIT_TRACE_BYTES ||
	    (r->foreign && trace->foreign_bytes + n > (size_t)LIMIT_TRACE_BYTES / 2)) {
		t->counts.dropped++;
		return;
	}
	g_ptr_array_add(trace->records, trace_record_ref(r));
	trace->bytes += n;
	trace->foreign_bytes += r->foreign ? n : 0;
	t->bytes += n;
}

void tracer_add(tracer *t, struct trace_record *r)
{
	g_rw_lock_reader_lock(&t->sink_lock);
	if (t->sink)
		t->sink(t->sink_data, r);
	g_rw_lock_reader_unlock(&t->sink_lock);
	g_mutex_lock(&t->mu);
	t->counts.ended += !r->foreign;
	t->counts.foreign += r->foreign;
	if (t->keeps)
		keep(t, r);
	g_mutex_unlock(&t->mu);
	trace_record_unref(r);
}

/* ---- recordings */

trace_recording *tracer_record(tracer *t, const trace_span *s)
{
	if (!t || !s)
		return NULL;
	trace_recording *r = g_new0(trace_recording, 1);
	r->tracer = tracer_ref(t);
	g_mutex_lock(&t->mu);
	r->trace = ensure_trace(t, trace_id(s));
	r->trace->recordings++;
	g_mutex_unlock(&t->mu);
	return r;
}

GBytes *trace_recording_take(trace_recording *r)
{
	if (!r)
		return NULL;
	tracer *t = r->tracer;
	g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)trace_record_unref);
	g_mutex_lock(&t->mu);
	for (guint i = 0; i < r->trace->records->len; i++)
		g_ptr_array_add(records, trace_record_ref(r->trace->records->pdata[i]));
	r->trace->recordings--;
	g_mutex_unlock(&t->mu);
	tracer_unref(t);
	g_free(r);
	return records->len > 0 ? trace_pack(records, 0, records->len) : NULL;
}

/* ---- the tracer */

tracer *tracer_new(const char *service, const char *attributes)
{
	tracer *t = g_new0(tracer, 1);
	t->refs = 1;
	t->source = trace_source_new(resource_new(service, attributes), scope_new());
	g_rw_lock_init(&t->sink_lock);
	g_mutex_init(&t->mu);
	g_queue_init(&t->order);
	t->traces = g_hash_table_new_full(trace_hash, trace_equal, NULL, trace_free);
	return t;
}

tracer *tracer_ref(tracer *t)
{
	g_atomic_int_inc(&t->refs);
	return t;
}

void tracer_unref(tracer *t)
{
	if (!t || !g_atomic_int_dec_and_test(&t->refs))
		return;
	trace_source_unref(t->source);
	g_hash_table_unref(t->traces);
	g_rw_lock_clear(&t->sink_lock);
	g_mutex_clear(&t->mu);
	g_free(t);
}

void tracer_keep(tracer *t)
{
	g_mutex_lock(&t->mu);
	t->keeps = true;
	g_mutex_unlock(&t->mu);
}

void tracer_set_sink(tracer *t, void (*sink)(void *data, struct trace_record *r), void *data)
{
	g_rw_lock_writer_lock(&t->sink_lock);
	t->sink = sink;
	t->sink_data = data;
	g_rw_lock_writer_unlock(&t->sink_lock);
}

bool tracer_exports(tracer *t)
{
	g_rw_lock_reader_lock(&t->sink_lock);
	bool exports = t->sink;
	g_rw_lock_reader_unlock(&t->sink_lock);
	return exports;
}

struct trace_source *tracer_source(tracer *t)
{
	return t->source;
}

void tracer_count(tracer *t, struct trace_counts *ret)
{
	g_mutex_lock(&t->mu);
	*ret = t->counts;
	g_mutex_unlock(&t->mu);
}
