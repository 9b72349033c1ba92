/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "base/limits.h"
#include "otlp.pb-c.h"
#include "trace/context.h"
#include "trace/record.h"
#include "trace/walk.h"
#include <string.h>

static bool is_id(const ProtobufCBinaryData *id, size_t n)
{
	for (size_t i = 0; id->len == n && i < n; i++)
		if (id->data[i] != 0)
			return true;
	return false;
}

/* Removes what is beyond the limit from the end of a repeated field. */
#define drop_excess(m, field, count)                                                                                   \
	while ((m)->n_##field > (size_t)LIMIT_SPAN_ITEMS) {                                                            \
		guard_free((m)->field[--(m)->n_##field]);                                                              \
		(m)->count += (m)->count < G_MAXUINT32;                                                                \
	}

static void bound(Otlp__Span *s)
{
	drop_excess(s, attributes, dropped_attributes_count);
	drop_excess(s, events, dropped_events_count);
	drop_excess(s, links, dropped_links_count);
	for (size_t i = 0; i < s->n_events; i++)
		drop_excess(s->events[i], attributes, dropped_attributes_count);
	for (size_t i = 0; i < s->n_links; i++)
		drop_excess(s->links[i], attributes, dropped_attributes_count);
}

/* NULL: the span is rejected. */
static struct trace_record *record_of(Otlp__Span *s, struct trace_source *source)
{
	bool parent_ok = s->parent_span_id.len == 0 || s->parent_span_id.len == TRACE_SPAN_ID_BYTES;
	if (!is_id(&s->trace_id, TRACE_ID_BYTES) || !is_id(&s->span_id, TRACE_SPAN_ID_BYTES) || !parent_ok)
		return NULL;
	bound(s);
	g_autoptr(GBytes) packed = message_pack(s);
	gsize n = 0;
	const void *bytes = g_bytes_get_data(packed, &n);
	if (n > (gsize)LIMIT_SPAN_BYTES)
		return NULL;
	struct trace_record *r = trace_record_new(source, s->trace_id.data, bytes, n);
	r->foreign = true;
	return r;
}

struct unpacking {
	void (*add)(void *data, struct trace_record *r);
	void *data;
	struct trace_source *source; /* ref; of the spans visited last */
	struct slice resource, scope;
	int64_t rejected;
};

static bool is_same(const struct slice *a, const struct slice *b)
{
	return a->ptr == b->ptr && a->len == b->len;
}

/* Spans of a scope share the source; one that is too large has neither attributes nor a name. */
static struct trace_source *source_of(struct unpacking *u, const struct trace_visit *v)
{
	if (u->source && is_same(&u->resource, &v->resource) && is_same(&u->scope, &v->scope))
		return u->source;
	bool fits = v->resource.len + v->scope.len <= (size_t)LIMIT_SPAN_BYTES;
	g_clear_pointer(&u->source, trace_source_unref);
	u->source = trace_source_new(g_bytes_new(v->resource.ptr, fits ? v->resource.len : 0),
				     g_bytes_new(v->scope.ptr, fits ? v->scope.len : 0));
	u->resource = v->resource;
	u->scope = v->scope;
	return u->source;
}

static bool unpack_one(void *data, const struct trace_visit *v)
{
	struct unpacking *u = data;
	Otlp__Span *s = v->span.len <= (size_t)LIMIT_SPAN_BYTES
				? guard_unpack(&otlp__span__descriptor, v->span.ptr, v->span.len, NULL)
				: NULL;
	struct trace_record *r = s ? record_of(s, source_of(u, v)) : NULL;
	guard_free(s);
	if (r)
		u->add(u->data, r);
	else
		u->rejected++;
	return true;
}

bool trace_unpack(GBytes *message, void (*add)(void *data, struct trace_record *r), void *data, int64_t *ret_rejected,
		  GError **error)
{
	struct unpacking u = {.add = add, .data = data};
	bool ok = trace_walk(message, unpack_one, &u, error);
	g_clear_pointer(&u.source, trace_source_unref);
	if (ok)
		*ret_rejected = u.rejected;
	return ok;
}
