/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_rig: a gateway over a bridge that records what it is asked, and a client of its LLBBridge service.
 *
 *	g_test_add("/x", struct gateway_rig, NULL, gateway_rig_setup, test, gateway_rig_teardown);
 *	reply = GATEWAY_CALL(r, "Ping", &request, gateway__pong_response, &error);
 *	gateway_rig_seen(r, "solve ...\n");
 *
 * Thread: any, one at a time.
 */
#pragma once
#include "frontend/gateway/gateway_internal.h"
#include "lib/event.h"
#include "lib/rpc_pair.h"

#define GATEWAY_SERVICE "/moby.buildkit.v1.frontend.LLBBridge/"

struct fake_bridge {
	bridge bridge;
	bridge_ref ref;  /* the only one */
	gint count;      /* references to it beside the fake's */
	GString *seen;   /* a line per request */
	const char *bad; /* the error of all requests; NULL: they succeed */
	enum error_code code;
	bool as_map;          /* solve returns a map of refs */
	struct event waiting; /* read_file of "wait" has begun */
	struct event ended;   /* the same has ended; it waits for its cancellation, then for the gateway to be closed */
	/* NULL: new_container is not called */
	container *(*new_container)(const struct bridge_container_request *r, struct work *work, GError **error);
	gateway *g;
	Pb__Definition definition;
};
struct gateway_rig {
	struct fake_bridge fake;
	cancel *build;
	struct work work; /* of the build */
	GHashTable *labels, *inputs;
	worker worker, *workers[1];
	gateway *g; /* NULL: the build is unknown */
	struct llbbridge_host host;
	struct rpc_pair pair;
};

void gateway_rig_setup(struct gateway_rig *r, gconstpointer data);
void gateway_rig_teardown(struct gateway_rig *r, gconstpointer data);

#define GATEWAY_CALL(r, method, request, reply, error)                                                                 \
	rpc_unary((r)->pair.conn, GATEWAY_SERVICE method, NULL, request, &reply##__descriptor, NULL, 0, error)
/* Fails unless the last request failed with exactly this error; clears it. */
void gateway_rig_failed(void *reply, GError **error, enum error_code code, const char *text);
/* Fails unless the bridge was asked this since the last time. */
void gateway_rig_seen(struct gateway_rig *r, const char *text);
/* Solves and returns the id of the ref. Owned. */
char *gateway_rig_solve(struct gateway_rig *r);
void gateway_rig_metadata(build_result *result, const char *key, const char *value);
