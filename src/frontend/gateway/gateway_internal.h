/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_internal: declarations shared by the files of gateway/. Thread: members after .mu are guarded
 * by it.
 */
#pragma once
#include "frontend/gateway/gateway.h"
#include "api/guard.h"
#include "container/container.h"
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
	GHashTable *failed;     /* char * id to cache_ref * (owned): what failed ops left; only containers use it */
	GQueue failed_ops;      /* element type: struct failed_op * (owned), oldest first */
	GHashTable *containers; /* char * id to container * (counted); NULL: being created */
	GPtrArray *streams;     /* element type: rpc_call * (borrowed), running ExecProcess calls */
	build_result *result;   /* owned; set by Return */
	GError *error;          /* owned; set by Return */
	void (*on_return)(void *data);
	void *on_return_data;
};

/* ---- gateway.c */
/* Adds a Solve call to what the gateway keeps until it is closed. Errors: RESOURCE_EXHAUSTED beyond the limits. */
bool gateway_admit_solve(gateway *g, size_t bytes, GError **error);
/* Takes ownership of a ref and returns its new id, borrowed from the gateway. "" for scratch. */
const char *gateway_ref_add(gateway *g, bridge_ref *ref);
/* Returns a borrowed ref, valid while the call runs. Errors: "no such ref: X, all [...]". */
bool gateway_find_ref(gateway *g, const char *id, bridge_ref **ret, GError **error);
/* Sets *ret to a counted ref; NULL for the id "". */
bool gateway_take_ref(gateway *g, const char *id, bridge_ref **ret, GError **error);
/* Sets the result and ends the wait. Errors: "gateway result is already set". */
bool gateway_return(gateway *g, build_result *result, GError *failure, GError **error);

/* ---- attestation.c */
void gateway_attestations_to_wire(gateway *g, const build_result *r, Gateway__Result *wire);
/* Errors: INVALID_ARGUMENT for messages that no client of upstream sends. */
bool gateway_attestations_from_wire(gateway *g, const Gateway__Result *wire, build_result *r, GError **error);

/* ---- result.c */
/* Registers the ref, which stays the caller's, under a new id. */
Gateway__Ref *gateway_ref_to_wire(gateway *g, bridge_ref *ref);
/* Converts a result to its wire form and registers its refs with the gateway; guard_free. */
Gateway__Result *gateway_result_to_wire(gateway *g, build_result *r, bool array_ref);
build_result *gateway_result_from_wire(gateway *g, const Gateway__Result *wire, GError **error);

/* ---- llbbridge.c */
/* A call on a gateway: the gateway stays open while it runs; its work is canceled when the call ends. */
struct gateway_call {
	gateway *g; /* counted; NULL: not begun */
	struct work work;
};
bool gateway_call_begin(struct gateway_call *v, rpc_call *call, void *data, GError **error);
void gateway_call_end(struct gateway_call *v);
#define scoped_call __attribute__((cleanup(gateway_call_end))) struct gateway_call

/* ---- failure.c */
/* Registers what a failed op left, and names it in the details of the error. */
void gateway_keep_failure(gateway *g, GError *error);
cache_ref *gateway_find_failed(gateway *g, const char *id); /* counted; NULL: there is none */
/* Requires mu. */
void gateway_drop_failures_locked(gateway *g);

/* ---- containers.c */
ProtobufCMessage *gateway_new_container(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error);
ProtobufCMessage *gateway_release_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					    GError **error);
ProtobufCMessage *gateway_read_file_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					      GError **error);
ProtobufCMessage *gateway_read_dir_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					     GError **error);
ProtobufCMessage *gateway_stat_file_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					      GError **error);
/* Returns a counted container; NULL: there is none. */
container *gateway_find_container(gateway *g, const char *id);
/* Ends ExecProcess calls. Requires mu. */
void gateway_abort_streams_locked(gateway *g);

/* ---- exec.c */
bool gateway_exec_process(rpc_call *call, void *data, GError **error);
