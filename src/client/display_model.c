/* SPDX-License-Identifier: Apache-2.0 */
#include "client/display_model.h"
#include "api/message.h"
#include "base/text.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include <string.h>

#define COLOR_BYTES_MAX 64

static void status_free(gpointer data)
{
	struct model_status *s = data;
	g_free(s->id);
	g_free(s);
}

static void vertex_free(gpointer data)
{
	struct model_vertex *v = data;
	g_free(v->digest);
	g_free(v->name);
	g_free(v->error);
	g_array_unref(v->intervals);
	g_ptr_array_unref(v->statuses);
	g_ptr_array_unref(v->warnings);
	g_ptr_array_unref(v->logs);
	g_clear_pointer(&v->members, g_ptr_array_unref);
	g_queue_clear_full(&v->tail, g_free);
	g_free(v);
}

void model_init(struct model *m)
{
	m->vertices = g_ptr_array_new_with_free_func(vertex_free);
	m->by_digest = g_hash_table_new(g_str_hash, g_str_equal);
	m->started_ns = progress_now_ns();
}

void model_clear(struct model *m)
{
	g_hash_table_unref(m->by_digest);
	g_ptr_array_unref(m->vertices);
}

/* Control characters and bidirectional marks of untrusted text could control the terminal. */
static void append_safe(GString *out, gunichar c)
{
	bool bidi = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
	if (c == '\t')
		g_string_append_c(out, '\t');
	else if (c == '\n')
		g_string_append_c(out, ' ');
	else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || bidi)
		g_string_append_printf(out, "\\u%04x", c);
	else
		g_string_append_unichar(out, c);
}

char *model_safe_text(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *out = g_string_new(NULL);
	for (const char *p = valid; *p; p = g_utf8_next_char(p))
		append_safe(out, g_utf8_get_char(p));
	return g_string_free(out, FALSE);
}

/* Returns the length of a sequence that only sets colours and weight (ESC [ digits ; ... m), or 0. */
static size_t color_length(const char *p)
{
	size_t n = p[0] == 0x1b && p[1] == '[' ? 2 + strspn(p + 2, "0123456789;:") : 0;
	return n > 0 && n <= COLOR_BYTES_MAX && p[n] == 'm' ? n + 1 : 0;
}

char *model_safe_output(const char *line)
{
	g_autofree char *valid = g_utf8_make_valid(line, -1);
	GString *out = g_string_new(NULL);
	bool colored = false;
	for (const char *p = valid; *p;) {
		size_t color = color_length(p);
		if (color > 0) {
			g_string_append_len(out, p, (gssize)color);
			colored = true;
			p += color;
			continue;
		}
		if (*p == '\r' && p[1] && p[1] != '\n')
			g_string_append_c(out, '\n');
		else if (*p == '\n')
			g_string_append_c(out, '\n');
		else if (*p != '\r')
			append_safe(out, g_utf8_get_char(p));
		p = g_utf8_next_char(p);
	}
	if (colored)
		g_string_append(out, "\x1b[0m");
	return g_string_free(out, FALSE);
}

char *model_safe_lines(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autofree char *raw = *line;
		size_t n = strlen(raw);
		if (n > 0 && raw[n - 1] == '\r') /* CR of a CRLF line end */
			raw[n - 1] = '\0';
		*line = model_safe_text(raw);
	}
	return g_strjoinv("\n", lines);
}

static struct model_vertex *vertex_new(struct model *m, const char *digest, const char *name)
{
	struct model_vertex *v = g_new0(struct model_vertex, 1);
	v->digest = g_strdup(digest);
	v->name = model_safe_text(name);
	v->intervals = g_array_new(FALSE, TRUE, sizeof(struct model_interval));
	v->statuses = g_ptr_array_new_with_free_func(status_free);
	v->warnings = g_ptr_array_new_with_free_func(g_free);
	v->logs = g_ptr_array_new_with_free_func(g_free);
	g_queue_init(&v->tail);
	g_ptr_array_add(m->vertices, v);
	g_hash_table_insert(m->by_digest, v->digest, v);
	return v;
}

