/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_client: a connection to containerd (its gRPC API over a unix or tcp socket), and the lease that keeps what is
 *ours.
 *
 *	ctd_client *c = ctd_client_new(&options, error);
 *	reply = ctd_call(c, CTD_LEASED, "/containerd.services.snapshots.v1.Snapshots/Prepare", &request,
 *			 &ctd_snapshots__prepare_snapshot_response__descriptor, cancel, error);
 *
 * Every call names the namespace. A leased call puts what it makes under one lease of this worker, which is there from
 * the first such call on until it holds nothing. A connection that ended is made again by the next call; before that
 * call goes out, the hooks run, so that what the old connection left is taken away first.
 * Errors: UNAVAILABLE "containerd at ADDRESS: ...". Thread: any (.mu guards the connection, .lease_mu the lease).
 */
#pragma once
#include "rpc/rpc.h"

typedef struct ctd_client ctd_client;

struct ctd_client_options {
	rpc_loop *loop;      /* borrowed */
	const char *address; /* a path, unix://PATH or tcp://HOST:PORT */
	const char *namespace;
	const char *worker_id; /* names the lease; NULL: the client makes no leased calls */
};
/* Connects once, so that a wrong address is told at once. */
ctd_client *ctd_client_new(const struct ctd_client_options *options, GError **error);
void ctd_client_free(ctd_client *c);
const char *ctd_client_address(const ctd_client *c);
const char *ctd_client_worker(const ctd_client *c);
/* fn runs on a thread that makes a new connection, which nobody else has yet; it may call, not leased. */
void ctd_client_on_connect(ctd_client *c, void (*fn)(void *data), void *data);

enum ctd_flags {
	CTD_PLAIN = 0,
	CTD_LEASED = 1,
	CTD_LONG = 2,    /* ten minutes; otherwise one */
	CTD_ENDLESS = 4, /* as long as it takes */
};
/* One request, one reply (guard_free). */
void *ctd_call(ctd_client *c, unsigned flags, const char *path, const void *request,
	       const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error);
/* The same for replies that say nothing. */
bool ctd_do(ctd_client *c, unsigned flags, const char *path, const void *request, cancel *stop, GError **error);
/* Absence is success. */
bool ctd_remove(ctd_client *c, unsigned flags, const char *path, const void *request, GError **error);
/* Under any lease (NULL: none). */
void *ctd_call_under(ctd_client *c, const char *lease, unsigned flags, const char *path, const void *request,
		     const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error);
/* A streaming call. A leased one is between ctd_lease_use and ctd_lease_leave. */
rpc_call *ctd_stream(ctd_client *c, unsigned flags, const char *path, cancel *stop, GError **error);

/* Puts the address before an error of a stream that ended with the connection. */
void ctd_name_peer(const ctd_client *c, GError *error);

/* ---- the lease (ctd_lease.c) */
const char *ctd_lease_id(const ctd_client *c);
/* Makes the lease if need be; it stays until left. */
bool ctd_lease_use(ctd_client *c, GError **error);
void ctd_lease_leave(ctd_client *c);
/* Something was let go of: the next collection has work. */
void ctd_lease_mark(ctd_client *c);
/* Has containerd remove what nobody refers to, if something was let go of; an empty lease goes too. */
bool ctd_lease_collect(ctd_client *c, GError **error);
/* type: "content", "ingests", "snapshots/NAME". */
bool ctd_lease_add(ctd_client *c, const char *type, const char *id, GError **error);
bool ctd_lease_drop(ctd_client *c, const char *type, const char *id, GError **error);
/* Ids (char *) of a type that the lease holds; an empty array without a lease. */
GPtrArray *ctd_lease_list(ctd_client *c, const char *type, GError **error);
/*
 * Leases besides that of the worker, for work that ends: named by its id and a word. Those that could not be ended go
 * when a connection is made.
 */
char *ctd_lease_other(ctd_client *c, const char *word, GError **error);
bool ctd_lease_other_add(ctd_client *c, const char *lease, const char *type, const char *id, GError **error);
void ctd_lease_other_end(ctd_client *c, char *lease); /* frees */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ctd_client, ctd_client_free)
