/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/trace.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/time.h"
#include "format/url_redact.h"
#include "trace/context.h"
#include "trace/encode.h"
#include "trace/record.h"
#include "trace/tracer.h"
#include <string.h>

/* Fields of Span; of SpanEvent. */
enum { SPAN_ATTRIBUTES = 9, SPAN_DROPPED_ATTRIBUTES, SPAN_EVENTS, SPAN_DROPPED_EVENTS, SPAN_STATUS = 15, SPAN_FLAGS };
enum { EVENT_TIME = 1, EVENT_NAME, EVENT_ATTRIBUTES };
enum status { STATUS_UNSET, STATUS_OK, STATUS_ERROR };
#define FLAG_HAS_REMOTE 0x100
#define FLAG_REMOTE 0x200

struct trace_span {
	inherited base;
	tracer *tracer; /* ref */
	struct trace_parent id;
	uint8_t parent[TRACE_SPAN_ID_BYTES];
	bool has_parent, remote;
	char *state, *baggage; /* GRefString, shared by the spans of a call; NULL: none */
	char *name;
	enum trace_kind kind;
	int64_t start_ns;
	GMutex mu;        /* guards everything below */
	GByteArray *body; /* attributes and events, encoded; NULL after the end */
	guint n_attributes, n_events;
	enum status status;
	char *message;
};

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return timespec_to_ns(&now);
}

static void span_free(inherited *object)
{
	trace_span *s = (trace_span *)object;
	tracer_unref(s->tracer);
	g_clear_pointer(&s->state, g_ref_string_release);
	g_clear_pointer(&s->baggage, g_ref_string_release);
	g_clear_pointer(&s->body, g_byte_array_unref);
	g_mutex_clear(&s->mu);
	g_free(s->name);
	g_free(s->message);
	g_free(s);
}

/*
 * Identifiers need no secrecy, but must differ between threads and processes: xoshiro256++, seeded per thread by the
 * kernel (https://prng.di.unimi.it/).
 */
static uint64_t random_number(void)
{
	static _Thread_local uint64_t s[4];
	if (!(s[0] | s[1] | s[2] | s[3]))
		random_bytes(s, sizeof s);
	uint64_t sum = s[0] + s[3], t = s[1] << 17;
	uint64_t result = (sum << 23 | sum >> 41) + s[0];
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return result;
}

static void random_id(uint8_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
		uint64_t number = random_number();
		memcpy(ret + i, &number, sizeof number);
	}
	ret[0] |= 1; /* an id of zeros would be invalid */
}

static trace_span *span_new(tracer *t, const char *name, enum trace_kind kind)
{
	trace_span *s = g_new0(trace_span, 1);
	s->base = (inherited){.refs = 1, .free = span_free};
	s->tracer = tracer_ref(t);
	s->name = strstr(name, "://") ? url_redact_copy(name) : g_strdup(name);
	s->kind = kind;
	s->start_ns = now_ns();
	s->body = g_byte_array_sized_new(256);
	g_mutex_init(&s->mu);
	random_id(s->id.span, sizeof s->id.span);
	return s;
}

static char *shared_text(const char *text)
{
	const char *valid = trace_header_check(text);
	return valid ? g_ref_string_new(valid) : NULL;
}

bool trace_has_parent(const struct trace_headers *headers)
{
	struct trace_parent parent;
	return trace_parent_parse(headers->parent, &parent);
}

trace_span *trace_root(tracer *t, const struct trace_headers *headers, const char *name, enum trace_kind kind)
{
	struct trace_parent parent;
	bool has_parent = trace_parent_parse(headers->parent, &parent);
	if (!t || (has_parent && !(parent.flags & TRACE_SAMPLED)))
		return NULL;
	trace_span *s = span_new(t, name, kind);
	s->id.flags = TRACE_SAMPLED;
	s->baggage = shared_text(headers->baggage);
	s->has_parent = s->remote = has_parent;
	if (!has_parent) {
		random_id(s->id.trace, sizeof s->id.trace);
		return s;
	}
	memcpy(s->id.trace, parent.trace, sizeof parent.trace);
	memcpy(s->parent, parent.span, sizeof parent.span);
	s->state = shared_text(headers->state);
	return s;
}