/* Returns the row of a digest; members of a group share the group's row. */
static struct model_vertex *row_find(struct model *m, const char *digest)
{
	struct model_vertex *v = g_hash_table_lookup(m->by_digest, digest);
	return v && v->group ? v->group : v;
}

static void touch(struct model_vertex *v)
{
	v->updated = true;
	v->count++;
	if (v->first_update_us == 0)
		v->first_update_us = g_get_monotonic_time();
}

static void interval_set(struct model_vertex *v, int64_t start_ns, int64_t end_ns)
{
	for (guint i = 0; i < v->intervals->len; i++) {
		struct model_interval *known = &g_array_index(v->intervals, struct model_interval, i);
		if (known->start_ns != start_ns)
			continue;
		known->end_ns = end_ns;
		return;
	}
	struct model_interval fresh = {start_ns, end_ns};
	g_array_append_val(v->intervals, fresh);
}

/* Recomputes the state of a group from its members. */
static void group_refresh(struct model_vertex *g)
{
	g->started_ns = g->completed_ns = 0;
	g->cached = true;
	g_clear_pointer(&g->error, g_free);
	bool open = false, hidden = true;
	for (guint i = 0; i < g->members->len; i++) {
		const struct model_vertex *v = g->members->pdata[i];
		if (!v->started_ns)
			continue;
		hidden = hidden && v->hidden;
		if (!g->started_ns || v->started_ns < g->started_ns)
			g->started_ns = v->started_ns;
		open = open || !v->completed_ns;
		g->completed_ns = MAX(g->completed_ns, v->completed_ns);
		g->cached = g->cached && v->cached;
		if (v->error && !g->error)
			g->error = g_strdup(v->error);
		for (guint k = 0; k < v->intervals->len; k++) {
			const struct model_interval *t = &g_array_index(v->intervals, struct model_interval, k);
			interval_set(g, t->start_ns, t->end_ns);
		}
	}
	g->hidden = hidden && !(g->error && g->members->len > 1); /* a second member may have failed */
	if (open)
		g->completed_ns = 0;
}

static void join_group(struct model *m, struct model_vertex *v, const Pb__ProgressGroup *wire)
{
	g_autofree char *key = g_strdup_printf("group:%s", wire->id);
	struct model_vertex *group = g_hash_table_lookup(m->by_digest, key);
	if (!group) {
		group = vertex_new(m, key, wire->name);
		group->members = g_ptr_array_new();
	}
	v->group = group;
	v->hidden = wire->weak;
	g_ptr_array_add(group->members, v);
}

static void update_vertex(struct model *m, const Control__Vertex *wire)
{
	struct model_vertex *v = g_hash_table_lookup(m->by_digest, wire->digest);
	if (!v) {
		v = vertex_new(m, wire->digest, wire->name);
		if (wire->progressgroup)
			join_group(m, v, wire->progressgroup);
	}
	v->started_ns = message_time_ns(wire->started);
	v->completed_ns = message_time_ns(wire->completed);
	v->cached = wire->cached;
	g_clear_pointer(&v->error, g_free);
	if (*wire->error)
		v->error = model_safe_lines(wire->error);
	if (v->started_ns)
		interval_set(v, v->started_ns, v->completed_ns);
	if (v->group)
		group_refresh(v->group);
	if (v->started_ns)
		touch(v->group ? v->group : v);
}

static void update_status(struct model *m, const Control__VertexStatus *wire)
{
	struct model_vertex *v = row_find(m, wire->vertex);
	if (!v)
		return;
	struct model_status *s = NULL;
	for (guint i = 0; i < v->statuses->len && !s; i++)
		if (strcmp(((struct model_status *)v->statuses->pdata[i])->id, wire->id) == 0)
			s = v->statuses->pdata[i];
	if (!s) {
		s = g_new0(struct model_status, 1);
		s->id = model_safe_text(wire->id);
		g_ptr_array_add(v->statuses, s);
	}
	s->current = wire->current;
	s->total = wire->total;
	s->started_ns = message_time_ns(wire->started);
	s->completed_ns = message_time_ns(wire->completed);
	s->time_ns = message_time_ns(wire->timestamp);
	s->updated = true;
	touch(v);
}

