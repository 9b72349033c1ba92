/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget: limits the memory that a server's connections use for messages that handlers have not taken.
 *
 * A connection may use as much as is free (and LIMIT_CONNECTION_BUFFER_BYTES): n connections that use all they can end
 * with a share of 1/(n + 1) each, and the last share stays free for the next one. Above its share, the window updates
 * of the connection are withheld; this is checked again when it frees memory and every RETRY_US. A message that stalls
 * for LIMIT_STALL_MS is refused, so that unfinished messages do not use the budget forever. Data that clients sent
 * before their window was withheld is accepted as long as the total is within the budget.
 */
#include "rpc/server.h"
#include "base/hash_walk.h"

#define RETRY_US 50000
/* Minimum that a connection may always use: enough for a call with one stream window. */
#define SHARE_MIN ((size_t)LIMIT_STREAM_WINDOW_BYTES)
/* For the owner of the socket. */
#define OWNER_BYTES ((size_t)LIMIT_BUFFER_BYTES / 4)

static size_t free_bytes(const rpc_conn *c)
{
	size_t limit = (size_t)LIMIT_BUFFER_BYTES + (c->peer.is_owner ? OWNER_BYTES : 0);
	size_t used = (size_t)g_atomic_pointer_get(&c->server->buffered);
	return limit > used ? limit - used : 0;
}

static size_t share_of(const rpc_conn *c)
{
	size_t own = (size_t)LIMIT_CONNECTION_BUFFER_BYTES;
	return c->server ? CLAMP(free_bytes(c), SHARE_MIN, own) : own;
}

void budget_more(rpc_conn *c, size_t n)
{
	c->buffered += n;
	if (c->server)
		g_atomic_pointer_add(&c->server->buffered, (gssize)n);
}

void budget_less(rpc_conn *c, size_t n)
{
	c->buffered -= n;
	if (c->server)
		g_atomic_pointer_add(&c->server->buffered, -(gssize)n);
}

void budget_window(rpc_conn *c, size_t n)
{
	if (c->buffered < share_of(c)) {
		nghttp2_session_consume_connection(c->session, n);
		return;
	}
	c->withheld += n;
	if (!c->withheld_us) {
		c->withheld_us = g_get_monotonic_time();
		conn_wake_at(c, c->withheld_us + RETRY_US);
	}
}

void budget_release(rpc_conn *c)
{
	if (!c->withheld || c->dead || c->buffered >= share_of(c))
		return;
	nghttp2_session_consume_connection(c->session, c->withheld);
	c->withheld = 0;
	c->withheld_us = 0;
}

bool budget_is_exceeded(const rpc_call *call)
{
	const rpc_conn *c = call->conn;
	if (c->buffered > (size_t)LIMIT_CONNECTION_BUFFER_BYTES)
		return call->reader.have > (size_t)LIMIT_STREAM_WINDOW_BYTES;
	return c->server && c->buffered > SHARE_MIN && free_bytes(c) == 0;
}

bool budget_error(const rpc_call *call, GError **error)
{
	bool own = call->conn->buffered > (size_t)LIMIT_CONNECTION_BUFFER_BYTES;
	return error_set(error, ERROR_RESOURCE_EXHAUSTED, "too many unread messages on %s",
			 own ? "the connection" : "all connections of the daemon");
}

/* Finds the message that holds most of the data for which its handler waits. */
static rpc_call *largest_unfinished(rpc_conn *c)
{
	rpc_call *largest = NULL;
	for (struct hash_walk it = hash_walk(c->calls); hash_walk_next(&it);) {
		rpc_call *call = it.value;
		if (!call->dispatched && !call->out_end && call->method &&
		    (!largest || call->reader.have > largest->reader.have))
			largest = call;
	}
	return largest && largest->reader.have > 0 ? largest : NULL;
}

gint64 budget_timer(rpc_conn *c, gint64 now)
{
	budget_release(c);
	if (!c->withheld_us)
		return 0;
	rpc_call *call = now - c->withheld_us >= LIMIT_STALL_MS * 1000 ? largest_unfinished(c) : NULL;
	if (call) {
		GError *error = NULL;
		size_t n = call->queued + frame_partial(&call->reader);
		error_set(&error, ERROR_RESOURCE_EXHAUSTED,
			  "%s: a message of %zu bytes did not arrive within %lld s: too many unread messages",
			  call->path, call->reader.size, LIMIT_STALL_MS / 1000);
		call->queued = 0;
		budget_less(c, n);
		call_input_failed(call, error);
		budget_release(c);
	}
	return c->withheld_us ? now + RETRY_US : 0;
}
