/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns: calls whose handler uses no thread while it waits (rpc.h).
 *
 * A call is in one phase. A kick moves IDLE to QUEUED, which passes a reference to the pool, and RUNNING to AGAIN; in
 * other phases it has no effect. Only the pool's thread leaves RUNNING, so that turns never overlap.
 */
#include "rpc/server.h"

enum turn_phase { TURN_IDLE, TURN_QUEUED, TURN_RUNNING, TURN_AGAIN, TURN_OVER };

static bool move(rpc_call *call, enum turn_phase from, enum turn_phase to)
{
	return g_atomic_int_compare_and_exchange(&call->turn, (gint)from, (gint)to);
}

void rpc_call_kick(rpc_call *call)
{
	for (;;) {
		switch ((enum turn_phase)g_atomic_int_get(&call->turn)) {
		case TURN_IDLE:
			if (!move(call, TURN_IDLE, TURN_QUEUED))
				continue;
			pool_push(call->conn->server->turns, rpc_call_ref(call), NULL); /* cannot fail: turns_begin */
			return;
		case TURN_RUNNING:
			if (!move(call, TURN_RUNNING, TURN_AGAIN))
				continue;
			return;
		case TURN_QUEUED:
		case TURN_AGAIN:
		case TURN_OVER:
			return;
		}
	}
}

static void on_timer(void *data)
{
	rpc_call_kick(data);
}

void rpc_call_kick_at(rpc_call *call, gint64 at_us)
{
	loop_timer_set_earlier(call->conn->loop, &call->turn_timer, at_us);
}

void turns_notify(rpc_call *call)
{
	if (call->dispatched)
		rpc_call_kick(call);
}

bool turns_begin(rpc_server *s, rpc_call *call, GError **error)
{
	if (!pool_keep(s->turns, error))
		return false;
	call->turn_timer = (struct loop_timer){.fire = on_timer, .data = call};
	rpc_call_kick(call);
	return true;
}

GBytes *rpc_call_poll(rpc_call *call, bool *ret_end, GError **error)
{
	rpc_conn *c = call->conn;
	g_mutex_lock(&c->mu);
	GBytes *message = call->aborted ? NULL : call_take(call);
	*ret_end = !message && (call->remote_end || call->closed);
	if (!message && call->recv_error) {
		*ret_end = true;
		g_propagate_error(error, g_error_copy(call->recv_error));
	}
	if (message && !c->dead && nghttp2_session_want_write(c->session))
		conn_pump(c);
	g_mutex_unlock(&c->mu);
	return message;
}

/* The reason why no further turn is needed; NULL: there may be one. */
static GError *why_over(rpc_call *call)
{
	g_mutex_lock(&call->conn->mu);
	GError *why = NULL;
	if (call->error)
		why = g_error_copy(call->error);
	else if (call->aborted && call->recv_error)
		why = g_error_copy(call->recv_error);
	else if (call->closed)
		why = g_error_new_literal(error_domain(), ERROR_CANCELED, "context canceled");
	g_mutex_unlock(&call->conn->mu);
	return why;
}

/* On the loop's thread, so that a timer that is due has fired before. */
static void drop(void *data)
{
	rpc_call_unref(data);
}

static void finish(rpc_server *s, rpc_call *call, const GError *error)
{
	g_atomic_int_set(&call->turn, TURN_OVER);
	if (call->method->free_state && call->turn_state)
		call->method->free_state(call->turn_state, call->method_data);
	loop_timer_clear(s->loop, &call->turn_timer);
	server_answer(call, NULL, 0, error);
	loop_post(s->loop, drop, call);
	server_call_done(s);
}

void turns_run(void *item, void *server)
{
	rpc_call *call = item;
	rpc_server *s = server;
	enum rpc_turn turn = RPC_TURN_WAIT;
	g_atomic_int_set(&call->turn, TURN_RUNNING);
	g_autoptr(GError) error = why_over(call);
	if (error)
		turn = RPC_TURN_FAILED;
	else
		turn = call->method->turn(call, &call->turn_state, call->method_data, &error);
	if (turn == RPC_TURN_FAILED && !error)
		error_set(&error, ERROR_UNKNOWN, "%s failed", call->path);
	if (turn != RPC_TURN_WAIT) {
		finish(s, call, error);
	} else if (!move(call, TURN_RUNNING, TURN_IDLE)) {
		/* Kicked meanwhile: queued behind other calls. */
		g_atomic_int_set(&call->turn, TURN_QUEUED);
		pool_push(s->turns, call, NULL);
		return;
	}
	rpc_call_unref(call);
}
