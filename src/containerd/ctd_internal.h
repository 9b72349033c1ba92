/* SPDX-License-Identifier: Apache-2.0 */
/* ctd_internal: members of the client, shared by ctd_client.c and ctd_lease.c. Thread: any, with the locks below. */
#pragma once
#include "containerd/ctd_client.h"

struct ctd_hook {
	void (*fn)(void *data);
	void *data;
};
struct ctd_client {
	rpc_loop *loop; /* borrowed */
	char *address, *peer, *namespace, *worker, *lease;
	GMutex mu;         /* guards conn; held while connecting */
	rpc_conn *conn;    /* ref; NULL: not connected */
	GArray *hooks;     /* of struct ctd_hook */
	GThread *renewing; /* the thread that runs them */

	GMutex lease_mu; /* guards the following members; held while the lease is created or deleted */
	bool lease_made;
	int lease_users;
	gint dirty; /* atomic: objects were released */

	GMutex others_mu;
	GHashTable *others; /* ids (owned) of temporary leases in use */
};
/* The connection is new: the lease's state is unknown. */
void ctd_lease_forget(ctd_client *c);
/* Deletes unused temporary leases of this worker, which a previous daemon or connection left. */
void ctd_lease_sweep(ctd_client *c);
