/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/timeline.h"
#include "api/message.h"
#include "base/text.h"
#include "timeline/excerpt.h"
#include "timeline/text.h"
#include <string.h>

#define CACHE_MISS "cache miss: "
#define SHORT_BYTES (64 * 1024) /* of a text that is shown in one piece */

static void status_free(gpointer data)
{
	struct timeline_status *s = data;
	g_free(s->id);
	g_free(s);
}

static void warning_free(gpointer data)
{
	struct timeline_warning *w = data;
	g_free(w->text);
	g_free(w->detail);
	g_free(w->url);
	g_free(w->source_name);
	g_free(w->excerpt);
	g_free(w);
}

static void step_free(gpointer data)
{
	struct timeline_step *s = data;
	g_free(s->digest);
	g_free(s->name);
	g_free(s->group);
	g_free(s->error);
	g_strfreev(s->inputs);
	g_array_unref(s->spans);
	g_ptr_array_unref(s->statuses);
	g_ptr_array_unref(s->warnings);
	g_string_free(s->log, TRUE);
	g_free(s->miss);
	g_ptr_array_unref(s->changes);
	g_free(s->compared_with);
	g_free(s);
}

timeline *timeline_new(const char *ref, const Control__BuildHistoryRecord *record)
{
	timeline *t = g_new0(timeline, 1);
	t->ref = timeline_safe_text(ref);
	t->title = g_strdup("");
	t->facts = g_ptr_array_new_with_free_func(g_free);
	t->steps = g_ptr_array_new_with_free_func(step_free);
	t->by_digest = g_hash_table_new(g_str_hash, g_str_equal);
	t->critical = g_ptr_array_new();
	if (record)
		timeline_set_record(t, record);
	return t;
}

void timeline_free(timeline *t)
{
	if (!t)
		return;
	g_free(t->ref);
	g_free(t->title);
	g_free(t->error);
	g_ptr_array_unref(t->facts);
	g_hash_table_unref(t->by_digest);
	g_ptr_array_unref(t->critical);
	g_ptr_array_unref(t->steps);
	g_free(t);
}

/* ---- the record */

static void add_fact(timeline *t, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	g_ptr_array_add(t->facts, timeline_safe_text(name));
	g_ptr_array_add(t->facts, timeline_safe_text(value));
}

/* What tells builds apart: where the Dockerfile is from, its target and platform. */
static char *title_of(const Control__BuildHistoryRecord *r)
{
	static const char *const keys[] = {"vcs:source", "context", "filename", "source", "target", "platform"};
	GString *out = g_string_new(NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const char *value = message_map_find(r, frontendattrs, keys[i]);
		if (value && *value && !(i == 1 && out->len > 0))
			g_string_append_printf(out, "%s%s", out->len ? " · " : "", value);
	}
	if (out->len == 0)
		g_string_append(out, r->frontend);
	g_autofree char *raw = g_string_free(out, FALSE);
	return timeline_safe_text(raw);
}

static int compare_attrs(const void *a, const void *b)
{
	return strcmp((*(Control__BuildHistoryRecord__FrontendAttrsEntry *const *)a)->key,
		      (*(Control__BuildHistoryRecord__FrontendAttrsEntry *const *)b)->key);
}

void timeline_set_record(timeline *t, const Control__BuildHistoryRecord *r)
{
	g_autofree Control__BuildHistoryRecord__FrontendAttrsEntry **sorted =
		g_memdup2(r->frontendattrs, r->n_frontendattrs * sizeof *r->frontendattrs);
	g_free(t->title);
	t->title = title_of(r);
	g_ptr_array_set_size(t->facts, 0);
	add_fact(t, "frontend", r->frontend);
	if (sorted)
		qsort(sorted, r->n_frontendattrs, sizeof *sorted, compare_attrs);
	for (size_t i = 0; i < r->n_frontendattrs; i++)
		add_fact(t, sorted[i]->key, sorted[i]->value);
	for (size_t i = 0; i < r->n_exporters; i++) {
		const Control__Exporter *e = r->exporters[i];
		const char *name = message_map_find(e, attrs, "name");
		g_autofree char *value = g_strconcat(e->type, name && *name ? " " : NULL, name, NULL);
		add_fact(t, "output", value);
	}
	t->created_ns = message_time_ns(r->createdat);
	t->completed_ns = message_time_ns(r->completedat);
	g_clear_pointer(&t->error, g_free);
	if (r->error && *r->error->message)
		t->error = timeline_text_lines(r->error->message, strnlen(r->error->message, SHORT_BYTES));
}

