/* SPDX-License-Identifier: Apache-2.0 */
#include "history/status_wire.h"
#include "api/message.h"
#include "api/message_copy.h"
#include "control.pb-c.h"
#include <string.h>

#define LOG_BYTES_PER_MESSAGE (1024 * 1024)

/*
 * Events are packed from wire structs that borrow the strings of the events: only the structs are allocated, in one
 * arena per batch.
 */
struct packer {
	arena *arena;        /* owned */
	GPtrArray *vertexes; /* element type: Control__Vertex * */
	GPtrArray *statuses;
	GPtrArray *logs;
	GPtrArray *warnings;
	size_t log_bytes;
	GPtrArray *messages; /* result */
};

static Google__Timestamp *timestamp(struct packer *p, int64_t ns)
{
	if (ns == 0)
		return NULL;
	Google__Timestamp *t = message_new_in(p->arena, Google__Timestamp, google__timestamp);
	message_set_time(t, ns);
	return t;
}

/* protobuf-c's strings are not const, although packing only reads them. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

static void add_vertex(struct packer *p, const struct progress_event *e)
{
	Control__Vertex *v = message_new_in(p->arena, Control__Vertex, control__vertex);
	v->digest = text(e->v.digest);
	v->inputs = (char **)(uintptr_t)e->v.inputs;
	v->n_inputs = e->v.n_inputs;
	v->name = text(e->v.name);
	v->cached = e->v.cached;
	v->started = timestamp(p, e->v.started_ns);
	v->completed = timestamp(p, e->v.completed_ns);
	v->error = text(e->v.error);
	if (e->v.group_id) {
		v->progressgroup = message_new_in(p->arena, Pb__ProgressGroup, pb__progress_group);
		v->progressgroup->id = text(e->v.group_id);
		v->progressgroup->name = text(e->v.group_name);
		v->progressgroup->weak = e->v.group_weak;
	}
	g_ptr_array_add(p->vertexes, v);
}

static void add_status(struct packer *p, const struct progress_event *e)
{
	Control__VertexStatus *s = message_new_in(p->arena, Control__VertexStatus, control__vertex_status);
	s->id = text(e->status.id);
	s->vertex = text(e->vertex);
	s->name = text(e->status.name);
	s->current = e->status.current;
	s->total = e->status.total;
	s->timestamp = timestamp(p, e->time_ns);
	s->started = timestamp(p, e->status.started_ns);
	s->completed = timestamp(p, e->status.completed_ns);
	g_ptr_array_add(p->statuses, s);
}

static void add_warning(struct packer *p, const struct progress_event *e)
{
	Control__VertexWarning *w = message_new_in(p->arena, Control__VertexWarning, control__vertex_warning);
	w->vertex = text(e->vertex);
	w->level = e->warning.level;
	w->short_.data = (uint8_t *)text(e->warning.text);
	w->short_.len = strlen(text(e->warning.text));
	w->url = text(e->warning.url);
	w->n_detail = e->warning.detail ? g_strv_length((char **)(uintptr_t)e->warning.detail) : 0;
	w->detail = arena_alloc(p->arena, (w->n_detail + 1) * sizeof *w->detail);
	for (size_t i = 0; i < w->n_detail; i++)
		w->detail[i] =
			(ProtobufCBinaryData){strlen(e->warning.detail[i]), (uint8_t *)text(e->warning.detail[i])};
	if (e->warning.source_name && *e->warning.source_name) {
		w->info = message_new_in(p->arena, Pb__SourceInfo, pb__source_info);
		w->info->filename = text(e->warning.source_name);
		w->info->language = text(e->warning.source_language);
		w->info->data =
			(ProtobufCBinaryData){e->warning.source_len, (uint8_t *)(uintptr_t)e->warning.source_bytes};
	}
	w->n_ranges = e->warning.n_ranges;
	w->ranges = arena_alloc(p->arena, (w->n_ranges + 1) * sizeof *w->ranges);
	for (size_t i = 0; i < w->n_ranges; i++) {
		const struct progress_range *from = &e->warning.ranges[i];
		Pb__Range *range = w->ranges[i] = message_new_in(p->arena, Pb__Range, pb__range);
		range->start = message_new_in(p->arena, Pb__Position, pb__position);
		range->end = message_new_in(p->arena, Pb__Position, pb__position);
		range->start->line = from->start_line;
		range->start->character = from->start_character;
		range->end->line = from->end_line;
		range->end->character = from->end_character;
	}
	g_ptr_array_add(p->warnings, w);
}

static void flush(struct packer *p);

static void add_log(struct packer *p, const struct progress_event *e)
{
	if (p->log_bytes > 0 && p->log_bytes + e->log.len > LOG_BYTES_PER_MESSAGE)
		flush(p);
	Control__VertexLog *l = message_new_in(p->arena, Control__VertexLog, control__vertex_log);
	l->vertex = text(e->vertex);
	l->timestamp = timestamp(p, e->time_ns);
	l->stream = e->log.stream;
	l->msg = (ProtobufCBinaryData){e->log.len, (uint8_t *)(uintptr_t)e->log.bytes};
	p->log_bytes += e->log.len;
	g_ptr_array_add(p->logs, l);
}

static int compare_times(const Google__Timestamp *a, const Google__Timestamp *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	return (a->nanos > b->nanos) - (a->nanos < b->nanos);
}

static int compare_vertexes(const void *a, const void *b)
{
	return compare_times((*(Control__Vertex *const *)a)->started, (*(Control__Vertex *const *)b)->started);
}

static int compare_statuses(const void *a, const void *b)
{
	return compare_times((*(Control__VertexStatus *const *)a)->timestamp,
			     (*(Control__VertexStatus *const *)b)->timestamp);
}

/* g_ptr_array_sort is a merge sort: events with equal times keep their order. */
static void flush(struct packer *p)
{
	if (p->vertexes->len + p->statuses->len + p->logs->len + p->warnings->len == 0)
		return;
	g_ptr_array_sort(p->vertexes, compare_vertexes);
	g_ptr_array_sort(p->statuses, compare_statuses);
	Control__StatusResponse message = CONTROL__STATUS_RESPONSE__INIT;
	message.vertexes = (Control__Vertex **)p->vertexes->pdata;
	message.n_vertexes = p->vertexes->len;
	message.statuses = (Control__VertexStatus **)p->statuses->pdata;
	message.n_statuses = p->statuses->len;
	message.logs = (Control__VertexLog **)p->logs->pdata;
	message.n_logs = p->logs->len;
	message.warnings = (Control__VertexWarning **)p->warnings->pdata;
	message.n_warnings = p->warnings->len;
	g_ptr_array_add(p->messages, message_pack(&message));
	GPtrArray *used[] = {p->vertexes, p->statuses, p->logs, p->warnings};
	for (size_t i = 0; i < G_N_ELEMENTS(used); i++)
		g_ptr_array_set_size(used[i], 0);
	p->log_bytes = 0;
}

GPtrArray *status_wire_pack(const GPtrArray *events)
{
	struct packer p = {
		.arena = arena_new(),
		.vertexes = g_ptr_array_new(),
		.statuses = g_ptr_array_new(),
		.logs = g_ptr_array_new(),
		.warnings = g_ptr_array_new(),
		.messages = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
	};
	static void (*const add[])(struct packer *, const struct progress_event *) = {
		[PROGRESS_VERTEX] = add_vertex,
		[PROGRESS_STATUS] = add_status,
		[PROGRESS_LOG] = add_log,
		[PROGRESS_WARNING] = add_warning,
	};
	for (guint i = 0; i < events->len; i++) {
		const struct progress_event *e = events->pdata[i];
		add[e->type](&p, e);
	}
	flush(&p);
	arena_free(p.arena);
	GPtrArray *done[] = {p.vertexes, p.statuses, p.logs, p.warnings};
	for (size_t i = 0; i < G_N_ELEMENTS(done); i++)
		g_ptr_array_unref(done[i]);
	return p.messages;
}
