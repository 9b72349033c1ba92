/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_client: a connection to containerd (its gRPC API over a unix or tcp socket), and the lease of the worker's
 * objects.
 *
 *	ctd_client *c = ctd_client_new(&options, error);
 *	reply = ctd_call(c, CTD_LEASED, "/containerd.services.snapshots.v1.Snapshots/Prepare", &request,
 *			 &ctd_snapshots__prepare_snapshot_response__descriptor, cancel, error);
 *
 * Every call names the namespace. A leased call adds the objects that it creates to one lease of this worker, which
 * exists from the first such call until it holds nothing. If the connection has ended, the next call makes a new one;
 * before that call is sent, the hooks run, so that the remains of the old connection are removed first. Errors:
 * UNAVAILABLE "PEER at ADDRESS: ...". Thread: any (.mu guards the connection, .lease_mu the lease).
 */
#pragma once
#include "rpc/rpc.h"

typedef struct ctd_client ctd_client;

struct ctd_client_options {
	rpc_loop *loop;      /* borrowed */
	const char *address; /* a path, unix://PATH or tcp://HOST:PORT */
	const char *namespace;
	const char *worker_id; /* names the lease; NULL: the client makes no leased calls */
	const char *peer;      /* for messages; NULL: "containerd" */
};
/* Connects once, so that a wrong address is reported immediately. */
ctd_client *ctd_client_new(const struct ctd_client_options *options, GError **error);
void ctd_client_free(ctd_client *c);
const char *ctd_client_worker(const ctd_client *c);
/* Calls fn on the thread that makes a new connection, before other threads use it; fn may make calls without lease. */
void ctd_client_on_connect(ctd_client *c, void (*fn)(void *data), void *data);

enum ctd_flags {
	CTD_PLAIN = 0,
	CTD_LEASED = 1,
	CTD_LONG = 2,    /* ten minutes; otherwise one minute */
	CTD_ENDLESS = 4, /* without time limit */
};
/* Sends one request and returns the reply (guard_free). */
void *ctd_call(ctd_client *c, unsigned flags, const char *path, const void *request,
	       const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error);
/* The same for empty replies. */
bool ctd_do(ctd_client *c, unsigned flags, const char *path, const void *request, cancel *stop, GError **error);
/* NOT_FOUND is a success. */
bool ctd_remove(ctd_client *c, unsigned flags, const char *path, const void *request, GError **error);
/* Under the given lease (NULL: none). */
void *ctd_call_under(ctd_client *c, const char *lease, unsigned flags, const char *path, const void *request,
		     const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error);
/*
 * Starts a streaming call; CTD_LONG: it ends after ten minutes. Make a leased one between ctd_lease_use and
 * ctd_lease_leave.
 */
rpc_call *ctd_stream(ctd_client *c, unsigned flags, const char *path, cancel *stop, GError **error);

/* Adds the address to an error of a stream that ended with the connection. */
void ctd_name_peer(const ctd_client *c, GError *error);

/* ---- lease (ctd_lease.c) */
const char *ctd_lease_id(const ctd_client *c);
/* Creates the lease if necessary; it is kept until ctd_lease_leave. */
bool ctd_lease_use(ctd_client *c, GError **error);
void ctd_lease_leave(ctd_client *c);
/* Records that objects were released: the next collection has work. */
void ctd_lease_mark(ctd_client *c);
/* Makes containerd remove unreferenced objects, if any were released; also deletes an empty lease. */
bool ctd_lease_collect(ctd_client *c, GError **error);
/* type: "content", "ingests", "snapshots/NAME". */
bool ctd_lease_add(ctd_client *c, const char *type, const char *id, GError **error);
bool ctd_lease_drop(ctd_client *c, const char *type, const char *id, GError **error);
/* Lists the ids (char *) of a type that the lease holds; an empty array without a lease. */
GPtrArray *ctd_lease_list(ctd_client *c, const char *type, GError **error);
/*
 * Additional leases for temporary work: named after the worker's id and a word. Those that could not be deleted are
 * deleted when the next connection is made.
 */
char *ctd_lease_other(ctd_client *c, const char *word, GError **error);
bool ctd_lease_other_add(ctd_client *c, const char *lease, const char *type, const char *id, GError **error);
void ctd_lease_other_end(ctd_client *c, char *lease); /* frees lease */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ctd_client, ctd_client_free)
