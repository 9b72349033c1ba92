/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_snapshots.h"
#include "api/guard.h"
#include "empty.pb-c.h"

#define SNAPSHOTS "/containerd.services.snapshots.v1.Snapshots/"

DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__StatSnapshotResponse)

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

CtdSnapshots__PrepareSnapshotResponse *ctd_snapshot_prepare(ctd_client *c, const char *lease, const char *snapshotter,
							    const char *key, const char *parent, cancel *stop,
							    GError **error)
{
	CtdSnapshots__PrepareSnapshotRequest request = CTD_SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	request.snapshotter = borrow(snapshotter);
	request.key = borrow(key);
	request.parent = borrow(parent);
	return ctd_call_under(c, lease, CTD_LONG, SNAPSHOTS "Prepare", &request,
			      &ctd_snapshots__prepare_snapshot_response__descriptor, stop, error);
}

bool ctd_snapshot_commit(ctd_client *c, const char *lease, const char *snapshotter, const char *name, const char *key,
			 GError **error)
{
	CtdSnapshots__CommitSnapshotRequest request = CTD_SNAPSHOTS__COMMIT_SNAPSHOT_REQUEST__INIT;
	request.snapshotter = borrow(snapshotter);
	request.name = borrow(name);
	request.key = borrow(key);
	void *reply = ctd_call_under(c, lease, CTD_LONG, SNAPSHOTS "Commit", &request, &google__empty__descriptor, NULL,
				     error);
	guard_free(reply);
	return reply != NULL;
}

bool ctd_snapshot_remove(ctd_client *c, const char *snapshotter, const char *key, GError **error)
{
	CtdSnapshots__RemoveSnapshotRequest request = CTD_SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;
	g_autofree char *type = g_strconcat("snapshots/", snapshotter, NULL);
	request.snapshotter = borrow(snapshotter);
	request.key = borrow(key);
	GError *failure = NULL;
	/* With the lease, from which containerd removes it in the same transaction. */
	void *reply = ctd_call_under(c, ctd_lease_id(c), CTD_PLAIN, SNAPSHOTS "Remove", &request,
				     &google__empty__descriptor, NULL, &failure);
	guard_free(reply);
	ctd_lease_mark(c);
	if (reply)
		return true;
	if (error_is(failure, ERROR_NOT_FOUND)) {
		g_clear_error(&failure);
		return ctd_lease_drop(c, type, key, error);
	}
	return error_propagate(error, failure);
}

bool ctd_snapshot_exists(ctd_client *c, const char *snapshotter, const char *key, GError **error)
{
	CtdSnapshots__StatSnapshotRequest request = CTD_SNAPSHOTS__STAT_SNAPSHOT_REQUEST__INIT;
	GError *failure = NULL;
	request.snapshotter = borrow(snapshotter);
	request.key = borrow(key);
	g_autoptr(CtdSnapshots__StatSnapshotResponse) reply =
		ctd_call(c, CTD_PLAIN, SNAPSHOTS "Stat", &request, &ctd_snapshots__stat_snapshot_response__descriptor,
			 NULL, &failure);
	if (failure && !error_is(failure, ERROR_NOT_FOUND))
		g_propagate_error(error, g_steal_pointer(&failure));
	g_clear_error(&failure);
	return reply != NULL;
}