/* ---- messages of Status */

struct timeline_step *timeline_find(const timeline *t, const char *digest)
{
	return g_hash_table_lookup(t->by_digest, digest);
}

struct timeline_step *timeline_at(const timeline *t, unsigned number)
{
	return number > 0 && number <= t->steps->len ? t->steps->pdata[number - 1] : NULL;
}

static struct timeline_step *step_new(timeline *t, const Control__Vertex *wire)
{
	struct timeline_step *s = g_new0(struct timeline_step, 1);
	s->digest = g_strdup(wire->digest);
	s->name = timeline_safe_text(*wire->name ? wire->name : wire->digest);
	s->group = timeline_safe_text(wire->progressgroup ? wire->progressgroup->name : "");
	s->inputs = g_new0(char *, wire->n_inputs + 1);
	for (size_t i = 0; i < wire->n_inputs; i++)
		s->inputs[i] = g_strdup(wire->inputs[i]);
	s->spans = g_array_new(FALSE, TRUE, sizeof(struct timeline_span));
	s->statuses = g_ptr_array_new_with_free_func(status_free);
	s->warnings = g_ptr_array_new_with_free_func(warning_free);
	s->changes = g_ptr_array_new_with_free_func(g_free);
	s->log = g_string_new(NULL);
	g_ptr_array_add(t->steps, s);
	s->number = t->steps->len;
	g_hash_table_insert(t->by_digest, s->digest, s);
	return s;
}

static void span_set(struct timeline_step *s, int64_t start_ns, int64_t end_ns)
{
	if (end_ns && end_ns < start_ns)
		end_ns = start_ns;
	for (guint i = s->spans->len; i > 0; i--) {
		struct timeline_span *known = &g_array_index(s->spans, struct timeline_span, i - 1);
		if (known->start_ns == start_ns) {
			known->end_ns = end_ns;
			return;
		}
	}
	struct timeline_span fresh = {start_ns, end_ns};
	if (s->spans->len < TIMELINE_ITEMS)
		g_array_append_val(s->spans, fresh);
}

static void update_vertex(timeline *t, const Control__Vertex *wire)
{
	struct timeline_step *s = timeline_find(t, wire->digest);
	if (!s && t->steps->len >= TIMELINE_STEPS) {
		t->steps_left_out++;
		return;
	}
	if (!s)
		s = step_new(t, wire);
	int64_t start_ns = message_time_ns(wire->started);
	s->version = t->version;
	s->cached = wire->cached;
	if (start_ns > 0)
		span_set(s, start_ns, message_time_ns(wire->completed));
	g_clear_pointer(&s->error, g_free);
	if (*wire->error)
		s->error = timeline_text_lines(wire->error, strnlen(wire->error, SHORT_BYTES));
}

