/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/event.h"
#include "format/url_redact.h"
#include <string.h>

struct vertex_info *vertex_info_new(const struct progress_vertex *v)
{
	struct vertex_info *info = g_new0(struct vertex_info, 1);
	info->refs = 1;
	info->digest = g_strdup(v->digest);
	info->name = url_redact_copy(v->name ? v->name : "");
	info->group_id = g_strdup(v->group_id);
	info->group_name = url_redact_copy(v->group_name);
	info->group_weak = v->group_weak;
	info->inputs = g_new0(char *, v->n_inputs + 1);
	info->n_inputs = v->n_inputs;
	for (size_t i = 0; i < v->n_inputs; i++)
		info->inputs[i] = g_strdup(v->inputs[i]);
	return info;
}

void vertex_info_unref(struct vertex_info *info)
{
	if (!g_atomic_int_dec_and_test(&info->refs))
		return;
	g_free(info->digest);
	g_free(info->name);
	g_free(info->group_id);
	g_free(info->group_name);
	g_strfreev(info->inputs);
	g_free(info);
}

/* extra: number of bytes after the struct for data of the event. */
static struct event *event_new(struct vertex_info *info, enum progress_event_type type, size_t extra)
{
	struct event *e = g_malloc0(sizeof *e + extra);
	e->refs = 1;
	g_atomic_int_inc(&info->refs);
	e->info = info;
	e->public.type = type;
	e->public.vertex = info->digest;
	e->public.time_ns = progress_now_ns();
	return e;
}

struct event *event_ref(struct event *e)
{
	g_atomic_int_inc(&e->refs);
	return e;
}

void event_unref(struct event *e)
{
	if (!g_atomic_int_dec_and_test(&e->refs))
		return;
	vertex_info_unref(e->info);
	g_free(e->error);
	g_free(e);
}

struct event *event_new_vertex(struct vertex_info *info, const struct vertex_times *times)
{
	struct event *e = event_new(info, PROGRESS_VERTEX, 0);
	e->error = url_redact_copy(times->error);
	e->public.v = (struct progress_vertex){
		.digest = info->digest,
		.inputs = (const char *const *)info->inputs,
		.n_inputs = info->n_inputs,
		.name = info->name,
		.group_id = info->group_id,
		.group_name = info->group_name,
		.group_weak = info->group_weak,
		.cached = times->cached,
		.started_ns = times->started_ns,
		.completed_ns = times->completed_ns,
		.error = e->error,
	};
	return e;
}

/* ---- events with variable-length data, stored after the struct */

struct buffer {
	char *next;
};

static struct buffer buffer_of(struct event *e)
{
	return (struct buffer){.next = (char *)(e + 1)};
}

static void *buffer_put(struct buffer *buffer, const void *bytes, size_t n)
{
	void *at = buffer->next;
	if (n > 0)
		memcpy(at, bytes, n);
	buffer->next += n;
	return at;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *buffer_put_text(struct buffer *buffer, const char *text)
{
	return text ? buffer_put(buffer, text, strlen(text) + 1) : NULL;
}

struct event *event_new_status(struct vertex_info *info, const struct progress_status *status)
{
	struct event *e = event_new(info, PROGRESS_STATUS, text_size(status->id) + text_size(status->name));
	struct buffer buffer = buffer_of(e);
	e->public.status = *status;
	e->public.status.id = buffer_put_text(&buffer, status->id);
	e->public.status.name = buffer_put_text(&buffer, status->name);
	return e;
}

struct event *event_new_output(struct vertex_info *info, int stream, const void *bytes, size_t n)
{
	struct event *e = event_new(info, PROGRESS_LOG, n);
	struct buffer buffer = buffer_of(e);
	e->public.log.stream = stream;
	e->public.log.len = n;
	e->public.log.bytes = buffer_put(&buffer, bytes, n);
	return e;
}

struct event *event_new_warning(struct vertex_info *info, const struct progress_warning *w)
{
	size_t n_detail = w->detail ? g_strv_length((char **)w->detail) : 0;
	size_t size = (n_detail + 1) * sizeof(char *) + w->n_ranges * sizeof *w->ranges + text_size(w->text) +
		      text_size(w->url) + text_size(w->source_name) + text_size(w->source_language) + w->source_len;
	for (size_t i = 0; i < n_detail; i++)
		size += text_size(w->detail[i]);
	struct event *e = event_new(info, PROGRESS_WARNING, size);
	struct buffer buffer = buffer_of(e);
	struct progress_warning *to = &e->public.warning;
	*to = *w;
	const char **detail = buffer_put(&buffer, w->detail, n_detail * sizeof *detail); /* pointers first: aligned */
	buffer.next += sizeof *detail;
	to->ranges = buffer_put(&buffer, w->ranges, w->n_ranges * sizeof *w->ranges);
	for (size_t i = 0; i < n_detail; i++)
		detail[i] = buffer_put_text(&buffer, w->detail[i]);
	to->detail = w->detail ? detail : NULL;
	to->text = buffer_put_text(&buffer, w->text);
	to->url = buffer_put_text(&buffer, w->url);
	to->source_name = buffer_put_text(&buffer, w->source_name);
	to->source_language = buffer_put_text(&buffer, w->source_language);
	to->source_bytes = buffer_put(&buffer, w->source_bytes, w->source_len);
	return e;
}
