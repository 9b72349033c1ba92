/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"
#include "content.pb-c.h"
#include "empty.pb-c.h"
#include "explain.pb-c.h"
#include "format/gotype.h"
#include <string.h>

#define CONTROL "/moby.buildkit.v1.Control/"
#define CONTENT "/containerd.services.content.v1.Content/"
#define BUILD_WAIT_MS 3000 /* a client may call Status before its Solve has created the build */

bool control_send_timestamp(rpc_call *call, GError **error)
{
	g_autofree char *now = time_format_rfc3339(progress_now_ns());
	rpc_call_add_header(call, "buildkit-current-timestamp", now);
	return rpc_call_send_headers(call, error);
}

static enum rpc_turn control_session(rpc_call *call, void **state, void *data, GError **error)
{
	struct control *control = data;
	return session_turn(control->sessions, call, state, error);
}

static void control_session_free(void *state, void *data)
{
	struct control *control = data;
	session_turn_free(control->sessions, state);
}

/* Accepts and discards trace exports, so that clients do not log errors. */
static ProtobufCMessage *take_traces(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	return &message_new(Google__Empty, google__empty)->base;
}

static ProtobufCMessage *refuse_write(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	error_set(error, ERROR_FAILED_PRECONDITION, "the content store is read-only (%s)", rpc_call_path(call));
	return NULL;
}

static bool refuse_stream(rpc_call *call, void *data, GError **error)
{
	return error_set(error, ERROR_FAILED_PRECONDITION, "the content store is read-only (%s)", rpc_call_path(call));
}

static const struct rpc_method methods[] = {
	{CONTROL "Solve", &control__solve_request__descriptor, control_solve, NULL},
	{CONTROL "Status", .turn = control_status, .free_state = control_status_free},
	{CONTROL "Session", .turn = control_session, .free_state = control_session_free, .headers_only = true},
	{CONTROL "ListWorkers", &control__list_workers_request__descriptor, control_list_workers, NULL},
	{CONTROL "Info", &control__info_request__descriptor, control_info, NULL},
	{CONTROL "DiskUsage", &control__disk_usage_request__descriptor, control_disk_usage, NULL},
	{CONTROL "Prune", &control__prune_request__descriptor, .stream = control_prune},
	{CONTROL "ListenBuildHistory", .turn = control_listen_history, .free_state = control_listen_history_free},
	{CONTROL "UpdateBuildHistory", &control__update_build_history_request__descriptor, control_update_history,
	 NULL},
	{"/buildkitc.explain.v1.Explain/Explain", &explain__explain_request__descriptor, control_explain, NULL},
	{CONTENT "Info", &content__info_request__descriptor, control_content_info, NULL},
	{CONTENT "Read", &content__read_content_request__descriptor, .stream = control_content_read},
	{CONTENT "List", &content__list_content_request__descriptor, .stream = control_content_list},
	{CONTENT "Status", &content__status_request__descriptor, control_content_status, NULL},
	{CONTENT "ListStatuses", &content__list_statuses_request__descriptor, control_content_statuses, NULL},
	{CONTENT "Update", &content__update_request__descriptor, refuse_write, NULL},
	{CONTENT "Delete", &content__delete_content_request__descriptor, refuse_write, NULL},
	{CONTENT "Abort", &content__abort_request__descriptor, refuse_write, NULL},
	{CONTENT "Write", NULL, NULL, refuse_stream},
	{"/opentelemetry.proto.collector.trace.v1.TraceService/Export", &google__empty__descriptor, take_traces, NULL},
};

static gateway *find_gateway(void *data, rpc_call *call, GError **error)
{
	struct control *control = data;
	const char *ref = rpc_metadata_get(rpc_call_metadata(call), "buildkit-controlapi-buildid");
	const char *method = strrchr(rpc_call_path(call), '/') + 1;
	gateway *found = NULL;
	if (!ref)
		error_set(error, ERROR_UNKNOWN, "no buildid found in context");
	else
		found = builder_find_gateway(control->builder, ref, BUILD_WAIT_MS, rpc_call_cancel(call), error);
	if (!found)
		g_prefix_error(error, "forwarding %s: ", method);
	return found;
}

void control_register(rpc_server *server, struct control *control)
{
	rpc_server_add(server, methods, G_N_ELEMENTS(methods), control);
	control->bridge = (struct llbbridge_host){.find = find_gateway, .data = control};
	llbbridge_register(server, &control->bridge);
	rpc_server_add_health(server);
}
