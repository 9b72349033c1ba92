/* SPDX-License-Identifier: Apache-2.0 */
#include "history/history.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "base/log.h"
#include "base/thread.h"
#include "history/blobs.h"
#include "history/history_filter.h"
#include "history/record.h"
#include <string.h>

#define STATUS_MEDIA_TYPE "application/vnd.buildkit.status.v0"
#define TRACE_MEDIA_TYPE "application/vnd.buildkit.otlp.json.v0"
#define TRACE_WAIT_US (3 * G_USEC_PER_SEC)  /* as upstream, unless a client asks for the complete record earlier */
#define TRACE_IDLE_US (60 * G_USEC_PER_SEC) /* spans are kept in memory unless another build ends */
#define ERROR_MEDIA_TYPE "application/vnd.googeapis.google.rpc.status+proto" /* misspelt as by upstream */

static const char *const migrations[] = {
	"CREATE TABLE records(ref TEXT PRIMARY KEY, created INTEGER NOT NULL, completed INTEGER NOT NULL,"
	" pinned INTEGER NOT NULL, record BLOB NOT NULL);"
	"CREATE INDEX records_created ON records(created);"
	"CREATE TABLE blobs(ref TEXT NOT NULL REFERENCES records(ref) ON DELETE CASCADE, digest TEXT NOT NULL,"
	" bytes BLOB NOT NULL, PRIMARY KEY(ref, digest));"
	"CREATE INDEX blobs_digest ON blobs(digest);",
	"DROP INDEX blobs_digest; ALTER TABLE blobs RENAME TO whole;" BLOBS_TABLE
	"INSERT INTO blobs WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 63)"
	" SELECT ref, digest, i, length(bytes), 0, coalesce(substr(bytes, i * 1048576 + 1, 1048576), x'') FROM whole, n"
	" WHERE i = 0 OR i * 1048576 < length(bytes);"
	"DROP TABLE whole;"
	"CREATE TABLE traces(ref TEXT PRIMARY KEY REFERENCES records(ref) ON DELETE CASCADE, spans BLOB NOT NULL);",
	NULL,
};

/*
 * A completed build whose trace is still recorded: the client's last spans arrive after its end. Later its spans are
 * stored as they are, with the record of the next build, and become the JSON document of the record when a client reads
 * that: most traces are never read.
 */
struct pending {
	char *ref;              /* owned */
	trace_recording *trace; /* owned; NULL: it is being stored */
	gint64 due_us;
};

struct history {
	db *db;
	struct history_limits limits;
	GMutex mu;
	GHashTable *active;   /* borrowed ref text to Control__BuildHistoryRecord * (owned); mu */
	GPtrArray *listeners; /* borrowed; mu */
	bool stopping;        /* mu */
	GQueue pending;       /* struct pending *, oldest first; mu */
	GCond changed;        /* pending has changed; mu */
	GThread *keeper;      /* stores pending traces; NULL: not started; mu */
	bool closing;         /* mu */
};

struct history_listener {
	history *history;
	GQueue events; /* element type: GBytes *, an encoded BuildHistoryEvent (owned); history->mu */
	char *ref;     /* "" for all */
	bool early_exit;
	bool too_slow; /* events were lost; history->mu */
	void (*notify)(void *data);
	void *notify_data;
};

history *history_open(int root_fd, const char *root_path, const struct history_limits *limits, GError **error)
{
	bool was_reset = false;
	db *opened = db_open_or_reset(root_fd, "history.db", migrations, &was_reset, error);
	if (!opened)
		return error_prefix_null(error, "open %s/history.db: ", root_path);
	history *h = g_new0(history, 1);
	h->db = opened;
	h->limits = *limits;
	g_mutex_init(&h->mu);
	h->active = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, guard_free);
	h->listeners = g_ptr_array_new();
	g_queue_init(&h->pending);
	g_cond_init(&h->changed);
	return h;
}