static enum timeline_phase phase_of(const char *id)
{
	static const struct {
		const char *prefix;
		enum timeline_phase phase;
	} rows[] = {
		{"resolve ", TIMELINE_RESOLVE},    {"sha256:", TIMELINE_PULL},
		{"transferring ", TIMELINE_PULL},  {"extracting ", TIMELINE_UNPACK},
		{"unpacking ", TIMELINE_UNPACK},   {"exporting ", TIMELINE_COMPRESS},
		{"preparing ", TIMELINE_COMPRESS}, {"rewriting ", TIMELINE_COMPRESS},
		{"pushing ", TIMELINE_PUSH},       {"sending ", TIMELINE_PUSH},
		{"writing ", TIMELINE_PUSH},       {"copying ", TIMELINE_PUSH},
		{"naming ", TIMELINE_PUSH},        {"inferred cache ", TIMELINE_CACHE},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (g_str_has_prefix(id, rows[i].prefix))
			return rows[i].phase;
	return TIMELINE_RUN;
}

static struct timeline_status *status_find(const struct timeline_step *s, const char *id)
{
	for (guint i = s->statuses->len; i > 0; i--)
		if (strcmp(((struct timeline_status *)s->statuses->pdata[i - 1])->id, id) == 0)
			return s->statuses->pdata[i - 1];
	return NULL;
}

static void update_status(timeline *t, const Control__VertexStatus *wire)
{
	struct timeline_step *s = timeline_find(t, wire->vertex);
	if (!s)
		return;
	s->version = t->version;
	g_autofree char *id = timeline_safe_text(wire->id);
	if (g_str_has_prefix(id, CACHE_MISS)) {
		g_free(s->miss);
		s->miss = g_strdup(id + strlen(CACHE_MISS));
		return;
	}
	struct timeline_status *known = status_find(s, id);
	if (!known && s->statuses->len >= TIMELINE_ITEMS)
		return;
	if (!known) {
		known = g_new0(struct timeline_status, 1);
		known->phase = phase_of(id);
		known->id = g_steal_pointer(&id);
		g_ptr_array_add(s->statuses, known);
	}
	known->current = wire->current;
	known->total = wire->total;
	known->start_ns = message_time_ns(wire->started);
	known->end_ns = message_time_ns(wire->completed);
	known->time_ns = message_time_ns(wire->timestamp);
	s->updated_ns = MAX(s->updated_ns, known->time_ns);
}

/* A line begins with the seconds since the step started. */
static void log_begin_line(struct timeline_step *s, int64_t time_ns)
{
	int64_t start_ns = timeline_step_start(s);
	double seconds = start_ns && time_ns > start_ns ? (double)(time_ns - start_ns) / 1e9 : 0;
	g_string_append_printf(s->log, "%9.3f  ", seconds);
	s->log_in_line = true;
}

static void update_log(timeline *t, const Control__VertexLog *wire)
{
	struct timeline_step *s = timeline_find(t, wire->vertex);
	if (!s)
		return;
	s->version = t->version;
	s->updated_ns = MAX(s->updated_ns, message_time_ns(wire->timestamp));
	const char *at = (const char *)wire->msg.data, *end = at + wire->msg.len;
	if (s->log->len + wire->msg.len > TIMELINE_STEP_LOG_BYTES ||
	    t->log_bytes + wire->msg.len > TIMELINE_LOG_BYTES) {
		s->log_left_out += wire->msg.len;
		return;
	}
	size_t before = s->log->len;
	while (at < end) {
		size_t escape = timeline_text_escape(at, (size_t)(end - at)), n = 0;
		at += escape;
		if (escape > 0)
			continue;
		if (!s->log_in_line)
			log_begin_line(s, message_time_ns(wire->timestamp));
		while (at + n < end && at[n] != '\n' && at[n] != '\r' && at[n] != 0x1b)
			n++;
		timeline_text_append(s->log, at, n, false);
		at += n;
		if (at < end && *at == 0x1b && timeline_text_escape(at, (size_t)(end - at)) == 0) {
			timeline_text_append(s->log, at++, 1, false);
		} else if (at < end && *at != 0x1b) {
			bool pair = *at == '\r' && at + 1 < end && at[1] == '\n';
			g_string_append_c(s->log, '\n');
			s->log_in_line = false;
			at += pair ? 2 : 1;
		}
	}
	t->log_bytes += s->log->len - before;
}

static void update_warning(timeline *t, const Control__VertexWarning *wire)
{
	struct timeline_step *s = timeline_find(t, wire->vertex);
	if (!s || s->warnings->len >= TIMELINE_ITEMS)
		return;
	s->version = t->version;
	struct timeline_warning *w = g_new0(struct timeline_warning, 1);
	g_autoptr(GString) detail = g_string_new(NULL);
	w->text = timeline_text_lines((const char *)wire->short_.data, MIN(wire->short_.len, SHORT_BYTES));
	for (size_t i = 0; i < wire->n_detail && detail->len < SHORT_BYTES; i++) {
		timeline_text_append(detail, (const char *)wire->detail[i].data, MIN(wire->detail[i].len, SHORT_BYTES),
				     true);
		g_string_append_c(detail, '\n');
	}
	w->detail = g_strdup(detail->str);
	w->url = timeline_safe_text(wire->url);
	w->source_name = timeline_safe_text(wire->info ? wire->info->filename : "");
	w->excerpt = timeline_excerpt(wire);
	g_ptr_array_add(s->warnings, w);
}

void timeline_update(timeline *t, const Control__StatusResponse *message)
{
	t->version++;
	for (size_t i = 0; i < message->n_vertexes; i++)
		update_vertex(t, message->vertexes[i]);
	for (size_t i = 0; i < message->n_statuses; i++)
		update_status(t, message->statuses[i]);
	for (size_t i = 0; i < message->n_warnings; i++)
		update_warning(t, message->warnings[i]);
	for (size_t i = 0; i < message->n_logs; i++)
		update_log(t, message->logs[i]);
}

/* ---- cache misses */

static void explain_step(struct timeline_step *s, const Explain__Step *e)
{
	g_ptr_array_set_size(s->changes, 0);
	for (size_t i = 0; i < e->n_facts && i < TIMELINE_ITEMS; i++) {
		const Explain__Fact *f = e->facts[i];
		bool values = *f->before || *f->after;
		g_autofree char *text =
			g_strconcat(f->change, " ", f->name, values ? ": " : NULL, *f->before ? f->before : "-", " -> ",
				    *f->after ? f->after : "-", NULL);
		g_ptr_array_add(s->changes, timeline_safe_text(text));
	}
	for (size_t i = 0; i < e->n_files && i < TIMELINE_ITEMS; i++) {
		g_autofree char *text = g_strconcat(e->files[i]->change, " ", e->files[i]->path, NULL);
		g_ptr_array_add(s->changes, timeline_safe_text(text));
	}
	g_free(s->miss);
	s->miss = timeline_safe_text(*e->reason    ? e->reason
				     : *e->earlier ? "the step is the same as before"
						   : "no earlier run of this step is known");
	g_free(s->compared_with);
	s->compared_with = *e->earlier ? timeline_safe_text(e->earlier) : NULL;
}

void timeline_explain(timeline *t, const Explain__ExplainResponse *reply)
{
	g_autoptr(GHashTable) by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < reply->n_steps; i++)
		g_hash_table_insert(by_name, timeline_safe_text(reply->steps[i]->name), reply->steps[i]);
	for (guint i = 0; i < t->steps->len; i++) {
		struct timeline_step *s = t->steps->pdata[i];
		const Explain__Step *e = s->cached ? NULL : g_hash_table_lookup(by_name, s->name);
		if (e)
			explain_step(s, e);
	}
}

