/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_internal: what gateway.c, result.c and llbbridge.c share. Thread: .mu guards what it stands before. */
#pragma once
#include "frontend/gateway/gateway.h"
#include "api/guard.h"

struct gateway {
	gint refs;
	bridge *bridge;     /* borrowed until closed */
	GHashTable *inputs; /* borrowed */
	struct gateway_info info;
	struct work work;
	GMutex mu;
	GCond changed;
	bool closed;
	bool returned;
	guint calls;            /* running, keep the bridge in use */
	GHashTable *handed_out; /* char * id to bridge_ref * (owned, NULL allowed) */
	build_result *result;   /* owned, once returned */
	GError *error;          /* owned, once returned */
};

/* A fresh id for a ref; takes it. "" for scratch. The text belongs to the gateway. */
const char *gateway_hand_out(gateway *g, bridge_ref *ref);
/* Borrowed while the call runs. Errors: "no such ref: X, all [...]". */
bool gateway_find_ref(gateway *g, const char *id, bridge_ref **ret, GError **error);
/* The wire form of a result whose refs become known to the gateway; guard_free. */
Gateway__Result *gateway_result_to_wire(gateway *g, build_result *r, bool array_ref);
build_result *gateway_result_from_wire(gateway *g, const Gateway__Result *wire, GError **error);
/* Ends the wait. Errors: "gateway result is already set". */
bool gateway_return(gateway *g, build_result *result, GError *failure, GError **error);