/* Limit of unread events per listener. */
#define LISTENER_EVENTS 10000

static GBytes *event_new(Control__BuildHistoryEventType type, const Control__BuildHistoryRecord *record)
{
	Control__BuildHistoryEvent event = CONTROL__BUILD_HISTORY_EVENT__INIT;
	event.type = type;
	event.record = (Control__BuildHistoryRecord *)(uintptr_t)record; /* only read */
	return message_pack(&event);
}

/* Requires mu. */
static void notify_all(history *h)
{
	for (guint i = 0; i < h->listeners->len; i++) {
		const history_listener *l = h->listeners->pdata[i];
		l->notify(l->notify_data);
	}
}

/* Sends the event to all listeners of this ref and type. Requires mu. */
static void tell(history *h, Control__BuildHistoryEventType type, const Control__BuildHistoryRecord *record)
{
	g_autoptr(GBytes) event = NULL;
	for (guint i = 0; i < h->listeners->len; i++) {
		history_listener *l = h->listeners->pdata[i];
		bool wanted = !*l->ref || strcmp(l->ref, record->ref) == 0;
		if (l->early_exit || !wanted || l->too_slow)
			continue;
		l->too_slow = l->events.length >= LISTENER_EVENTS;
		if (!l->too_slow && !event)
			event = event_new(type, record);
		if (!l->too_slow)
			g_queue_push_tail(&l->events, g_bytes_ref(event));
	}
	notify_all(h);
}

void history_started(history *h, const struct history_build *build)
{
	Control__BuildHistoryRecord *record = history_record_new(build);
	g_mutex_lock(&h->mu);
	tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__STARTED, record);
	g_hash_table_replace(h->active, record->ref, record);
	g_mutex_unlock(&h->mu);
}

static Control__Descriptor *descriptor_new(const char *media_type, GBytes *bytes)
{
	Control__Descriptor *d = message_new(Control__Descriptor, control__descriptor);
	struct digest digest;
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	digest_of(start, n, &digest);
	d->media_type = g_strdup(media_type);
	d->digest = g_strdup(digest.text);
	d->size = (int64_t)n;
	return d;
}

static bool store_record(history *h, const Control__BuildHistoryRecord *record, GError **error)
{
	g_autoptr(GBytes) bytes = message_pack(record);
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	return db_run(h->db, "INSERT OR REPLACE INTO records VALUES(?, ?, ?, ?, ?)", error, "siiib", record->ref,
		      message_time_ns(record->createdat), message_time_ns(record->completedat), (int64_t)record->pinned,
		      start, n);
}

/* Unlike REPLACE, this keeps its blobs. */
static bool update_record(history *h, const Control__BuildHistoryRecord *record, GError **error)
{
	g_autoptr(GBytes) bytes = message_pack(record);
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	return db_run(h->db, "UPDATE records SET pinned = ?, record = ? WHERE ref = ?", error, "ibs",
		      (int64_t)record->pinned, start, n, record->ref);
}

/*
 * A record is deleted when it is not among the newest max_entries and is older than max_age. Pinned records are kept.
 */
static bool expire(history *h, int64_t now_ns, GError **error)
{
	return db_run(h->db,
		      "DELETE FROM records WHERE pinned = 0 AND completed < ? AND ref NOT IN"
		      " (SELECT ref FROM records ORDER BY created DESC LIMIT ?)",
		      error, "ii", now_ns - h->limits.max_age_ns, h->limits.max_entries);
}

/* By its digest: a record names it. */
static bool store_named_blob(history *h, const char *ref, GBytes *bytes, GError **error)
{
	struct digest digest;
	gsize n;
	const void *start = g_bytes_get_data(bytes, &n);
	digest_of(start, n, &digest);
	return blobs_put(h->db, ref, digest.text, bytes, error);
}

