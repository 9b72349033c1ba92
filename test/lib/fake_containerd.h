/* SPDX-License-Identifier: Apache-2.0 */
/* fake_containerd: the parts of containerd that leases and content need, on a unix socket; its state outlives the server. */
#pragma once
#include "api/guard.h"
#include "content.pb-c.h"
#include "containerd/ctd_client.h"
#include "ctd_leases.pb-c.h"
#include "empty.pb-c.h"
#include "base/digest.h"
#include <glib/gstdio.h>

struct fake {
	rpc_loop *loop;
	rpc_server *server;
	char *dir, *address;
	GMutex mu;
	GHashTable *leases;  /* id to set of "type id" */
	GHashTable *content; /* digest to GBytes */
	GHashTable *ingests; /* ref to GByteArray */
	int collections;     /* leases deleted with sync */
	bool refuse_writes;
};

void fake_start(struct fake *f);
void fake_stop(struct fake *f);
void fake_init(struct fake *f);
void fake_done(struct fake *f);
