/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"

struct listening {
	rpc_call *call; /* borrowed; outlives this struct */
	history_listener *listener;
};

/* Requires the history's lock. */
static void on_events(void *data)
{
	rpc_call_kick(data);
}

static struct listening *listening_new(rpc_call *call, struct control *control, GError **error)
{
	bool end;
	g_autoptr(GBytes) bytes = rpc_call_poll(call, &end, error);
	Control__BuildHistoryRequest *m = message_unpack(&control__build_history_request__descriptor, bytes, error);
	if (!m)
		return NULL;
	g_autofree const char **filters = message_texts(m->filter, m->n_filter);
	struct history_query query = {
		.active_only = m->activeonly,
		.ref = m->ref,
		.early_exit = m->earlyexit,
		.filters = filters,
		.limit = m->limit,
	};
	history_listener *listener = NULL;
	if (control_send_timestamp(call, error))
		listener = history_listen(builder_history(control->builder), &query, on_events, call, error);
	guard_free(m);
	if (!listener)
		return NULL;
	struct listening *l = g_new0(struct listening, 1);
	*l = (struct listening){call, listener};
	return l;
}

void control_listen_history_free(void *state, void *data)
{
	struct listening *l = state;
	history_listener_free(l->listener);
	g_free(l);
}

enum rpc_turn control_listen_history(rpc_call *call, void **state, void *data, GError **error)
{
	struct listening *l = *state;
	if (!l && !(*state = l = listening_new(call, data, error)))
		return RPC_TURN_FAILED;
	while (rpc_call_has_room(call)) {
		bool end = false;
		g_autoptr(GError) failure = NULL;
		g_autoptr(GBytes) event = history_listener_take(l->listener, &end, &failure);
		if (failure) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return RPC_TURN_FAILED;
		}
		if (!event)
			return end ? RPC_TURN_OK : RPC_TURN_WAIT;
		gsize n = 0;
		const void *bytes = g_bytes_get_data(event, &n);
		if (!rpc_call_offer(call, bytes, n, error))
			return RPC_TURN_FAILED;
	}
	return RPC_TURN_WAIT;
}

ProtobufCMessage *control_update_history(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	const Control__UpdateBuildHistoryRequest *m = (const void *)request;
	if (!history_update(builder_history(control->builder), m->ref, m->pinned, m->delete_, m->finalize, error))
		return NULL;
	return &message_new(Control__UpdateBuildHistoryResponse, control__update_build_history_response)->base;
}