/* Stores the attestations and the documents of images. */
static bool store_blobs(history *h, const char *ref, const struct history_end *end, GError **error)
{
	for (size_t i = 0; i < end->n_attestations; i++)
		if (!store_named_blob(h, ref, end->attestations[i].bytes, error))
			return false;
	for (size_t i = 0; i < end->n_images; i++) {
		const GPtrArray *documents = end->images[i].documents;
		for (guint k = 0; history_image_fits(&end->images[i]) && k < documents->len; k++)
			if (!store_named_blob(h, ref, documents->pdata[k], error))
				return false;
	}
	return true;
}

static bool store(history *h, Control__BuildHistoryRecord *record, const struct history_end *end, GError **error)
{
	record->logs = descriptor_new(STATUS_MEDIA_TYPE, end->log);
	if (end->status)
		record->externalerror = descriptor_new(ERROR_MEDIA_TYPE, end->status);
	return store_record(h, record, error) && blobs_put(h->db, record->ref, record->logs->digest, end->log, error) &&
	       (!end->status || blobs_put(h->db, record->ref, record->externalerror->digest, end->status, error)) &&
	       store_blobs(h, record->ref, end, error) && expire(h, end->completed_ns, error);
}

static Control__BuildHistoryRecord *read_record(db_query *q)
{
	size_t n = 0;
	const void *bytes = db_bytes(q, 0, &n);
	return guard_unpack(&control__build_history_record__descriptor, bytes, n, NULL);
}

static Control__BuildHistoryRecord *load_record(history *h, const char *ref, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(db_query) q = db_select(h->db, "SELECT record FROM records WHERE ref = ?", &problem, "s", ref);
	Control__BuildHistoryRecord *record = q && db_next(q, &problem) ? read_record(q) : NULL;
	if (!record)
		error_set(error, ERROR_UNKNOWN, "failed to retrieve ref %s: %s", ref,
			  problem ? problem->message : "file does not exist");
	return record;
}

/* ---- traces */

static void pending_free(void *data)
{
	struct pending *p = data;
	GBytes *spans = trace_recording_take(p->trace);
	g_clear_pointer(&spans, g_bytes_unref);
	g_free(p->ref);
	g_free(p);
}

/* Requires mu. Removes the traces that are complete from the queue, or all, or (ref) that of a build. */
static GPtrArray *take_pending(history *h, const char *ref, gint64 due_us)
{
	GPtrArray *taken = g_ptr_array_new_with_free_func(pending_free);
	for (GList *l = h->pending.head; l;) {
		GList *this = l;
		struct pending *p = l->data;
		l = l->next;
		if (ref ? strcmp(p->ref, ref) != 0 : p->due_us > due_us)
			continue;
		g_ptr_array_add(taken, p);
		g_queue_delete_link(&h->pending, this);
	}
	return taken;
}

/* Within a transaction. A record that was deleted meanwhile gets none. */
static bool store_spans(history *h, const GPtrArray *taken, GError **error)
{
	for (guint i = 0; i < taken->len; i++) {
		struct pending *p = taken->pdata[i];
		g_autoptr(GBytes) spans = trace_recording_take(g_steal_pointer(&p->trace));
		gsize n = 0;
		const void *bytes = spans ? g_bytes_get_data(spans, &n) : NULL;
		if (n > 0 && !db_run(h->db, "INSERT OR REPLACE INTO traces SELECT ref, ? FROM records WHERE ref = ?",
				     error, "bs", bytes, n, p->ref))
			return false;
	}
	return true;
}

/* Runs fn in a transaction that is not durable: a power loss may lose the latest records. */
static bool in_transaction(history *h, bool (*fn)(history *h, void *data, GError **error), void *data, GError **error)
{
	db_lock(h->db);
	bool ok = db_begin(h->db, error);
	if (ok && !(ok = fn(h, data, error) && db_commit(h->db, false, error)))
		db_rollback(h->db);
	db_unlock(h->db);
	return ok;
}