trace_span *trace_child(trace_span *parent, const char *name, enum trace_kind kind)
{
	if (!parent)
		return NULL;
	trace_span *s = span_new(parent->tracer, name, kind);
	s->id.flags = TRACE_SAMPLED;
	s->has_parent = true;
	memcpy(s->id.trace, parent->id.trace, sizeof s->id.trace);
	memcpy(s->parent, parent->id.span, sizeof s->parent);
	s->state = parent->state ? g_ref_string_acquire(parent->state) : NULL;
	s->baggage = parent->baggage ? g_ref_string_acquire(parent->baggage) : NULL;
	return s;
}

trace_span *trace_span_ref(trace_span *s)
{
	return (trace_span *)inherited_ref((inherited *)s);
}

void trace_span_unref(trace_span *s)
{
	inherited_unref((inherited *)s);
}

/* ---- the end */

/* Requires mu. */
static void encode_head(const trace_span *s, GByteArray *out)
{
	encode_bytes(out, 1, s->id.trace, sizeof s->id.trace);
	encode_bytes(out, 2, s->id.span, sizeof s->id.span);
	encode_text(out, 3, s->state);
	if (s->has_parent)
		encode_bytes(out, 4, s->parent, sizeof s->parent);
	encode_text(out, 5, s->name);
	encode_int(out, 6, s->kind);
	encode_fixed64(out, 7, (uint64_t)s->start_ns);
	encode_fixed64(out, 8, (uint64_t)now_ns());
}

/* Requires mu. */
static void encode_tail(const trace_span *s, GByteArray *out)
{
	guint limit = (guint)LIMIT_SPAN_ITEMS;
	encode_int(out, SPAN_DROPPED_ATTRIBUTES, s->n_attributes - MIN(s->n_attributes, limit));
	encode_int(out, SPAN_DROPPED_EVENTS, s->n_events - MIN(s->n_events, limit));
	if (s->status != STATUS_UNSET) {
		g_autoptr(GByteArray) status = g_byte_array_new();
		encode_text(status, 2, s->message);
		encode_int(status, 3, s->status);
		encode_bytes(out, SPAN_STATUS, status->data, status->len);
	}
	encode_fixed32(out, SPAN_FLAGS, TRACE_SAMPLED | FLAG_HAS_REMOTE | (s->remote ? FLAG_REMOTE : 0));
}

void trace_end(trace_span *s)
{
	if (!s)
		return;
	g_autoptr(GByteArray) out = NULL, body = NULL;
	g_mutex_lock(&s->mu);
	body = g_steal_pointer(&s->body);
	if (body) {
		out = g_byte_array_sized_new(body->len + 256);
		encode_head(s, out);
		g_byte_array_append(out, body->data, body->len);
		encode_tail(s, out);
	}
	g_mutex_unlock(&s->mu);
	if (out && out->len <= (guint)LIMIT_SPAN_BYTES)
		tracer_add(s->tracer, trace_record_new(tracer_source(s->tracer), s->id.trace, out->data, out->len));
}

/* ---- attributes, events, status */

/* Locks; false if nothing is to be added, then it is not locked. */
static bool attribute_begin(trace_span *s, const char *key)
{
	if (!s || !key || !*key)
		return false;
	g_mutex_lock(&s->mu);
	if (s->body && s->n_attributes++ < (guint)LIMIT_SPAN_ITEMS && s->body->len < (guint)LIMIT_SPAN_BYTES / 2)
		return true;
	g_mutex_unlock(&s->mu);
	return false;
}

void trace_put_text(trace_span *s, const char *key, const char *value)
{
	if (!value || !attribute_begin(s, key))
		return;
	g_autofree char *redacted = strstr(value, "://") ? url_redact_copy(value) : NULL;
	encode_pair_text(s->body, SPAN_ATTRIBUTES, key, redacted ? redacted : value);
	g_mutex_unlock(&s->mu);
}

void trace_put_texts(trace_span *s, const char *key, const char *const *values)
{
	g_autoptr(GPtrArray) redacted = g_ptr_array_new_with_free_func(g_free);
	for (const char *const *v = values; s && *v; v++)
		g_ptr_array_add(redacted, url_redact_copy(*v));
	g_ptr_array_add(redacted, NULL);
	if (!attribute_begin(s, key))
		return;
	encode_pair_texts(s->body, SPAN_ATTRIBUTES, key, (const char *const *)redacted->pdata);
	g_mutex_unlock(&s->mu);
}

