/* SPDX-License-Identifier: Apache-2.0 */
/* ctd_internal: the client's inside, shared by ctd_client.c and ctd_lease.c. */
#pragma once
#include "containerd/ctd_client.h"

struct ctd_hook {
	void (*fn)(void *data);
	void *data;
};
struct ctd_client {
	rpc_loop *loop; /* borrowed */
	char *address, *namespace, *worker, *lease;
	GMutex mu;         /* guards conn; held while it is made */
	rpc_conn *conn;    /* ref; NULL: none yet, or lost */
	GArray *hooks;     /* of struct ctd_hook */
	GThread *renewing; /* the thread that runs them */

	GMutex lease_mu; /* guards what follows; held while the lease is made or deleted */
	bool lease_made;
	int lease_users;
	gint dirty; /* atomic: something was let go of */

	GMutex others_mu;
	GHashTable *others; /* ids (owned) of leases that somebody works under */
};
/* The connection is new: nothing is known of the lease. */
void ctd_lease_forget(ctd_client *c);
/* Other leases of this worker that nobody works under: left by an earlier life or connection. */
void ctd_lease_sweep(ctd_client *c);
