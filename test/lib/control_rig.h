/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_rig: the services of the daemon over a real cache and history, with a builder of the test, and a client.
 *
 *	struct control_rig r;
 *	control_rig_init(&r);
 *	r.solve = my_solve;                       before the first call
 *	reply = CONTROL_CALL(&r, "/moby.buildkit.v1.Control/Solve", &request, control__solve_response, &error);
 *	control_rig_clear(&r);
 *
 * It replaces the functions of builder/build.h that the module control calls. One at a time. Thread: any, one at a time.
 */
#pragma once
#include "control/control.h"
#include "lib/cache_rig.h"
#include "lib/event.h"
#include "lib/rpc_pair.h"

struct control_rig {
	struct rig cache;
	history *history;
	solver *solver; /* without builds */
	worker worker, *workers[1];
	struct control control;
	struct rpc_pair pair;
	/* builder_solve; NULL: not called */
	bool (*solve)(const struct build_request *request, GHashTable *response, GError **error);
	GMutex mu;            /* guards the members below */
	char *running;        /* ref of the running build or NULL */
	progress_log *log;    /* its log */
	struct event watched; /* calls that wait for a build */
	void (*notify)(void *data);
	void *notify_data;
	gateway *gateway; /* of the running build */
};

void control_rig_init(struct control_rig *r);
void control_rig_clear(struct control_rig *r);
/* Starts a build with a log and tells the call that waits for one. */
void control_rig_begin(struct control_rig *r, const char *ref);
/* Stores a completed build with a log of one message. */
void control_rig_store(struct control_rig *r, const char *ref, GBytes *log);

#define CONTROL_CALL(r, path, request, reply, error)                                                                   \
	rpc_unary((r)->pair.conn, path, NULL, request, &reply##__descriptor, NULL, 0, error)
/* Starts a call with one request. */
rpc_call *control_rig_stream(struct control_rig *r, const char *path, const void *request);
/* Fails unless the last call failed with exactly this error; clears it. */
void control_rig_failed(void *reply, GError **error, enum error_code code, const char *text);
