/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_snapshots: the calls of containerd's snapshots service.
 *
 *	struct ctd_snapshot_request request = {.lease = lease, .snapshotter = "overlayfs", .key = key, .parent = ""};
 *	reply = ctd_snapshot_prepare(client, &request, stop, error);
 *
 * The peer is containerd, or a snapshotter that serves the same service. Thread: any.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "ctd_snapshots.pb-c.h"

struct ctd_label {
	const char *key, *value;
};
struct ctd_snapshot_request {
	const char *lease; /* NULL: none */
	const char *snapshotter, *key;
	const char *parent; /* "": none */
	const struct ctd_label *labels;
	size_t n_labels;
};
/* Creates a writable snapshot. guard_free. */
CtdSnapshots__PrepareSnapshotResponse *ctd_snapshot_prepare(ctd_client *c, const struct ctd_snapshot_request *request,
							    cancel *stop, GError **error);
/* Creates a read-only snapshot of parent. guard_free. */
CtdSnapshots__ViewSnapshotResponse *ctd_snapshot_view(ctd_client *c, const struct ctd_snapshot_request *request,
						      cancel *stop, GError **error);
bool ctd_snapshot_commit(ctd_client *c, const char *lease, const char *snapshotter, const char *name, const char *key,
			 GError **error);
/*
 * Removes it, and from lease (NULL: none). A missing snapshot is a success. Errors: FAILED_PRECONDITION while another
 * builds on it.
 */
bool ctd_snapshot_remove(ctd_client *c, const char *lease, const char *snapshotter, const char *key, GError **error);
/* Returns false without an error if it does not exist. */
bool ctd_snapshot_exists(ctd_client *c, const char *snapshotter, const char *key, GError **error);
/* Lists the names (char *) of the snapshots that start with prefix. */
GPtrArray *ctd_snapshot_list(ctd_client *c, const char *snapshotter, const char *prefix, GError **error);
