/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rpc_rig.h"

static ProtobufCMessage *new_bytes(const void *data, size_t n)
{
	bytes_message *reply = g_new(bytes_message, 1);
	filesync__bytes_message__init(reply);
	reply->data.len = n;
	reply->data.data = n ? g_memdup2(data, n) : NULL;
	return &reply->base;
}

static ProtobufCMessage *rig_echo(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const bytes_message *request = (const void *)m;
	const char *want = rpc_metadata_get(rpc_call_metadata(call), "x-echo-header");
	if (want)
		rpc_call_add_header(call, "x-echoed", want);
	return new_bytes(request->data.data, request->data.len);
}

static ProtobufCMessage *rig_fail(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	error_set(error, ERROR_NOT_FOUND, "no such job 100%% \xc3\xa4\n");
	error_add_detail(*error, "errdefs.Vertex", "{\"digest\":\"sha256:abc\"}");
	error_add_detail(*error, "errdefs.Frontend", "{\"name\":\"x\"}");
	return NULL;
}

/* An error of 100,000 bytes without details: it is sent in a header. */
static ProtobufCMessage *rig_fail_long(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (int i = 0; i < 50000; i++)
		g_string_append(text, "\xc3\xa4");
	error_set(error, ERROR_UNKNOWN, "%s: the reason", text->str);
	return NULL;
}

static ProtobufCMessage *rig_fail_huge(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	g_autofree char *text = g_strnfill(100000, 'x');
	rig_fail_long(call, m, data, error);
	error_add_detail(*error, "errdefs.Source", text);
	error_add_detail(*error, "errdefs.Vertex", "{\"digest\":\"sha256:abc\"}");
	return NULL;
}

/* Echoes every message. */
static bool rig_echo_stream(rpc_call *call, void *data, GError **error)
{
	for (;;) {
		g_autoptr(GError) local = NULL;
		g_autoptr(GBytes) bytes = rpc_call_recv(call, &local);
		if (!bytes) {
			if (local)
				g_propagate_error(error, g_steal_pointer(&local));
			return !*error;
		}
		gsize n;
		const void *p = g_bytes_get_data(bytes, &n);
		if (!rpc_call_send(call, p, n, error))
			return false;
	}
}

/* Answers with the number of bytes received. */
static bool rig_sink(rpc_call *call, void *data, GError **error)
{
	guint64 total = 0;
	for (;;) {
		g_autoptr(GError) local = NULL;
		g_autoptr(GBytes) bytes = rpc_call_recv(call, &local);
		if (local) {
			g_propagate_error(error, g_steal_pointer(&local));
			return false;
		}
		if (!bytes)
			return rpc_call_send(call, &total, sizeof(total), error);
		total += g_bytes_get_size(bytes);
	}
}

/* Sends the number of bytes that the first message requests, in parts of 64 KiB. */
static bool rig_source(rpc_call *call, void *data, GError **error)
{
	g_autoptr(GBytes) bytes = rpc_call_recv(call, error);
	if (!bytes)
		return false;
	guint64 left;
	memcpy(&left, g_bytes_get_data(bytes, NULL), sizeof(left));
	static const uint8_t zeros[65536];
	for (; left > 0; left -= MIN(left, sizeof(zeros)))
		if (!rpc_call_send(call, zeros, MIN(left, sizeof(zeros)), error))
			return false;
	return true;
}

/* Waits until the call is canceled, and counts that. */
static bool rig_hang(rpc_call *call, void *data, GError **error)
{
	cancel *c = rpc_call_cancel(call);
	rpc_call_send_headers(call, NULL);
	cancel_poll(c, NULL, 0, -1, NULL);
	event_raise(data);
	return cancel_check(c, error);
}

static const struct rpc_method rig_methods[] = {
	{"/test.Rig/Echo", &filesync__bytes_message__descriptor, .unary = rig_echo},
	{"/test.Rig/Fail", &filesync__bytes_message__descriptor, .unary = rig_fail},
	{"/test.Rig/FailLong", &filesync__bytes_message__descriptor, .unary = rig_fail_long},
	{"/test.Rig/FailHuge", &filesync__bytes_message__descriptor, .unary = rig_fail_huge},
	{"/test.Rig/EchoStream", .stream = rig_echo_stream},
	{"/test.Rig/Sink", .stream = rig_sink},
	{"/test.Rig/Source", .stream = rig_source},
	{"/test.Rig/Hang", .stream = rig_hang},
};

void rig_add_methods(rpc_server *server, struct event *hangs)
{
	rpc_server_add(server, rig_methods, G_N_ELEMENTS(rig_methods), hangs);
}

void rig_up_server(struct rig *r)
{
	g_autoptr(GError) error = NULL;
	r->loop = rpc_loop_new(NULL);
	r->server = rpc_server_new(r->loop);
	rig_add_methods(r->server, &r->hangs);
	rpc_server_add_health(r->server);
	r->dir = g_dir_make_tmp("rpc-XXXXXX", &error);
	g_assert_no_error(error);
	r->address = g_strdup_printf("unix://%s/s/x.sock", r->dir);
}

void rig_up(struct rig *r)
{
	g_autoptr(GError) error = NULL;
	rig_up_server(r);
	rpc_server_listen(r->server, r->address, NULL, &error);
	g_assert_no_error(error);
	r->conn = rpc_connect(r->loop, r->address, NULL, NULL, &error);
	g_assert_no_error(error);
}

void rig_down(struct rig *r)
{
	g_autofree char *sub = g_build_filename(r->dir, "s", NULL);
	rpc_conn_unref(r->conn);
	rpc_server_free(r->server);
	rpc_loop_free(r->loop);
	g_rmdir(sub);
	g_assert_cmpint(g_rmdir(r->dir), ==, 0); /* the socket was removed */
	g_free(r->dir);
	g_free(r->address);
	*r = (struct rig){0};
}

bytes_message *rig_unary(rpc_conn *c, const char *path, const void *data, size_t n, GError **error)
{
	bytes_message request = FILESYNC__BYTES_MESSAGE__INIT;
	request.data.data = (uint8_t *)data;
	request.data.len = n;
	return rpc_unary(c, path, NULL, &request, &filesync__bytes_message__descriptor, NULL, 0, error);
}
