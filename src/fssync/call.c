/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/call.h"

static bool call_send(void *data, const void *head, size_t n_head, const void *body, size_t n_body, GError **error)
{
	return rpc_call_send_parts(data, head, n_head, body, n_body, error);
}

static GBytes *call_recv(void *data, GError **error)
{
	return rpc_call_recv(data, error);
}

static bool call_send_many(void *data, const void *bytes, const uint32_t *sizes, size_t n, GError **error)
{
	return rpc_call_send_many(data, bytes, sizes, n, error);
}

static bool call_recv_many(void *data, GQueue *ret, GError **error)
{
	return rpc_call_recv_all(data, ret, error);
}

/* Takes the error. Formats the peer's error as Go's gRPC does, because upstream's clients print that text. */
static void peer_failed(GError *status, GError **error)
{
	if (!error_is(status, ERROR_CANCELED)) {
		g_prefix_error(&status, "rpc error: code = %s desc = ", error_code_name(error_get_code(status)));
		error_keep_code(status);
	}
	g_propagate_error(error, status);
}

static GBytes *call_recv_of_client(void *data, GError **error)
{
	GError *status = NULL;
	GBytes *bytes = rpc_call_recv(data, &status);
	if (status)
		peer_failed(status, error);
	return bytes;
}

static bool call_recv_many_of_client(void *data, GQueue *ret, GError **error)
{
	GError *status = NULL;
	bool ok = rpc_call_recv_all(data, ret, &status);
	if (status)
		peer_failed(status, error);
	return ok;
}

static bool call_close_send(void *data, GError **error)
{
	return rpc_call_close_send(data, error);
}

static void call_abort(void *data)
{
	rpc_call_abort(data);
}

struct fssync_channel fssync_channel_of_server(rpc_call *call)
{
	return (struct fssync_channel){.send = call_send,
				       .recv = call_recv,
				       .send_many = call_send_many,
				       .recv_many = call_recv_many,
				       .abort = call_abort,
				       .data = call};
}

struct fssync_channel fssync_channel_of_client(rpc_call *call)
{
	struct fssync_channel channel = fssync_channel_of_server(call);
	channel.recv = call_recv_of_client;
	channel.recv_many = call_recv_many_of_client;
	channel.close_send = call_close_send;
	return channel;
}
