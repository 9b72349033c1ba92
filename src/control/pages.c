/* SPDX-License-Identifier: Apache-2.0 */
#include "control/pages.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "control.pb-c.h"
#include "control/control.h"
#include "control/pages_internal.h"
#include "format/http_request.h"
#include "history/status_wire.h"
#include "progress/log_file.h"
#include "timeline/data.h"
#include "timeline/page.h"
#include <string.h>

#define LISTED_BUILDS 500
#define KEPT_BUILDS 4
#define KEPT_US (60 * G_USEC_PER_SEC) /* since it was looked at */

#define HTML "text/html; charset=utf-8"
#define JSON "application/json"

/* A build that was looked at. */
struct viewed {
	timeline *timeline;      /* owned */
	progress_reader *reader; /* owned; of a running build; NULL: everything was read */
	gint64 used_us;
	bool completed;
	const char *notice; /* why steps are missing, or NULL */
};
struct control_pages {
	builder *builder;
	GHashTable *viewed; /* ref to struct viewed * */
};

static void viewed_free(gpointer data)
{
	struct viewed *v = data;
	timeline_free(v->timeline);
	progress_reader_free(v->reader);
	g_free(v);
}

control_pages *control_pages_new(builder *b)
{
	control_pages *p = g_new0(control_pages, 1);
	p->builder = b;
	p->viewed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, viewed_free);
	return p;
}

void control_pages_free(control_pages *p)
{
	if (!p)
		return;
	g_hash_table_unref(p->viewed);
	g_free(p);
}

void control_page_clear(struct control_page *page)
{
	g_free(page->body);
	g_free(page->filename);
}

/* ---- records of the history */

/* Listeners and readers are read at once here; they need not tell that there is more. */
static void ignore_events(void *data)
{
}

static void ignore_log(void *data, bool end)
{
}

GPtrArray *control_pages_events(builder *b, const char *ref, bool active_only)
{
	static const char *const no_filters[] = {NULL};
	struct history_query query = {.active_only = active_only,
				      .ref = ref,
				      .early_exit = true,
				      .filters = no_filters,
				      .limit = LISTED_BUILDS};
	GPtrArray *events = g_ptr_array_new_with_free_func(guard_free);
	history_listener *l = history_listen(builder_history(b), &query, ignore_events, NULL, NULL);
	while (l) {
		bool end = false;
		g_autoptr(GBytes) bytes = history_listener_take(l, &end, NULL);
		if (!bytes)
			break;
		gsize n;
		const void *start = g_bytes_get_data(bytes, &n);
		Control__BuildHistoryEvent *e = guard_unpack(&control__build_history_event__descriptor, start, n, NULL);
		if (e && e->record)
			g_ptr_array_add(events, e);
		else
			guard_free(e);
	}
	history_listener_free(l);
	return events;
}

/* ---- builds */

static void update_packed(timeline *t, const void *bytes, size_t n)
{
	Control__StatusResponse *m = guard_unpack(&control__status_response__descriptor, bytes, n, NULL);
	if (m)
		timeline_update(t, m);
	guard_free(m);
}

static void read_progress(struct viewed *v)
{
	bool end = false;
	GPtrArray *events;
	while (v->reader && (events = progress_reader_take(v->reader, &end))) {
		g_autoptr(GPtrArray) messages = status_wire_pack(events);
		for (guint i = 0; i < messages->len; i++) {
			gsize n;
			const void *bytes = g_bytes_get_data(messages->pdata[i], &n);
			update_packed(v->timeline, bytes, n);
		}
		g_ptr_array_unref(events);
	}
	if (end)
		g_clear_pointer(&v->reader, progress_reader_free);
}

timeline *control_pages_running(builder *b, const Control__BuildHistoryRecord *record)
{
	struct viewed v = {.timeline = timeline_new(record->ref, record)};
	progress_log *log = builder_peek_log(b, record->ref);
	if (log) {
		v.reader = progress_reader_new(log, NULL);
		progress_reader_set_notify(v.reader, ignore_log, NULL);
		progress_log_unref(log);
	}
	read_progress(&v);
	progress_reader_free(v.reader);
	return v.timeline;
}

static void read_stored(control_pages *p, struct viewed *v, const char *ref)
{
	g_autoptr(GBytes) log = history_log(builder_history(p->builder), ref);
	g_autoptr(GError) error = NULL;
	const uint8_t *message;
	size_t at = 0, n;
	while (log && log_file_next(log, &at, &message, &n, &error))
		update_packed(v->timeline, message, n);
	if (!log)
		v->notice = "The progress of this build was not stored, because it was too long.";
	else if (error)
		v->notice = "The stored progress of this build is damaged.";
}

