/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of a connection with two open calls (streams 1 and 3). */
#include "h2_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void drain(rpc_call *call)
{
	if (!call)
		return;
	for (GBytes *b = rpc_call_recv(call, NULL); b; b = rpc_call_recv(call, NULL))
		g_bytes_unref(b);
	rpc_call_finish(call, NULL);
	rpc_call_unref(call);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static rpc_loop *loop;
	if (!loop)
		loop = rpc_loop_new(NULL);
	rpc_conn *c = conn_new(loop, none_stream(loop), NULL, "localhost");
	conn_start(c, NULL);
	rpc_call *first = rpc_call_start(c, "/a.B/C", NULL, NULL, 0, NULL);
	rpc_call *second = rpc_call_start(c, "/a.B/D", NULL, NULL, 60000, NULL);
	if (second)
		rpc_call_send(second, "x", 1, NULL);
	feed(c, bytes, n);
	rpc_conn_close(c);
	drain(first);
	drain(second);
	rpc_conn_unref(c);
	settle(loop);
	return 0;
}
