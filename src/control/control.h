/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: the Control service (moby.buildkit.v1) and the other services of a listener: LLBBridge for builds that a
 * client drives, content (read-only), health, traces (accepted and discarded).
 *
 *	control_register(server, &control);
 *
 * Wire types end here. The builder and registry are borrowed for the server's life. Thread: handlers run on any.
 */
#pragma once
#include "builder/build.h"
#include "rpc/rpc.h"
#include "session/session.h"

struct control {
	builder *builder;
	session_registry *sessions;
	struct llbbridge_host bridge; /* set by control_register */
};
/* control is borrowed; it must outlive the server. */
void control_register(rpc_server *server, struct control *control);

/* ---- handlers, one file per subject (data is struct control *) */
ProtobufCMessage *control_solve(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
enum rpc_turn control_status(rpc_call *call, void **state, void *data, GError **error);
void control_status_free(void *state, void *data);
ProtobufCMessage *control_list_workers(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *control_info(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *control_disk_usage(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
bool control_prune(rpc_call *call, void *data, GError **error);
enum rpc_turn control_listen_history(rpc_call *call, void **state, void *data, GError **error);
void control_listen_history_free(void *state, void *data);
ProtobufCMessage *control_update_history(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *control_content_info(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
bool control_content_list(rpc_call *call, void *data, GError **error);
ProtobufCMessage *control_content_status(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *control_content_statuses(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *control_explain(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
bool control_content_read(rpc_call *call, void *data, GError **error);
/* Sends "buildkit-current-timestamp" immediately, so that clients can correct their clock. */
bool control_send_timestamp(rpc_call *call, GError **error);