static struct viewed *viewed_new(control_pages *p, const char *ref, const Control__BuildHistoryRecord *record)
{
	struct viewed *v = g_new0(struct viewed, 1);
	progress_log *log = record->completedat ? NULL : builder_peek_log(p->builder, ref);
	v->timeline = timeline_new(ref, record);
	/* A version that a browser has of an earlier timeline of this build is smaller. */
	v->timeline->version = (uint64_t)g_get_real_time();
	if (log) {
		v->reader = progress_reader_new(log, NULL);
		progress_reader_set_notify(v->reader, ignore_log, NULL);
		progress_log_unref(log);
	} else if (record->completedat) {
		read_stored(p, v, ref);
	}
	return v;
}

static void forget_old(control_pages *p, gint64 now_us)
{
	const char *oldest = NULL;
	gint64 oldest_us = G_MAXINT64;
	for (struct hash_walk it = hash_walk(p->viewed); hash_walk_next(&it);) {
		const struct viewed *v = it.value;
		if (now_us - v->used_us > KEPT_US) {
			g_hash_table_iter_remove(&it.iter);
		} else if (v->used_us < oldest_us) {
			oldest = it.key;
			oldest_us = v->used_us;
		}
	}
	if (g_hash_table_size(p->viewed) > KEPT_BUILDS)
		g_hash_table_remove(p->viewed, oldest);
}

static void complete(control_pages *p, struct viewed *v, const char *ref, const Control__BuildHistoryRecord *record)
{
	timeline_set_record(v->timeline, record);
	v->completed = true;
	Explain__ExplainResponse *reasons = control_explain_build(p->builder, ref);
	if (reasons)
		timeline_explain(v->timeline, reasons);
	guard_free(reasons);
}

/* The build as it is now; borrowed until the next call. NULL: there is none. */
static struct viewed *find_build(control_pages *p, const char *ref)
{
	gint64 now_us = g_get_monotonic_time();
	g_autoptr(GPtrArray) events = *ref ? control_pages_events(p->builder, ref, false) : g_ptr_array_new();
	if (events->len == 0) {
		g_hash_table_remove(p->viewed, ref);
		return NULL;
	}
	const Control__BuildHistoryEvent *e = events->pdata[events->len - 1];
	struct viewed *v = g_hash_table_lookup(p->viewed, ref);
	if (!v) {
		v = viewed_new(p, ref, e->record);
		g_hash_table_insert(p->viewed, g_strdup(ref), v);
	}
	v->used_us = now_us;
	read_progress(v);
	if (e->record->completedat && !v->completed)
		complete(p, v, ref, e->record);
	forget_old(p, now_us);
	timeline_analyze(v->timeline, progress_now_ns());
	return v;
}

/* ---- pages */

static void not_found(struct control_page *ret, const char *ref)
{
	g_autofree char *shown = timeline_safe_text(ref);
	g_autofree char *text =
		g_strdup_printf("There is no running build and no build record with the ref \"%s\".", shown);
	ret->status = 404;
	ret->body = timeline_page_message("No such build", text, false);
}

static int compare_created(const void *a, const void *b)
{
	const struct timeline_entry *x = a, *y = b;
	bool x_runs = !x->completed_ns, y_runs = !y->completed_ns;
	if (x_runs != y_runs)
		return x_runs ? -1 : 1;
	return (x->created_ns < y->created_ns) - (x->created_ns > y->created_ns);
}

static void put_list(control_pages *p, struct control_page *ret)
{
	g_autoptr(GPtrArray) events = control_pages_events(p->builder, "", false);
	g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func((GDestroyNotify)timeline_free);
	g_autofree struct timeline_entry *entries = g_new0(struct timeline_entry, events->len + 1);
	for (guint i = 0; i < events->len; i++) {
		const Control__BuildHistoryRecord *r = ((Control__BuildHistoryEvent *)events->pdata[i])->record;
		timeline *t = timeline_new(r->ref, r);
		g_ptr_array_add(titles, t);
		entries[i] = (struct timeline_entry){
			.ref = r->ref,
			.title = t->title,
			.error = t->error,
			.created_ns = t->created_ns,
			.completed_ns = t->completed_ns,
			.n_steps = r->numtotalsteps,
			.n_cached = r->numcachedsteps,
			.n_warnings = r->numwarnings,
			.is_pinned = r->pinned,
		};
	}
	qsort(entries, events->len, sizeof *entries, compare_created);
	const struct timeline_page page = {.now_ns = progress_now_ns(), .is_served = true};
	ret->body = timeline_page_list(entries, events->len, &page);
}

