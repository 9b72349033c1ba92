/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/status_maker.h"
#include "api/message.h"
#include <string.h>

static Google__Timestamp *stamp(int ms)
{
	return ms < 0 ? NULL : message_time_new(STATUS_NS(ms));
}

static ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){strlen(text), (uint8_t *)g_strdup(text)};
}

static void take(timeline *t, Control__StatusResponse *m)
{
	timeline_update(t, m);
	guard_free(m);
}

void status_vertex(timeline *t, const char *digest, const char *name, const char *inputs, int start_ms, int end_ms,
		   bool cached, const char *error)
{
	Control__StatusResponse *m = message_new(Control__StatusResponse, control__status_response);
	Control__Vertex *v = message_new(Control__Vertex, control__vertex);
	g_auto(GStrv) list = g_strsplit(inputs, " ", -1);
	v->digest = g_strdup(digest);
	v->name = g_strdup(name);
	v->started = stamp(start_ms);
	v->completed = stamp(end_ms);
	v->cached = cached;
	v->error = g_strdup(error ? error : "");
	for (char **input = list; *input; input++)
		message_append(v, inputs, g_strdup(*input));
	message_append(m, vertexes, v);
	take(t, m);
}

void status_status(timeline *t, const char *digest, const char *id, int64_t current, int64_t total, int start_ms,
		   int end_ms)
{
	Control__StatusResponse *m = message_new(Control__StatusResponse, control__status_response);
	Control__VertexStatus *s = message_new(Control__VertexStatus, control__vertex_status);
	s->vertex = g_strdup(digest);
	s->id = g_strdup(id);
	s->current = current;
	s->total = total;
	s->started = stamp(start_ms);
	s->completed = stamp(end_ms);
	s->timestamp = stamp(end_ms < 0 ? start_ms : end_ms);
	message_append(m, statuses, s);
	take(t, m);
}

void status_log(timeline *t, const char *digest, int ms, const char *text)
{
	Control__StatusResponse *m = message_new(Control__StatusResponse, control__status_response);
	Control__VertexLog *l = message_new(Control__VertexLog, control__vertex_log);
	l->vertex = g_strdup(digest);
	l->stream = 1;
	l->timestamp = stamp(ms);
	l->msg = bytes_of(text);
	message_append(m, logs, l);
	take(t, m);
}

void status_warning(timeline *t, const char *digest, const char *text, const char *source, int line)
{
	Control__StatusResponse *m = message_new(Control__StatusResponse, control__status_response);
	Control__VertexWarning *w = message_new(Control__VertexWarning, control__vertex_warning);
	w->vertex = g_strdup(digest);
	w->short_ = bytes_of(text);
	w->url = g_strdup("javascript:alert(1)");
	w->info = message_new(Pb__SourceInfo, pb__source_info);
	w->info->filename = g_strdup("Dockerfile");
	w->info->data = bytes_of(source);
	Pb__Range *range = message_new(Pb__Range, pb__range);
	range->start = message_new(Pb__Position, pb__position);
	range->end = message_new(Pb__Position, pb__position);
	range->start->line = range->end->line = line;
	message_append(w, ranges, range);
	message_append(m, warnings, w);
	take(t, m);
}
