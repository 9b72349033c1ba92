/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway: the LLBBridge service (moby.buildkit.v1.frontend) over a bridge, for builds that a client or a frontend
 * image drives.
 *
 *	gateway *g = gateway_new(bridge, inputs, workers, n, &work);      one per build
 *	llbbridge_register(server, &host);                     host.find returns the gateway of a call
 *	build_result *r = gateway_wait(g, cancel, error);      blocks until Return
 *
 * A gateway is counted; it owns the refs that it returned until it is closed. Thread: any.
 */
#pragma once
#include "rpc/rpc.h"
#include "worker/bridge.h"
#include "worker/worker.h"

typedef struct gateway gateway;

/*
 * bridge and workers are borrowed until close. inputs: char * to Pb__Definition *, borrowed, may be NULL. work is copied;
 * its members outlive the gateway.
 */
gateway *gateway_new(bridge *b, GHashTable *inputs, worker *const *workers, size_t n_workers, const struct work *work);
gateway *gateway_ref(gateway *g);
void gateway_unref(gateway *g);
/* Blocks until Return. The caller owns the result. Errors: the error of Return, or of the cancel token. */
build_result *gateway_wait(gateway *g, cancel *c, GError **error);
/* Calls fn(data) once Return was received, on the thread of that call with a lock held. Before the first call. */
void gateway_on_return(gateway *g, void (*fn)(void *data), void *data);
/* Does not wait. Returns true if there was a Return: *ret_result (owned) or *ret_error is set. */
bool gateway_get_result(gateway *g, build_result **ret_result, GError **ret_error);
/* Refuses further calls, frees refs and ends waiting calls. */
void gateway_close(gateway *g);

/*
 * Finds the gateway of a call; counted. Calls of clients name the build ("buildkit-controlapi-buildid"), those of a
 * frontend image come through its connection. Errors: NOT_FOUND and others with upstream's texts.
 */
typedef gateway *(*gateway_find_fn)(void *data, rpc_call *call, GError **error);
struct llbbridge_host {
	gateway_find_fn find;
	void *data;
};
/* host is borrowed; it must outlive the server. */
void llbbridge_register(rpc_server *server, struct llbbridge_host *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(gateway, gateway_unref)
