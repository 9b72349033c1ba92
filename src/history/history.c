/* SPDX-License-Identifier: Apache-2.0 */
#include "history/history.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "db/db.h"
#include "history/history_filter.h"
#include "history/record.h"
#include <string.h>

#define STATUS_MEDIA_TYPE "application/vnd.buildkit.status.v0"
#define ERROR_MEDIA_TYPE "application/vnd.googeapis.google.rpc.status+proto" /* misspelt as by upstream */

static const char *const migrations[] = {
	"CREATE TABLE records(ref TEXT PRIMARY KEY, created INTEGER NOT NULL, completed INTEGER NOT NULL,"
	" pinned INTEGER NOT NULL, record BLOB NOT NULL);"
	"CREATE INDEX records_created ON records(created);"
	"CREATE TABLE blobs(ref TEXT NOT NULL REFERENCES records(ref) ON DELETE CASCADE, digest TEXT NOT NULL,"
	" bytes BLOB NOT NULL, PRIMARY KEY(ref, digest));"
	"CREATE INDEX blobs_digest ON blobs(digest);",
	NULL,
};

struct history {
	db *db;
	struct history_limits limits;
	GMutex mu;
	GHashTable *active;   /* borrowed ref text to Control__BuildHistoryRecord * (owned); mu */
	GPtrArray *listeners; /* borrowed; mu */
	bool stopping;        /* mu */
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
	return h;
}

void history_close(history *h)
{
	db_close(h->db);
	g_hash_table_unref(h->active);
	g_ptr_array_unref(h->listeners);
	g_mutex_clear(&h->mu);
	g_free(h);
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

static bool store_blob(history *h, const char *ref, const Control__Descriptor *d, GBytes *bytes, GError **error)
{
	gsize n = 0;
	const void *start = g_bytes_get_data(bytes, &n);
	return db_run(h->db, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?)", error, "ssb", ref, d->digest,
		      start ? start : "", n);
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
	return db_run(h->db, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?)", error, "ssb", ref, digest.text, start, n);
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
	bool keep_log = g_bytes_get_size(end->log) <= HISTORY_BLOB_BYTES;
	if (keep_log)
		record->logs = descriptor_new(STATUS_MEDIA_TYPE, end->log);
	if (end->status)
		record->externalerror = descriptor_new(ERROR_MEDIA_TYPE, end->status);
	return store_record(h, record, error) &&
	       (!keep_log || store_blob(h, record->ref, record->logs, end->log, error)) &&
	       (!end->status || store_blob(h, record->ref, record->externalerror, end->status, error)) &&
	       store_blobs(h, record->ref, end, error) && expire(h, end->completed_ns, error);
}

/* Uses one transaction that is not durable: a power loss may lose the latest records. */
static bool store_all(history *h, Control__BuildHistoryRecord *record, const struct history_end *end, GError **error)
{
	db_lock(h->db);
	bool ok = db_begin(h->db, error);
	if (ok && !(ok = store(h, record, end, error) && db_commit(h->db, false, error)))
		db_rollback(h->db);
	db_unlock(h->db);
	return ok;
}

bool history_completed(history *h, const struct history_build *build, const struct history_end *end, GError **error)
{
	Control__BuildHistoryRecord *record = history_record_new(build);
	history_record_end(record, end);
	bool ok = store_all(h, record, end, error);
	g_mutex_lock(&h->mu);
	g_hash_table_remove(h->active, record->ref);
	tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, record);
	g_mutex_unlock(&h->mu);
	guard_free(record);
	return ok;
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

bool history_update(history *h, const char *ref, bool pinned, bool delete_it, bool finalize, GError **error)
{
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
		ok = store_record(h, record, error);
		if (ok)
			tell(h, CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE, record);
	}
	g_mutex_unlock(&h->mu);
	guard_free(record);
	return ok;
}

GBytes *history_blob(history *h, const char *digest)
{
	g_autoptr(db_query) q = db_select(h->db, "SELECT bytes FROM blobs WHERE digest = ? LIMIT 1", NULL, "s", digest);
	if (!q || !db_next(q, NULL))
		return NULL;
	size_t n = 0;
	const void *bytes = db_bytes(q, 0, &n);
	return g_bytes_new(bytes, n);
}

bool history_each_blob(history *h, void (*fn)(const struct history_blob_info *info, void *data), void *data,
		       GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(db_query) q = db_select(
		h->db, "SELECT b.digest, length(b.bytes), r.completed FROM blobs b JOIN records r ON r.ref = b.ref",
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
	g_ptr_array_add(h->listeners, l);
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

void history_stop(history *h)
{
	g_mutex_lock(&h->mu);
	h->stopping = true;
	notify_all(h);
	g_mutex_unlock(&h->mu);
}