static bool store_taken(history *h, void *data, GError **error)
{
	return store_spans(h, data, error);
}

/* Requires mu, so that reader and writer of a trace do not meet. */
static void store_pending(history *h, const char *ref, gint64 due_us)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) taken = take_pending(h, ref, due_us);
	if (taken->len > 0 && !in_transaction(h, store_taken, taken, &error))
		log_warn("traces of builds: %s", error->message);
}

struct document {
	Control__BuildHistoryRecord *record;
	GBytes *json;
};

static bool store_document(history *h, void *data, GError **error)
{
	const struct document *d = data;
	return update_record(h, d->record, error) &&
	       blobs_put(h->db, d->record->ref, d->record->trace->digest, d->json, error) &&
	       db_run(h->db, "DELETE FROM traces WHERE ref = ?", error, "s", d->record->ref);
}

static GBytes *load_spans(history *h, const char *ref)
{
	g_autoptr(db_query) q = db_select(h->db, "SELECT spans FROM traces WHERE ref = ?", NULL, "s", ref);
	size_t n = 0;
	const void *bytes = q && db_next(q, NULL) ? db_bytes(q, 0, &n) : NULL;
	return bytes ? g_bytes_new(bytes, n) : NULL;
}

/* Requires mu. Adds the document of the build's trace to its record, if there are stored spans. */
static void make_document(history *h, const char *ref)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) spans = load_spans(h, ref), json = NULL;
	struct document d = {.record = spans ? load_record(h, ref, NULL) : NULL};
	if (d.record && (json = trace_json(spans, HISTORY_BLOB_BYTES, &error))) {
		d.json = json;
		d.record->trace = descriptor_new(TRACE_MEDIA_TYPE, json);
		d.record->generation++;
		if (in_transaction(h, store_document, &d, &error))
			tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, d.record);
	}
	guard_free(d.record);
	if (error)
		log_warn("trace of build %s: %s", ref, error->message);
}

/* Requires mu. The same for all builds. */
static void make_documents(history *h)
{
	g_auto(GStrv) refs = NULL;
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	db_query *q = db_select(h->db, "SELECT ref FROM traces", NULL, "");
	while (q && db_next(q, NULL))
		g_strv_builder_add(list, db_text(q, 0));
	g_clear_pointer(&q, db_query_done);
	refs = g_strv_builder_end(list);
	for (char **ref = refs; *ref; ref++)
		make_document(h, *ref);
}

/* Requires mu. Whether a client waits for events. */
static bool has_followers(history *h)
{
	for (guint i = 0; i < h->listeners->len; i++)
		if (!((const history_listener *)h->listeners->pdata[i])->early_exit)
			return true;
	return false;
}

/* Stores the traces that no further build stores, and tells clients that wait for events of their documents. */
static gpointer keeper_run(gpointer data)
{
	history *h = data;
	g_mutex_lock(&h->mu);
	while (!h->closing) {
		const struct pending *p = g_queue_peek_head(&h->pending);
		bool follows = has_followers(h);
		gint64 due_us = p ? p->due_us + (follows ? 0 : TRACE_IDLE_US) : 0;
		if (p && due_us <= g_get_monotonic_time()) {
			store_pending(h, NULL, g_get_monotonic_time());
			if (follows)
				make_documents(h);
		} else if (p) {
			g_cond_wait_until(&h->changed, &h->mu, due_us);
		} else {
			g_cond_wait(&h->changed, &h->mu);
		}
	}
	g_mutex_unlock(&h->mu);
	return NULL;
}

/* Requires mu. Without a thread, the next build or the end of the daemon stores it. */
static void queue_trace(history *h, const char *ref, trace_recording *trace)
{
	struct pending *p = g_new0(struct pending, 1);
	*p = (struct pending){g_strdup(ref), trace, g_get_monotonic_time() + TRACE_WAIT_US};
	g_queue_push_tail(&h->pending, p);
	if (!h->keeper)
		h->keeper = thread_start("traces", keeper_run, h, NULL);
	else if (h->pending.length == 1 || has_followers(h))
		g_cond_broadcast(&h->changed);
}

