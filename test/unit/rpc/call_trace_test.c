/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rpc_rig.h"
#include "api/message.h"
#include "otlp.pb-c.h"
#include "trace/tracer.h"
#include <string.h>

#define PARENT "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

/* The spans that ended; the sink runs on any thread. */
static GMutex mu;
static GPtrArray *spans; /* of Otlp__Span * */

static void sink(void *data, struct trace_record *r)
{
	g_mutex_lock(&mu);
	g_ptr_array_add(spans, guard_unpack(&otlp__span__descriptor, r->span, r->n, NULL));
	g_mutex_unlock(&mu);
}

static const Otlp__Span *find(const char *name, int kind)
{
	for (guint i = 0; i < spans->len; i++) {
		const Otlp__Span *s = spans->pdata[i];
		if (strcmp(s->name, name) == 0 && s->kind == kind)
			return s;
	}
	return NULL;
}

static const char *text_of(const Otlp__Span *s, const char *key)
{
	for (size_t i = 0; i < s->n_attributes; i++)
		if (strcmp(s->attributes[i]->key, key) == 0)
			return s->attributes[i]->value->string_value;
	return NULL;
}

static void is_child(const Otlp__Span *child, const Otlp__Span *parent)
{
	g_assert_cmpmem(child->trace_id.data, 16, parent->trace_id.data, 16);
	g_assert_cmpmem(child->parent_span_id.data, child->parent_span_id.len, parent->span_id.data, 8);
}

/* Server and client have the same tracer, so that one list shows both sides. */
static tracer *trace_rig(struct rig *r, const struct trace_headers *headers, trace_span **ret_root)
{
	tracer *t = tracer_new("test", NULL);
	tracer_set_sink(t, sink, NULL);
	rpc_server_set_tracer(r->server, t, NULL);
	rpc_conn_trace(r->conn, "there");
	*ret_root = trace_root(t, headers, "root", TRACE_INTERNAL);
	g_ptr_array_set_size(spans, 0);
	return t;
}

static void test_both_sides(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	trace_span *root;
	const struct trace_headers headers = {PARENT, "a=b", "k=v"};
	g_autoptr(tracer) t = trace_rig(&r, &headers, &root);
	g_autoptr(bytes_message) reply = NULL;
	{
		g_auto(trace_scope) scope = trace_scope_enter(root);
		reply = rig_unary(r.conn, "/test.Rig/Echo", "hello", 5, NULL);
		g_assert_nonnull(reply);
		g_autoptr(GError) error = NULL;
		g_assert_null(rig_unary(r.conn, "/test.Rig/Fail", NULL, 0, &error));
	}
	trace_end(root);
	g_mutex_lock(&mu);
	const Otlp__Span *client = find("test.Rig/Echo", TRACE_CLIENT), *server = find("test.Rig/Echo", TRACE_SERVER);
	is_child(client, find("root", TRACE_INTERNAL));
	is_child(server, client);
	g_assert_cmpstr(server->trace_state, ==, "a=b");
	g_assert_cmphex(server->flags, ==, 0x301);
	g_assert_cmpstr(text_of(server, "rpc.method"), ==, "test.Rig/Echo");
	g_assert_cmpstr(text_of(server, "rpc.response.status_code"), ==, "OK");
	g_assert_cmpstr(text_of(client, "server.address"), ==, "there");
	g_assert_true(g_str_has_suffix(text_of(server, "server.address"), r.address + strlen("unix://")));
	client = find("test.Rig/Fail", TRACE_CLIENT);
	g_assert_cmpstr(text_of(client, "rpc.response.status_code"), ==, "NOT_FOUND");
	g_assert_cmpint(client->status->code, ==, 2);
	g_assert_null(find("test.Rig/Fail", TRACE_SERVER)->status); /* the fault is the client's */
	g_mutex_unlock(&mu);
	trace_span_unref(root);
}

static void test_without_a_current_span(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	trace_span *root;
	g_autoptr(tracer) t = trace_rig(&r, &(struct trace_headers){0}, &root);
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, NULL);
	g_assert_nonnull(reply);
	g_mutex_lock(&mu);
	g_assert_cmpuint(spans->len, ==, 1); /* the server begins a trace */
	g_assert_cmpuint(find("test.Rig/Echo", TRACE_SERVER)->parent_span_id.len, ==, 0);
	g_mutex_unlock(&mu);
	trace_span_unref(root);
}

/* A client that does not sample its trace gets no spans. */
static void test_not_sampled(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	trace_span *root;
	g_autoptr(tracer) t = trace_rig(&r, &(struct trace_headers){0}, &root);
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00");
	bytes_message request = FILESYNC__BYTES_MESSAGE__INIT;
	g_autoptr(bytes_message) reply =
		rpc_unary(r.conn, "/test.Rig/Echo", md, &request, &filesync__bytes_message__descriptor, NULL, 0, NULL);
	g_assert_nonnull(reply);
	g_mutex_lock(&mu);
	g_assert_cmpuint(spans->len, ==, 0);
	g_mutex_unlock(&mu);
	trace_span_unref(root);
}

/* A stream whose call is dropped ends its span as canceled. */
static void test_dropped_stream(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	trace_span *root;
	g_autoptr(tracer) t = trace_rig(&r, &(struct trace_headers){0}, &root);
	{
		g_auto(trace_scope) scope = trace_scope_enter(root);
		g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/EchoStream", NULL, NULL, 0, NULL);
		g_assert_nonnull(call);
	}
	g_mutex_lock(&mu);
	const Otlp__Span *client = find("test.Rig/EchoStream", TRACE_CLIENT);
	g_assert_cmpstr(text_of(client, "rpc.response.status_code"), ==, "CANCELLED");
	g_mutex_unlock(&mu);
	trace_span_unref(root);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	spans = g_ptr_array_new_with_free_func(guard_free);
	g_test_add_func("/call_trace/both_sides", test_both_sides);
	g_test_add_func("/call_trace/without_a_current_span", test_without_a_current_span);
	g_test_add_func("/call_trace/not_sampled", test_not_sampled);
	g_test_add_func("/call_trace/dropped_stream", test_dropped_stream);
	int result = g_test_run();
	g_ptr_array_unref(spans);
	return result;
}
