/* SPDX-License-Identifier: Apache-2.0 */
/* Session, and the trace exports that clients send beside it. */
#include "control/control.h"
#include "api/message.h"
#include "empty.pb-c.h"

enum rpc_turn control_session(rpc_call *call, void **state, void *data, GError **error)
{
	struct control *control = data;
	return session_turn(control->sessions, call, state, error);
}

void control_session_free(void *state, void *data)
{
	struct control *control = data;
	session_turn_free(control->sessions, state);
}

/* Accepts and discards trace exports, so that clients do not log errors. */
ProtobufCMessage *control_discard(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	return &message_new(Google__Empty, google__empty)->base;
}