/* ---- builds that end */

struct completion {
	Control__BuildHistoryRecord *record;
	const struct history_end *end;
	GPtrArray *traces; /* struct pending *, of earlier builds */
};

static bool store_completion(history *h, void *data, GError **error)
{
	const struct completion *c = data;
	return store(h, c->record, c->end, error) && store_spans(h, c->traces, error);
}

bool history_completed(history *h, const struct history_build *build, const struct history_end *end, GError **error)
{
	struct completion c = {.record = history_record_new(build), .end = end};
	history_record_end(c.record, end);
	g_mutex_lock(&h->mu);
	g_autoptr(GPtrArray) traces = c.traces = take_pending(h, NULL, g_get_monotonic_time());
	g_mutex_unlock(&h->mu);
	bool ok = in_transaction(h, store_completion, &c, error);
	g_mutex_lock(&h->mu);
	g_hash_table_remove(h->active, c.record->ref);
	if (end->trace)
		queue_trace(h, c.record->ref, end->trace);
	tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, c.record);
	g_mutex_unlock(&h->mu);
	guard_free(c.record);
	return ok;
}

bool history_update(history *h, const char *ref, bool pinned, bool delete_it, bool finalize, GError **error)
{
	if (finalize) {
		g_mutex_lock(&h->mu);
		store_pending(h, ref, 0);
		make_document(h, ref);
		g_mutex_unlock(&h->mu);
	}
	Control__BuildHistoryRecord *record = load_record(h, ref, error);
	if (!record)
		return false;
	bool ok = true;
	g_mutex_lock(&h->mu);
	if (delete_it) {
		ok = db_run(h->db, "DELETE FROM records WHERE ref = ?", error, "s", ref);
		if (ok)
			tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__DELETED, record);
	} else if (!finalize && pinned != (bool)record->pinned) {
		record->pinned = pinned;
		record->generation++;
		ok = update_record(h, record, error);
		if (ok)
			tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, record);
	}
	g_mutex_unlock(&h->mu);
	guard_free(record);
	return ok;
}

GBytes *history_blob(history *h, const char *digest)
{
	return blobs_get(h->db, digest);
}

int64_t history_blob_size(history *h, const char *digest)
{
	return blobs_size(h->db, digest);
}

GBytes *history_blob_read(history *h, const char *digest, int64_t offset, GError **error)
{
	return blobs_read(h->db, digest, offset, error);
}

bool history_each_blob(history *h, void (*fn)(const struct history_blob_info *info, void *data), void *data,
		       GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(db_query) q = db_select(
		h->db,
		"SELECT b.digest, b.size, r.completed FROM blobs b JOIN records r ON r.ref = b.ref WHERE b.part = 0",
		&problem, "");
	while (q && db_next(q, &problem)) {
		struct history_blob_info info = {
			.digest = db_text(q, 0), .size = db_int(q, 1), .created_ns = db_int(q, 2)};
		fn(&info, data);
	}
	bool ok = !problem;
	if (problem)
		g_propagate_error(error, g_steal_pointer(&problem));
	return ok;
}

GBytes *history_log(history *h, const char *ref)
{
	Control__BuildHistoryRecord *record = load_record(h, ref, NULL);
	GBytes *log = record && record->logs ? history_blob(h, record->logs->digest) : NULL;
	guard_free(record);
	return log;
}

/* ---- listeners */

static void queue_active(history_listener *l)
{
	for (struct hash_walk it = hash_walk(l->history->active); hash_walk_next(&it);) {
		const Control__BuildHistoryRecord *r = it.value;
		if (!*l->ref || strcmp(l->ref, r->ref) == 0)
			g_queue_push_tail(&l->events, event_new(CONTROL__BUILD_HISTORY_EVENT_TYPE__STARTED, r));
	}
}

