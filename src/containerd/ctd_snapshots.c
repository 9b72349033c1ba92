/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_snapshots.h"
#include "api/guard.h"
#include "base/limits.h"
#include "empty.pb-c.h"

#define SNAPSHOTS "/containerd.services.snapshots.v1.Snapshots/"

DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__StatSnapshotResponse)
DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__ListSnapshotsResponse)

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

struct wire_labels {
	CtdSnapshots__PrepareSnapshotRequest__LabelsEntry *entries, **list;
};

static void wire_labels_clear(struct wire_labels *l)
{
	g_free(l->entries);
	g_free(l->list);
}

static struct wire_labels wire_labels_of(const struct ctd_snapshot_request *request)
{
	struct wire_labels l = {
		.entries = g_new0(CtdSnapshots__PrepareSnapshotRequest__LabelsEntry, request->n_labels),
		.list = g_new0(CtdSnapshots__PrepareSnapshotRequest__LabelsEntry *, request->n_labels),
	};
	for (size_t i = 0; i < request->n_labels; i++) {
		ctd_snapshots__prepare_snapshot_request__labels_entry__init(&l.entries[i]);
		l.entries[i].key = borrow(request->labels[i].key);
		l.entries[i].value = borrow(request->labels[i].value);
		l.list[i] = &l.entries[i];
	}
	return l;
}

CtdSnapshots__PrepareSnapshotResponse *ctd_snapshot_prepare(ctd_client *c, const struct ctd_snapshot_request *request,
							    cancel *stop, GError **error)
{
	CtdSnapshots__PrepareSnapshotRequest wire = CTD_SNAPSHOTS__PREPARE_SNAPSHOT_REQUEST__INIT;
	struct wire_labels labels = wire_labels_of(request);
	wire.snapshotter = borrow(request->snapshotter);
	wire.key = borrow(request->key);
	wire.parent = borrow(request->parent);
	wire.labels = labels.list;
	wire.n_labels = request->n_labels;
	void *reply = ctd_call_under(c, request->lease, CTD_LONG, SNAPSHOTS "Prepare", &wire,
				     &ctd_snapshots__prepare_snapshot_response__descriptor, stop, error);
	wire_labels_clear(&labels);
	return reply;
}

CtdSnapshots__ViewSnapshotResponse *ctd_snapshot_view(ctd_client *c, const struct ctd_snapshot_request *request,
						      cancel *stop, GError **error)
{
	CtdSnapshots__ViewSnapshotRequest wire = CTD_SNAPSHOTS__VIEW_SNAPSHOT_REQUEST__INIT;
	wire.snapshotter = borrow(request->snapshotter);
	wire.key = borrow(request->key);
	wire.parent = borrow(request->parent);
	return ctd_call_under(c, request->lease, CTD_LONG, SNAPSHOTS "View", &wire,
			      &ctd_snapshots__view_snapshot_response__descriptor, stop, error);
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

bool ctd_snapshot_remove(ctd_client *c, const char *lease, const char *snapshotter, const char *key, GError **error)
{
	CtdSnapshots__RemoveSnapshotRequest request = CTD_SNAPSHOTS__REMOVE_SNAPSHOT_REQUEST__INIT;
	g_autofree char *type = g_strconcat("snapshots/", snapshotter, NULL);
	request.snapshotter = borrow(snapshotter);
	request.key = borrow(key);
	GError *failure = NULL;
	/* With the lease, from which containerd removes it in the same transaction. */
	void *reply = ctd_call_under(c, lease, CTD_PLAIN, SNAPSHOTS "Remove", &request, &google__empty__descriptor,
				     NULL, &failure);
	guard_free(reply);
	if (lease)
		ctd_lease_mark(c);
	if (reply)
		return true;
	if (error_is(failure, ERROR_NOT_FOUND)) {
		g_clear_error(&failure);
		return !lease || ctd_lease_drop(c, type, key, error);
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

static bool list_read(rpc_call *call, const char *prefix, GPtrArray *names, GError **error)
{
	for (size_t n = 0;;) {
		GError *failure = NULL;
		g_autoptr(CtdSnapshots__ListSnapshotsResponse) part =
			rpc_call_recv_message(call, &ctd_snapshots__list_snapshots_response__descriptor, &failure);
		if (!part)
			return !failure || error_propagate(error, failure);
		n += part->n_info;
		if (n > (size_t)LIMIT_SNAPSHOTS)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "list snapshots: more than %lld",
					 LIMIT_SNAPSHOTS);
		for (size_t i = 0; i < part->n_info; i++)
			if (g_str_has_prefix(part->info[i]->name, prefix))
				g_ptr_array_add(names, g_strdup(part->info[i]->name));
	}
}

GPtrArray *ctd_snapshot_list(ctd_client *c, const char *snapshotter, const char *prefix, GError **error)
{
	CtdSnapshots__ListSnapshotsRequest request = CTD_SNAPSHOTS__LIST_SNAPSHOTS_REQUEST__INIT;
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	request.snapshotter = borrow(snapshotter);
	g_autoptr(rpc_call) call = ctd_stream(c, CTD_LONG, SNAPSHOTS "List", NULL, error);
	if (!call)
		return NULL;
	GError *failure = NULL;
	if (rpc_call_send_message(call, &request, &failure) && rpc_call_close_send(call, &failure) &&
	    list_read(call, prefix, names, &failure))
		return g_steal_pointer(&names);
	if (error_is(failure, ERROR_NOT_FOUND)) { /* containerd's store of snapshots, before the first one */
		g_clear_error(&failure);
		return g_steal_pointer(&names);
	}
	ctd_name_peer(c, failure);
	return error_propagate_null(error, failure);
}