/* Formats seconds: 3 decimals below 10 s, 2 below 100 s, else 1. */
static char *timed_line(const struct model_vertex *v, int64_t time_ns, const char *text, size_t n)
{
	double seconds = v->started_ns ? (double)(time_ns - v->started_ns) / 1e9 : 0;
	int decimals = seconds < 10 ? 3 : seconds < 100 ? 2 : 1;
	return g_strdup_printf("%.*f %.*s", decimals, seconds, (int)n, text);
}

static void update_log(struct model *m, const Control__VertexLog *wire)
{
	struct model_vertex *v = row_find(m, wire->vertex);
	if (!v)
		return;
	const char *at = (const char *)wire->msg.data, *end = at + wire->msg.len;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);
		size_t text = n > 0 && at[n - 1] == '\r' ? n - 1 : n;
		if (v->log_is_partial && v->logs->len > 0) {
			g_autofree char *old = g_steal_pointer(&v->logs->pdata[v->logs->len - 1]);
			v->logs->pdata[v->logs->len - 1] = g_strdup_printf("%s%.*s", old, (int)text, at);
		} else {
			g_ptr_array_add(v->logs, timed_line(v, message_time_ns(wire->timestamp), at, text));
		}
		v->log_is_partial = !newline;
		if (newline)
			g_queue_push_tail(&v->tail, g_strdup(v->logs->pdata[v->logs->len - 1]));
		if (v->tail.length > MODEL_TAIL_LINES)
			g_free(g_queue_pop_head(&v->tail));
		at = newline ? newline + 1 : end;
	}
	touch(v);
}

static void update_warning(struct model *m, const Control__VertexWarning *wire)
{
	struct model_vertex *v = row_find(m, wire->vertex);
	if (!v)
		return;
	g_autofree char *text = text_from_data(wire->short_.data, wire->short_.len);
	g_ptr_array_add(v->warnings, model_safe_text(text));
	touch(v);
}

void model_update(struct model *m, const Control__StatusResponse *message)
{
	for (size_t i = 0; i < message->n_vertexes; i++)
		update_vertex(m, message->vertexes[i]);
	for (size_t i = 0; i < message->n_statuses; i++)
		update_status(m, message->statuses[i]);
	for (size_t i = 0; i < message->n_warnings; i++)
		update_warning(m, message->warnings[i]);
	for (size_t i = 0; i < message->n_logs; i++)
		update_log(m, message->logs[i]);
}

bool model_vertex_is_running(const struct model_vertex *v)
{
	return v->started_ns && !v->completed_ns;
}

bool model_vertex_is_canceled(const struct model_vertex *v)
{
	return v->error && g_str_has_suffix(v->error, "context canceled");
}

static int compare_intervals(const void *a, const void *b)
{
	const struct model_interval *x = a, *y = b;
	return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

double model_vertex_seconds(const struct model_vertex *v, int64_t now_ns)
{
	g_autoptr(GArray) sorted = g_array_copy(v->intervals);
	g_array_sort(sorted, compare_intervals);
	int64_t sum = 0, covered = 0;
	for (guint i = 0; i < sorted->len; i++) {
		const struct model_interval *t = &g_array_index(sorted, struct model_interval, i);
		int64_t end = t->end_ns ? t->end_ns : now_ns;
		int64_t start = MAX(t->start_ns, covered);
		if (end > start)
			sum += end - start;
		covered = MAX(covered, end);
	}
	return (double)sum / 1e9;
}

char *model_status_text(const struct model_status *s)
{
	GString *out = g_string_new(s->id);
	g_autofree char *current = size_format(s->current);
	g_autofree char *total = size_format(s->total);
	if (s->total != 0)
		g_string_append_printf(out, " %s / %s", current, total);
	else if (s->current != 0)
		g_string_append_printf(out, " %s", current);
	int64_t end = s->completed_ns ? s->completed_ns : s->time_ns;
	double seconds = s->started_ns ? (double)(end - s->started_ns) / 1e9 : 0;
	if (seconds > 0.01)
		g_string_append_printf(out, " %.1fs", seconds);
	if (s->completed_ns)
		g_string_append(out, " done");
	return g_string_free(out, FALSE);
}