/* Returns the newest `limit` matching records, oldest first. */
static bool queue_stored(history_listener *l, const history_filter *filter, int64_t limit, GError **error)
{
	GQueue found = G_QUEUE_INIT;
	g_autoptr(db_query) q =
		db_select(l->history->db, "SELECT record FROM records ORDER BY created DESC", error, "");
	if (!q)
		return false;
	while (db_next(q, error)) {
		Control__BuildHistoryRecord *record = read_record(q);
		bool wanted = record && (!*l->ref || strcmp(l->ref, record->ref) == 0) &&
			      history_filter_match(filter, record);
		if (wanted && (limit <= 0 || found.length < (guint)limit))
			g_queue_push_head(&found, event_new(CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, record));
		guard_free(record);
	}
	for (void *event = g_queue_pop_head(&found); event; event = g_queue_pop_head(&found))
		g_queue_push_tail(&l->events, event);
	return true;
}

history_listener *history_listen(history *h, const struct history_query *query, void (*notify)(void *data), void *data,
				 GError **error)
{
	g_autoptr(history_filter) filter = history_filter_new(query->filters, error);
	if (!filter)
		return NULL;
	history_listener *l = g_new0(history_listener, 1);
	l->history = h;
	l->ref = g_strdup(query->ref);
	l->early_exit = query->early_exit;
	l->notify = notify;
	l->notify_data = data;
	g_mutex_lock(&h->mu);
	if (!query->active_only) { /* a client reads records: their traces get documents */
		store_pending(h, NULL, g_get_monotonic_time());
		if (*query->ref)
			make_document(h, query->ref);
		else
			make_documents(h);
	}
	g_ptr_array_add(h->listeners, l);
	g_cond_broadcast(&h->changed);
	queue_active(l);
	bool ok = query->active_only || queue_stored(l, filter, query->limit, error);
	g_mutex_unlock(&h->mu);
	if (ok)
		return l;
	history_listener_free(l);
	return NULL;
}

GBytes *history_listener_take(history_listener *l, bool *ret_end, GError **error)
{
	history *h = l->history;
	g_mutex_lock(&h->mu);
	GBytes *event = g_queue_pop_head(&l->events);
	bool drained = h->stopping && g_hash_table_size(h->active) == 0;
	bool too_slow = !event && l->too_slow;
	*ret_end = !event && (l->early_exit || drained || too_slow);
	g_mutex_unlock(&h->mu);
	if (too_slow)
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "history events were not read in time");
	return event;
}

void history_listener_free(history_listener *l)
{
	if (!l)
		return;
	g_mutex_lock(&l->history->mu);
	g_ptr_array_remove_fast(l->history->listeners, l);
	g_mutex_unlock(&l->history->mu);
	for (void *event = g_queue_pop_head(&l->events); event; event = g_queue_pop_head(&l->events))
		g_bytes_unref(event);
	g_free(l->ref);
	g_free(l);
}

void history_close(history *h)
{
	g_mutex_lock(&h->mu);
	h->closing = true;
	g_cond_broadcast(&h->changed);
	g_mutex_unlock(&h->mu);
	if (h->keeper)
		g_thread_join(h->keeper);
	g_mutex_lock(&h->mu);
	store_pending(h, NULL, G_MAXINT64);
	g_mutex_unlock(&h->mu);
	g_cond_clear(&h->changed);
	db_close(h->db);
	g_hash_table_unref(h->active);
	g_ptr_array_unref(h->listeners);
	g_mutex_clear(&h->mu);
	g_free(h);
}

void history_stop(history *h)
{
	g_mutex_lock(&h->mu);
	h->stopping = true;
	notify_all(h);
	g_mutex_unlock(&h->mu);
}