static void put_compare(control_pages *p, const char *query, struct control_page *ret)
{
	g_autofree char *a = http_form_get(query, "a"), *b = http_form_get(query, "b");
	if (!a || !b) {
		ret->status = 400;
		ret->body = timeline_page_message("Two builds are needed",
						  "Select a first and a second build in the list.", false);
		return;
	}
	const struct viewed *first = find_build(p, a), *second = first ? find_build(p, b) : NULL;
	if (!first || !second) {
		not_found(ret, first ? b : a);
		return;
	}
	first = g_hash_table_lookup(p->viewed, a); /* both are kept: KEPT_BUILDS > 1, and it is the second newest */
	const struct timeline_page page = {.now_ns = progress_now_ns(), .is_served = true};
	ret->body = timeline_page_compare(first->timeline, second->timeline, &page);
}

static void put_build(struct viewed *v, const char *query, struct control_page *ret)
{
	const struct timeline_page page = {
		.now_ns = progress_now_ns(), .is_served = true, .is_live = !v->completed, .notice = v->notice};
	ret->body = timeline_page_build(v->timeline, &page);
}

static void put_file(struct viewed *v, const char *query, struct control_page *ret)
{
	const struct timeline_page page = {.now_ns = progress_now_ns(), .is_live = !v->completed, .notice = v->notice};
	ret->body = timeline_page_build(v->timeline, &page);
	ret->filename = g_strdup("build.html");
}

static void put_data(struct viewed *v, const char *query, struct control_page *ret)
{
	g_autofree char *since = http_form_get(query, "since");
	guint64 version = 0;
	if (since && !g_ascii_string_to_unsigned(since, 10, 0, G_MAXUINT64, &version, NULL))
		version = 0;
	ret->type = JSON;
	ret->body = timeline_json(v->timeline, version, progress_now_ns(), !v->completed);
}

static void put_trace(struct viewed *v, const char *query, struct control_page *ret)
{
	ret->type = JSON;
	ret->body = timeline_chrome_trace(v->timeline);
	ret->filename = g_strdup("trace.json");
}

static bool put_log(const struct viewed *v, const char *number, struct control_page *ret)
{
	guint64 n = 0;
	bool ok = g_ascii_string_to_unsigned(number, 10, 1, G_MAXUINT32, &n, NULL);
	const struct timeline_step *s = ok ? timeline_at(v->timeline, (unsigned)n) : NULL;
	if (!s)
		return false;
	ret->type = "text/plain; charset=utf-8";
	ret->body = timeline_step_log(s);
	return true;
}

/* words: REF, then what is below it. */
static bool put_below(control_pages *p, char **words, const char *query, struct control_page *ret)
{
	static const struct {
		const char *name; /* NULL: the build itself */
		void (*put)(struct viewed *v, const char *query, struct control_page *ret);
	} rows[] = {{NULL, put_build}, {"data.json", put_data}, {"trace.json", put_trace}, {"file.html", put_file}};
	g_autofree char *ref = g_uri_unescape_string(words[0], NULL);
	if (!ref || !*ref)
		return false;
	struct viewed *v = find_build(p, ref);
	if (!v) {
		not_found(ret, ref);
		return true;
	}
	if (words[1] && strcmp(words[1], "log") == 0)
		return words[2] && !words[3] && put_log(v, words[2], ret);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (g_strcmp0(rows[i].name, words[1]) != 0 || (words[1] && words[2]))
			continue;
		rows[i].put(v, query, ret);
		return true;
	}
	return false;
}

bool control_pages_get(control_pages *p, const char *path, const char *query, struct control_page *ret)
{
	g_auto(GStrv) words = g_strsplit(path, "/", 6);
	*ret = (struct control_page){.status = 200, .type = HTML};
	if (strcmp(path, "/") == 0)
		put_list(p, ret);
	else if (strcmp(path, "/compare") == 0)
		put_compare(p, query, ret);
	else if (words[0] && words[1] && strcmp(words[1], "builds") == 0 && words[2])
		return put_below(p, words + 2, query, ret);
	else
		return false;
	return true;
}
