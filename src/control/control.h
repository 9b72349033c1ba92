/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: the Control service (moby.buildkit.v1) and the other services of a listener: LLBBridge for builds that a
 * client drives, content (read-only), health, traces.
 *
 *	control_register(server, &control);
 *
 * Wire types end here. The builder and registry are borrowed for the server's life. Thread: handlers run on any.
 */
#pragma once
#include "builder/build.h"
#include "control/methods.h"
#include "debug.pb-c.h"
#include "explain.pb-c.h"
#include "rpc/rpc.h"
#include "session/session.h"

struct control {
	builder *builder;
	session_registry *sessions;
	tracer *tracer;               /* NULL: nothing is traced */
	struct llbbridge_host bridge; /* set by control_register */
};
/* control is borrowed; it must outlive the server. */
void control_register(rpc_server *server, struct control *control);

/* ---- handlers, one file per subject (data is struct control *) */
#define DECLARE_UNARY(path, message, handler)                                                                          \
	ProtobufCMessage *handler(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
#define DECLARE_STREAM(path, request, handler) bool handler(rpc_call *call, void *data, GError **error);
#define DECLARE_TURN(path, handler, headers)                                                                           \
	enum rpc_turn handler(rpc_call *call, void **state, void *data, GError **error);                               \
	void handler##_free(void *state, void *data);
CONTROL_UNARY_METHODS(DECLARE_UNARY)
CONTROL_STREAM_METHODS(DECLARE_STREAM)
CONTROL_TURN_METHODS(DECLARE_TURN)
/* Why steps of a build ran again; NULL if that is disabled. guard_free. */
Explain__ExplainResponse *control_explain_build(builder *b, const char *ref);
/* What each running build waits for. guard_free. */
Debug__StuckResponse *control_stuck_new(builder *b);
/* Sends "buildkit-current-timestamp" immediately, so that clients can correct their clock. */
bool control_send_timestamp(rpc_call *call, GError **error);
