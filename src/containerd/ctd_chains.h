/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_chains: lists the layers of containerd's images, so that the cache knows which layers it shares with them.
 *
 *	ctd_chains *chains = ctd_chains_new(client);
 *	g_autoptr(GHashTable) set = ctd_chains_read(chains);
 *
 * Each document is read once while an image uses it. Thread: any (.mu is held while it reads).
 */
#pragma once
#include "containerd/ctd_client.h"

typedef struct ctd_chains ctd_chains;

ctd_chains *ctd_chains_new(ctd_client *c /* borrowed */);
void ctd_chains_free(ctd_chains *s);
/*
 * Returns a set of digests of layer blobs, joined bottom first; images that cannot be read are skipped. Owned by the
 * caller.
 */
GHashTable *ctd_chains_read(ctd_chains *s);
