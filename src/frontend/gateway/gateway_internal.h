/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_internal: declarations shared by the files of gateway/. Thread: members after .mu are guarded
 * by it.
 */
#pragma once
#include "frontend/gateway/gateway.h"
#include "api/guard.h"
#include "gateway.pb-c.h"

struct gateway {
	gint refs;
	bridge *bridge;         /* borrowed until closed */
	GHashTable *inputs;     /* borrowed */
	worker *const *workers; /* borrowed until closed */
	size_t n_workers;
	struct work work;
	GMutex mu;
	GCond changed;
	bool closed;
	bool returned;
	int64_t n_solves, solve_bytes; /* what Solve calls made the gateway keep */
	guint calls;                   /* number of running calls that use the bridge */
	GHashTable *handed_out;        /* char * id to bridge_ref * (owned, NULL allowed) */
	build_result *result;          /* owned; set by Return */
	GError *error;                 /* owned; set by Return */
	void (*on_return)(void *data);
	void *on_return_data;
};

/* Adds a Solve call to what the gateway keeps until it is closed. Errors: RESOURCE_EXHAUSTED beyond the limits. */
bool gateway_admit_solve(gateway *g, size_t bytes, GError **error);
/* Takes ownership of a ref and returns its new id, borrowed from the gateway. "" for scratch. */
const char *gateway_ref_add(gateway *g, bridge_ref *ref);
/* Returns a borrowed ref, valid while the call runs. Errors: "no such ref: X, all [...]". */
bool gateway_find_ref(gateway *g, const char *id, bridge_ref **ret, GError **error);
/* Sets *ret to a counted ref; NULL for the id "". */
bool gateway_take_ref(gateway *g, const char *id, bridge_ref **ret, GError **error);
/* Registers the ref, which stays the caller's, under a new id. */
Gateway__Ref *gateway_ref_to_wire(gateway *g, bridge_ref *ref);
/* ---- attestation.c */
void gateway_attestations_to_wire(gateway *g, const build_result *r, Gateway__Result *wire);
/* Errors: INVALID_ARGUMENT for messages that no client of upstream sends. */
bool gateway_attestations_from_wire(gateway *g, const Gateway__Result *wire, build_result *r, GError **error);
/* Converts a result to its wire form and registers its refs with the gateway; guard_free. */
Gateway__Result *gateway_result_to_wire(gateway *g, build_result *r, bool array_ref);
build_result *gateway_result_from_wire(gateway *g, const Gateway__Result *wire, GError **error);
/* Sets the result and ends the wait. Errors: "gateway result is already set". */
bool gateway_return(gateway *g, build_result *result, GError *failure, GError **error);