void trace_put_int(trace_span *s, const char *key, int64_t value)
{
	if (!attribute_begin(s, key))
		return;
	encode_pair_int(s->body, SPAN_ATTRIBUTES, key, value);
	g_mutex_unlock(&s->mu);
}

void trace_put_bool(trace_span *s, const char *key, bool value)
{
	if (!attribute_begin(s, key))
		return;
	encode_pair_bool(s->body, SPAN_ATTRIBUTES, key, value);
	g_mutex_unlock(&s->mu);
}

/* attributes: encoded as field EVENT_ATTRIBUTES; NULL: none. */
static void add_event(trace_span *s, const char *name, const GByteArray *attributes)
{
	g_autoptr(GByteArray) event = g_byte_array_sized_new(64);
	encode_fixed64(event, EVENT_TIME, (uint64_t)now_ns());
	encode_text(event, EVENT_NAME, name);
	if (attributes)
		g_byte_array_append(event, attributes->data, attributes->len);
	g_mutex_lock(&s->mu);
	if (s->body && s->n_events++ < (guint)LIMIT_SPAN_ITEMS && s->body->len < (guint)LIMIT_SPAN_BYTES / 2)
		encode_bytes(s->body, SPAN_EVENTS, event->data, event->len);
	g_mutex_unlock(&s->mu);
}

void trace_event(trace_span *s, const char *name)
{
	if (s)
		add_event(s, name, NULL);
}

void trace_event_int(trace_span *s, const char *name, const char *key, int64_t value)
{
	if (!s)
		return;
	g_autoptr(GByteArray) attributes = g_byte_array_new();
	encode_pair_int(attributes, EVENT_ATTRIBUTES, key, value);
	add_event(s, name, attributes);
}

/* The first status counts. */
static void set_status(trace_span *s, enum status status, const char *message)
{
	if (!s)
		return;
	g_mutex_lock(&s->mu);
	if (s->status == STATUS_UNSET) {
		s->status = status;
		s->message = message ? url_redact_copy(message) : NULL;
	}
	g_mutex_unlock(&s->mu);
}

void trace_set_error(trace_span *s, const char *message)
{
	set_status(s, STATUS_ERROR, message);
}

void trace_set_ok(trace_span *s)
{
	set_status(s, STATUS_OK, NULL);
}

/* https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/ */
void trace_fail(trace_span *s, const GError *error)
{
	if (!s || !error)
		return;
	g_autoptr(GByteArray) attributes = g_byte_array_new();
	encode_pair_text(attributes, EVENT_ATTRIBUTES, "exception.type", error_code_name(error_get_code(error)));
	g_autofree char *message = url_redact_copy(error->message);
	encode_pair_text(attributes, EVENT_ATTRIBUTES, "exception.message", message);
	add_event(s, "exception", attributes);
	trace_set_error(s, error->message);
}

/* ---- what others need to continue the trace */

char *trace_parent_text(const trace_span *s)
{
	return s ? trace_parent_format(&s->id) : NULL;
}

const char *trace_state_text(const trace_span *s)
{
	return s ? s->state : NULL;
}

const char *trace_baggage_text(const trace_span *s)
{
	return s ? s->baggage : NULL;
}

const uint8_t *trace_id(const trace_span *s)
{
	return s->id.trace;
}

tracer *trace_tracer(const trace_span *s)
{
	return s ? s->tracer : NULL;
}

/* ---- the current span */

trace_span *trace_current(void)
{
	return (trace_span *)inherit_get();
}

trace_scope trace_scope_enter(trace_span *s)
{
	trace_scope scope = {.span = s, .borrowed = true, .active = true};
	scope.before = inherit_replace(inherited_ref((inherited *)s));
	return scope;
}

trace_scope trace_scope_begin(const char *name, enum trace_kind kind)
{
	trace_span *parent = trace_current();
	if (!parent)
		return (trace_scope){0};
	trace_scope scope = {.span = trace_child(parent, name, kind), .active = true};
	scope.before = inherit_replace(inherited_ref((inherited *)scope.span));
	return scope;
}

void trace_scope_end(trace_scope *scope)
{
	if (!scope->active)
		return;
	scope->active = false;
	inherited_unref(inherit_replace(scope->before));
	if (!scope->borrowed) {
		trace_end(scope->span);
		trace_span_unref(scope->span);
	}
}
