/* SPDX-License-Identifier: Apache-2.0 */
/* The server side of a connection; the input follows the client's preface. */
#include "h2_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static ProtobufCMessage *echo(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	return message_copy(request);
}

static bool take_all(rpc_call *call, void *data, GError **error)
{
	for (GBytes *b = rpc_call_recv(call, error); b; b = rpc_call_recv(call, error))
		g_bytes_unref(b);
	return error ? !*error : true;
}

static const struct rpc_method methods[] = {
	{"/a.B/Echo", &filesync__bytes_message__descriptor, .unary = echo},
	{"/a.B/Take", .stream = take_all},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static rpc_loop *loop;
	static rpc_server *server;
	if (!loop) {
		loop = rpc_loop_new(NULL);
		server = rpc_server_new(loop);
		rpc_server_add(server, methods, G_N_ELEMENTS(methods), NULL);
		rpc_server_add_health(server);
	}
	rpc_conn *c = server_add_stream(server, none_stream(loop), NULL, NULL);
	feed(c, preface, sizeof(preface));
	feed(c, bytes, n);
	rpc_conn_unref(c);
	settle(loop);
	while (rpc_server_open_calls(server) > 0)
		g_thread_yield();
	return 0;
}
