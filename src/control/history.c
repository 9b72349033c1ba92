/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/guard.h"
#include "control.pb-c.h"

static bool send_events(rpc_call *call, history_listener *listener, GError **error)
{
	for (;;) {
		Control__BuildHistoryEvent *event = history_listener_next(listener, rpc_call_cancel(call));
		if (!event)
			return cancel_check(rpc_call_cancel(call), error);
		bool ok = rpc_call_send_message(call, event, error);
		guard_free(event);
		if (!ok)
			return false;
	}
}

bool control_listen_history(rpc_call *call, void *data, GError **error)
{
	struct control *control = data;
	Control__BuildHistoryRequest *m =
		rpc_call_recv_message(call, &control__build_history_request__descriptor, error);
	if (!m)
		return false;
	g_autofree const char **filters = g_new0(const char *, m->n_filter + 1);
	for (size_t i = 0; i < m->n_filter; i++)
		filters[i] = m->filter[i];
	struct history_query query = {
		.active_only = m->activeonly,
		.ref = m->ref,
		.early_exit = m->earlyexit,
		.filters = filters,
		.limit = m->limit,
	};
	bool ok = control_send_timestamp(call, error);
	history_listener *listener = ok ? history_listen(builder_history(control->builder), &query, error) : NULL;
	ok = listener && send_events(call, listener, error);
	history_listener_free(listener);
	guard_free(m);
	return ok;
}

ProtobufCMessage *control_update_history(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	const Control__UpdateBuildHistoryRequest *m = (const void *)request;
	if (!history_update(builder_history(control->builder), m->ref, m->pinned, m->delete_, m->finalize, error))
		return NULL;
	return control_empty_reply(&control__update_build_history_response__descriptor);
}
