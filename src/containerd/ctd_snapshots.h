/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_snapshots: the calls of containerd's snapshots service.
 *
 *	mounts = ctd_snapshot_prepare(client, CTD_LEASED, "overlayfs", key, parent, stop, error);
 *
 * Thread: any.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "ctd_snapshots.pb-c.h"

/* Creates a writable snapshot; parent "" for none. guard_free. */
CtdSnapshots__PrepareSnapshotResponse *ctd_snapshot_prepare(ctd_client *c, const char *lease, const char *snapshotter,
							    const char *key, const char *parent, cancel *stop,
							    GError **error);
bool ctd_snapshot_commit(ctd_client *c, const char *lease, const char *snapshotter, const char *name, const char *key,
			 GError **error);
/* A missing snapshot is a success. Errors: FAILED_PRECONDITION while another builds on it. */
bool ctd_snapshot_remove(ctd_client *c, const char *snapshotter, const char *key, GError **error);
/* Returns false without an error if it does not exist. */
bool ctd_snapshot_exists(ctd_client *c, const char *snapshotter, const char *key, GError **error);
