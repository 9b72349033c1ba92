/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: the LLBBridge service (moby.buildkit.v1.frontend) over a bridge: how a client or a frontend container
 * drives a build.
 *
 *	gateway *g = gateway_new(bridge, inputs, &info);       one a build
 *	llbbridge_register(server, &host);                     calls find the gateway by "buildkit-controlapi-buildid"
 *	build_result *r = gateway_wait(g, cancel, error);      until Return
 *
 * A gateway is counted; it owns the refs that it handed out until it is closed. Rules: llb-and-solver.md section 27.
 * Thread: any.
 */
#pragma once
#include "rpc/rpc.h"
#include "worker/bridge.h"
#include "types.pb-c.h"

typedef struct gateway gateway;

struct gateway_info {
	/* Fills Pong.Workers; the array and its records are guard_free'd one by one. */
	Types__WorkerRecord **(*workers)(void *data, size_t *ret_n);
	void *data;
};

gateway *gateway_new(bridge *b /* borrowed until close */,
		     GHashTable *inputs /* char * to Pb__Definition *, may be NULL */, const struct gateway_info *info,
		     const struct work *work /* copied; members outlive the gateway */);
gateway *gateway_ref(gateway *g);
void gateway_unref(gateway *g);
/* Blocks until Return. The result is owned by the caller. Errors: what was returned, or the cancel's. */
build_result *gateway_wait(gateway *g, cancel *c, GError **error);
/* No more calls: refs are let go, waiting calls end. */
void gateway_close(gateway *g);

/* Finds the gateway a call is for; counted. Errors: NOT_FOUND and others of section 3.2. */
typedef gateway *(*gateway_find_fn)(void *data, rpc_call *call, GError **error);
struct llbbridge_host {
	gateway_find_fn find;
	void *data;
};
/* host is borrowed: it outlives the server. */
void llbbridge_register(rpc_server *server, struct llbbridge_host *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(gateway, gateway_unref)
