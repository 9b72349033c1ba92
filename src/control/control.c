/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "control.pb-c.h"
#include "content.pb-c.h"
#include "debug.pb-c.h"
#include "explain.pb-c.h"
#include "format/gotype.h"
#include "otlp/service.h"
#include <string.h>

#define FORWARD_WAIT_MS 3000 /* LLBBridge calls may come before Solve has created the build; upstream waits as long */

bool control_send_timestamp(rpc_call *call, GError **error)
{
	g_autofree char *now = time_format_rfc3339(progress_now_ns());
	rpc_call_add_header(call, "buildkit-current-timestamp", now);
	return rpc_call_send_headers(call, error);
}

#define UNARY_ROW(path, message, handler) {path, &message##__descriptor, handler, NULL},
#define STREAM_ROW(path, request_type, handler) {path, request_type, .stream = handler},
#define TURN_ROW(path, handler, headers) {path, .turn = handler, .free_state = handler##_free, .headers_only = headers},

static const struct rpc_method methods[] = {CONTROL_UNARY_METHODS(UNARY_ROW) CONTROL_STREAM_METHODS(STREAM_ROW)
						    CONTROL_TURN_METHODS(TURN_ROW)};

static gateway *find_gateway(void *data, rpc_call *call, GError **error)
{
	struct control *control = data;
	const char *ref = rpc_metadata_get(rpc_call_metadata(call), "buildkit-controlapi-buildid");
	const char *method = strrchr(rpc_call_path(call), '/') + 1;
	gateway *found = NULL;
	if (!ref)
		error_set(error, ERROR_UNKNOWN, "no buildid found in context");
	else
		found = builder_find_gateway(control->builder, ref, FORWARD_WAIT_MS, rpc_call_cancel(call), error);
	if (!found)
		g_prefix_error(error, "forwarding %s: ", method);
	return found;
}

void control_register(rpc_server *server, struct control *control)
{
	rpc_server_add(server, methods, G_N_ELEMENTS(methods), control);
	control->bridge = (struct llbbridge_host){.find = find_gateway, .data = control};
	llbbridge_register(server, &control->bridge);
	otlp_register(server, control->tracer);
	rpc_server_set_tracer(server, control->tracer, CONTROL "Solve");
	rpc_server_add_health(server);
	rpc_server_add_reflection(server);
}
