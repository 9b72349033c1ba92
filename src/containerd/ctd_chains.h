/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_chains: the layers of the images that containerd has, by which a cache knows what it shares with them.
 *
 *	ctd_chains *chains = ctd_chains_new(client);
 *	g_autoptr(GHashTable) set = ctd_chains_read(chains);
 *
 * A document is read once for as long as an image has it. Thread: any (.mu is held while it reads).
 */
#pragma once
#include "containerd/ctd_client.h"

typedef struct ctd_chains ctd_chains;

ctd_chains *ctd_chains_new(ctd_client *c /* borrowed */);
void ctd_chains_free(ctd_chains *s);
/* A set of digests of layer blobs, bottom first and joined; what cannot be read is left out. The caller's. */
GHashTable *ctd_chains_read(ctd_chains *s);
