/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"
#include "base/limits.h"
#include "base/thread.h"
#include "otlp.pb-c.h"
#include "trace/tracer.h"
#include <string.h>

#define PARENT "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

static Otlp__Span *last; /* of the sink */

static void sink(void *data, struct trace_record *r)
{
	guard_free(last);
	last = guard_unpack(&otlp__span__descriptor, r->span, r->n, NULL);
	g_assert_nonnull(last);
	g_assert_cmpmem(last->trace_id.data, last->trace_id.len, r->trace, sizeof r->trace);
}

static tracer *tracer_for_test(void)
{
	tracer *t = tracer_new("test", NULL);
	tracer_set_sink(t, sink, NULL);
	return t;
}

static void test_parent(void)
{
	static const struct {
		const char *parent;
		bool valid, sampled;
	} cases[] = {
		{PARENT, true, true},
		{"00-0123456789abcdef0123456789abcdef-0123456789abcdef-00", true, false},
		{"01-0123456789abcdef0123456789abcdef-0123456789abcdef-01-more", true, true},
		{"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01-more", false, false},
		{"ff-0123456789abcdef0123456789abcdef-0123456789abcdef-01", false, false},
		{"00-00000000000000000000000000000000-0123456789abcdef-01", false, false},
		{"00-0123456789abcdef0123456789abcdef-0000000000000000-01", false, false},
		{"00-0123456789ABCDEF0123456789abcdef-0123456789abcdef-01", false, false},
		{"00_0123456789abcdef0123456789abcdef-0123456789abcdef-01", false, false},
		{"00-0123456789abcdef0123456789abcdef-0123456789abcde", false, false},
		{"", false, false},
		{NULL, false, false},
	};
	g_autoptr(tracer) t = tracer_for_test();
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct trace_headers h = {.parent = cases[i].parent, .state = "a=b"};
		g_assert_cmpint(trace_has_parent(&h), ==, cases[i].valid);
		g_autoptr(trace_span) s = trace_root(t, &h, "x", TRACE_SERVER);
		g_assert_cmpint(s != NULL, ==, cases[i].sampled || !cases[i].valid);
		g_autofree char *text = trace_parent_text(s);
		if (cases[i].sampled)
			g_assert_cmpmem(text + 3, 32, PARENT + 3, 32);
		if (s)
			g_assert_cmpstr(trace_state_text(s), ==, cases[i].valid ? "a=b" : NULL);
	}
}

static void test_headers_are_checked(void)
{
	g_autofree char *longer = g_strnfill((gsize)LIMIT_BAGGAGE_BYTES + 1, 'x');
	g_autoptr(tracer) t = tracer_for_test();
	g_autoptr(trace_span) s =
		trace_root(t, &(struct trace_headers){PARENT, "a=b\r\nx: y", longer}, "x", TRACE_SERVER);
	g_assert_null(trace_state_text(s));
	g_assert_null(trace_baggage_text(s));
	g_autoptr(trace_span) ok = trace_root(t, &(struct trace_headers){PARENT, NULL, "k=v"}, "x", TRACE_SERVER);
	g_autoptr(trace_span) child = trace_child(ok, "y", TRACE_INTERNAL);
	g_assert_cmpstr(trace_baggage_text(child), ==, "k=v");
}