/* ---- steps */

int64_t timeline_step_start(const struct timeline_step *s)
{
	int64_t start_ns = 0;
	for (guint i = 0; i < s->spans->len; i++) {
		const struct timeline_span *span = &g_array_index(s->spans, struct timeline_span, i);
		if (!start_ns || span->start_ns < start_ns)
			start_ns = span->start_ns;
	}
	return start_ns;
}

int64_t timeline_step_end(const struct timeline_step *s)
{
	int64_t end_ns = 0;
	for (guint i = 0; i < s->spans->len; i++) {
		const struct timeline_span *span = &g_array_index(s->spans, struct timeline_span, i);
		if (!span->end_ns)
			return 0;
		end_ns = MAX(end_ns, span->end_ns);
	}
	return end_ns;
}

enum timeline_state timeline_step_state(const struct timeline_step *s)
{
	if (s->spans->len == 0)
		return TIMELINE_PENDING;
	if (s->error)
		return g_str_has_suffix(s->error, "context canceled") ? TIMELINE_CANCELED : TIMELINE_FAILED;
	if (!timeline_step_end(s))
		return TIMELINE_RUNNING;
	return s->cached ? TIMELINE_CACHED : TIMELINE_DONE;
}

const char *timeline_state_id(enum timeline_state state)
{
	static const char *const ids[] = {"pending", "running", "cached", "done", "failed", "canceled"};
	return ids[state];
}

const char *timeline_phase_id(enum timeline_phase phase)
{
#define PHASE_ID(name, id, text) id,
	static const char *const ids[] = {TIMELINE_PHASES(PHASE_ID)};
	return ids[phase];
}

const char *timeline_phase_text(enum timeline_phase phase)
{
#define PHASE_TEXT(name, id, text) text,
	static const char *const texts[] = {TIMELINE_PHASES(PHASE_TEXT)};
	return texts[phase];
}
