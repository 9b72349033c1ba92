/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

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