static void test_encoding(void)
{
	g_autoptr(tracer) t = tracer_for_test();
	g_autoptr(trace_span) s = trace_root(t, &(struct trace_headers){.parent = PARENT}, "step \xff", TRACE_INTERNAL);
	trace_put_text(s, "vertex", "sha256:1");
	trace_put_int(s, "n", -5);
	trace_put_bool(s, "off", false);
	trace_put_texts(s, "command", (const char *const[]){"a", "", "https://u:secret@host/", NULL});
	trace_put_text(s, "url.full", "https://u:secret@host/");
	trace_event_int(s, "Container exited", "exit.code", 0);
	g_autoptr(GError) error = g_error_new_literal(error_domain(), ERROR_NOT_FOUND, "gone");
	trace_fail(s, error);
	trace_set_ok(s); /* the first status counts */
	trace_end(s);
	g_assert_cmpstr(last->name, ==, "step \xef\xbf\xbd");
	g_assert_cmpuint(last->parent_span_id.len, ==, 8);
	g_assert_cmphex(last->flags, ==, 0x301);
	g_assert_cmpuint(last->n_attributes, ==, 5);
	g_assert_cmpstr(last->attributes[0]->value->string_value, ==, "sha256:1");
	g_assert_cmpint(last->attributes[1]->value->int_value, ==, -5);
	g_assert_cmpint(last->attributes[2]->value->value_case, ==, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
	g_assert_cmpuint(last->attributes[3]->value->array_value->n_values, ==, 3);
	g_assert_cmpstr(last->attributes[3]->value->array_value->values[2]->string_value, ==,
			"https://xxxxx:xxxxx@host/");
	g_assert_cmpstr(last->attributes[4]->value->string_value, ==, "https://xxxxx:xxxxx@host/");
	g_assert_cmpint(last->attributes[3]->value->array_value->values[1]->value_case, ==,
			OTLP__ANY_VALUE__VALUE_STRING_VALUE);
	g_assert_cmpuint(last->n_events, ==, 2);
	g_assert_cmpint(last->events[0]->attributes[0]->value->int_value, ==, 0);
	g_assert_cmpstr(last->events[1]->attributes[0]->value->string_value, ==, "NotFound");
	g_assert_cmpint(last->status->code, ==, 2);
	g_assert_cmpstr(last->status->message, ==, "gone");
	g_assert_cmpuint(last->end_time_unix_nano, >=, last->start_time_unix_nano);
	struct trace_counts counts;
	trace_put_text(s, "late", "dropped");
	trace_end(s); /* once */
	tracer_count(t, &counts);
	g_assert_cmpuint(counts.ended, ==, 1);
}

static void test_limits(void)
{
	g_autofree char *name = g_strnfill((gsize)LIMIT_SPAN_TEXT_BYTES - 1, 'x');
	g_autofree char *cut = g_strconcat(name, "\xc3\xa4", NULL); /* a character across the limit */
	g_autoptr(tracer) t = tracer_for_test();
	g_autoptr(trace_span) s = trace_root(t, &(struct trace_headers){0}, cut, TRACE_INTERNAL);
	for (int i = 0; i < 300; i++) {
		trace_put_int(s, "i", i);
		trace_event(s, "e");
	}
	trace_end(s);
	g_assert_cmpstr(last->name, ==, name);
	g_assert_cmpuint(last->n_attributes, ==, 128);
	g_assert_cmpuint(last->dropped_attributes_count, ==, 172);
	g_assert_cmpuint(last->n_events, ==, 128);
	g_assert_cmpuint(last->dropped_events_count, ==, 172);
	g_assert_cmpuint(last->parent_span_id.len, ==, 0);
}

static gpointer end_child(gpointer data)
{
	g_auto(trace_scope) scope = trace_scope_begin("child", TRACE_CLIENT);
	return g_strdup(scope.span ? "yes" : NULL);
}

static void test_scopes(void)
{
	g_autoptr(tracer) t = tracer_for_test();
	g_assert_null(trace_current());
	g_assert_null(end_child(NULL)); /* nothing is traced */
	g_autoptr(trace_span) s = trace_root(t, &(struct trace_headers){0}, "root", TRACE_SERVER);
	{
		g_auto(trace_scope) scope = trace_scope_enter(s);
		g_assert_true(trace_current() == s);
		GThread *thread = thread_start("test", end_child, NULL, NULL);
		g_autofree char *traced = g_thread_join(thread);
		g_assert_cmpstr(traced, ==, "yes");
		g_assert_true(trace_current() == s);
		g_assert_cmpstr(last->name, ==, "child");
		g_assert_cmpint(last->kind, ==, 3);
		{
			g_auto(trace_scope) hidden = trace_scope_enter(NULL);
			g_assert_null(trace_current());
		}
	}
	g_assert_null(trace_current());
	trace_end(s);
	g_assert_cmpstr(last->name, ==, "root");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/span/parent", test_parent);
	g_test_add_func("/span/headers", test_headers_are_checked);
	g_test_add_func("/span/encoding", test_encoding);
	g_test_add_func("/span/limits", test_limits);
	g_test_add_func("/span/scopes", test_scopes);
	int result = g_test_run();
	guard_free(last);
	return result;
}
