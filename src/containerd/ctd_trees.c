/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_trees.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "base/ident.h"
#include "base/scope.h"
#include "containerd/ctd_mounts.h"
#include "containerd/ctd_snapshots.h"
#include "os/dirlist.h"
#include "os/tree.h"
#include "snapshot/overlay.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define ACTIVE_SUFFIX "-active" /* suffix of a snapshot's name until it is committed */

#define LABEL_BYTES 4096 /* containerd's limit for the name and the value of a label together */
#define INHERITED_LABEL "containerd.io/snapshot/"
#define TARGET_LABEL "containerd.io/snapshot.ref"
#define STARGZ_LABEL "containerd.io/snapshot/remote/stargz."
#define IMAGE_LABEL "containerd.io/snapshot/cri.image-ref"

DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__PrepareSnapshotResponse)
DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__ViewSnapshotResponse)

struct ctd_trees {
	ctd_client *client; /* borrowed */
	char *snapshotter, *lease_type;
	char *prefix;      /* of our snapshots' names */
	const char *lease; /* borrowed; NULL: the peer has no leases */
	struct snapshot_keeper keeper;
	int kept_fd; /* owned: a directory on the file system of containerd's snapshots */
	int root_fd; /* borrowed */
};

/* ---- directory of a tree */
static char *read_link(int dir_fd, const char *name, GError **error)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, text, sizeof text - 1);
	if (n < 0 || n == sizeof text - 1)
		return error_null_errno(error, n < 0 ? errno : ENAMETOOLONG, "read the link \"%s\" of a tree", name);
	return g_strndup(text, (gsize)n);
}

static bool make_link(int dir_fd, const char *name, const char *target, GError **error)
{
	return symlinkat(target, dir_fd, name) == 0 ||
	       error_set_errno(error, errno, "create the link \"%s\" of a tree", name);
}

static bool is_sealed(int dir_fd)
{
	return faccessat(dir_fd, "sealed", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool mark_sealed(int dir_fd, GError **error)
{
	return symlinkat(".", dir_fd, "sealed") == 0 || errno == EEXIST ||
	       error_set_errno(error, errno, "create the link \"sealed\" of a tree");
}

static char *active_key(const char *key)
{
	return g_strconcat(key, ACTIVE_SUFFIX, NULL);
}

/* ---- calls */
static bool lease_use(const ctd_trees *t, GError **error)
{
	return !t->lease || ctd_lease_use(t->client, error);
}

static void lease_leave(const ctd_trees *t)
{
	if (t->lease)
		ctd_lease_leave(t->client);
}

static bool snapshot_remove(const ctd_trees *t, const char *key, GError **error)
{
	return ctd_snapshot_remove(t->client, t->lease, t->snapshotter, key, error);
}

static char *new_key(const ctd_trees *t, const char *word)
{
	char random[IDENT_SIZE];
	ident_new(random);
	return g_strconcat(t->prefix, word, random, NULL);
}

/* Only overlays have a work directory. */
static bool make_links(const ctd_trees *t, int dir_fd, const struct ctd_place *p, GError **error)
{
	if (!make_link(dir_fd, "fs", p->fs, error))
		return false;
	if (!t->keeper.is_stacked)
		return true;
	g_autofree char *parent = g_path_get_dirname(p->fs);
	g_autofree char *beside = g_build_filename(parent, "work", NULL);
	return make_link(dir_fd, "work", p->work ? p->work : beside, error);
}

/* ---- operations */
static bool trees_seal(void *self, int dir_fd, GError **error)
{
	ctd_trees *t = self;
	if (is_sealed(dir_fd))
		return true;
	g_autofree char *key = read_link(dir_fd, "key", error);
	if (!key || !lease_use(t, error))
		return false;
	g_autofree char *active = active_key(key);
	GError *failure = NULL;
	bool ok = ctd_snapshot_commit(t->client, t->lease, t->snapshotter, key, active, &failure);
	/* Another thread was faster, or the reply to an earlier attempt was lost. */
	bool maybe = !ok && (error_is(failure, ERROR_NOT_FOUND) || error_is(failure, ERROR_ALREADY_EXISTS));
	if (maybe && ctd_snapshot_exists(t->client, t->snapshotter, key, NULL)) {
		g_clear_error(&failure);
		ok = true;
	}
	lease_leave(t);
	if (failure)
		g_propagate_error(error, failure);
	return ok && mark_sealed(dir_fd, error);
}

static char *sealed_key(ctd_trees *t, int dir_fd, GError **error)
{
	if (dir_fd < 0)
		return g_strdup("");
	return trees_seal(t, dir_fd, error) ? read_link(dir_fd, "key", error) : NULL;
}

static CtdSnapshots__PrepareSnapshotResponse *prepare_leased(ctd_trees *t, struct ctd_snapshot_request *request,
							     cancel *stop, GError **error)
{
	if (!lease_use(t, error))
		return NULL;
	request->lease = t->lease;
	request->snapshotter = t->snapshotter;
	CtdSnapshots__PrepareSnapshotResponse *reply = ctd_snapshot_prepare(t->client, request, stop, error);
	lease_leave(t);
	return reply;
}

/* The kind of mounts decides whether trees are stacked, so it must stay the same. */
static bool find_place(const ctd_trees *t, Ctd__Mount *const *mounts, size_t n, bool has_parent, struct ctd_place *ret,
		       GError **error)
{
	if (!ctd_place_find(mounts, n, t->snapshotter, ret, error))
		return false;
	return !has_parent || ret->is_overlay == t->keeper.is_stacked ||
	       error_set(error, ERROR_FAILED_PRECONDITION,
			 "snapshotter \"%s\" returned a mount of another type than before", t->snapshotter);
}

static bool trees_prepare(void *self, int dir_fd, int parent_dir_fd, cancel *stop, GError **error)
{
	ctd_trees *t = self;
	g_autofree char *parent = sealed_key(t, parent_dir_fd, error);
	g_autofree char *key = new_key(t, "");
	g_autofree char *active = active_key(key);
	if (!parent || !make_link(dir_fd, "key", key, error))
		return false;
	struct ctd_snapshot_request request = {.key = active, .parent = parent};
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) reply = prepare_leased(t, &request, stop, error);
	g_auto(ctd_place) place = {0};
	return reply && find_place(t, reply->mounts, reply->n_mounts, *parent, &place, error) &&
	       make_links(t, dir_fd, &place, error);
}

/* ---- remote snapshots */
struct labels {
	struct ctd_label list[32];
	size_t n;
};

static void add_label(struct labels *l, const char *key, const char *value)
{
	if (l->n < G_N_ELEMENTS(l->list) && strlen(key) + strlen(value) <= LABEL_BYTES)
		l->list[l->n++] = (struct ctd_label){key, value};
}

/* The labels that stargz-snapshotter reads, and the annotations for snapshotters. */
static struct labels labels_of(const struct snapshot_remote *from, const char *key)
{
	struct labels l = {0};
	add_label(&l, TARGET_LABEL, key);
	add_label(&l, IMAGE_LABEL, from->reference);
	add_label(&l, STARGZ_LABEL "reference", from->reference);
	add_label(&l, STARGZ_LABEL "digest", from->digest);
	add_label(&l, STARGZ_LABEL "layers", from->layers);
	for (struct hash_walk it = hash_walk(from->annotations); hash_walk_next(&it);)
		if (g_str_has_prefix(it.key, INHERITED_LABEL) && !g_str_has_prefix(it.key, STARGZ_LABEL) &&
		    strcmp(it.key, IMAGE_LABEL) != 0)
			add_label(&l, it.key, it.value);
	return l;
}

/* Only a view tells where the files of a committed snapshot are. It is removed again: the snapshot keeps them. */
static bool find_committed(ctd_trees *t, const char *key, cancel *stop, struct ctd_place *ret, GError **error)
{
	g_autofree char *view = g_strconcat(key, "-view", NULL);
	if (!lease_use(t, error))
		return false;
	const struct ctd_snapshot_request request = {
		.lease = t->lease, .snapshotter = t->snapshotter, .key = view, .parent = key};
	g_autoptr(CtdSnapshots__ViewSnapshotResponse) reply = ctd_snapshot_view(t->client, &request, stop, error);
	lease_leave(t);
	if (!reply)
		return false;
	bool ok = ctd_place_find(reply->mounts, reply->n_mounts, t->snapshotter, ret, error);
	return snapshot_remove(t, view, ok ? error : NULL) && ok;
}

static bool is_mount_point(int dir_fd)
{
	struct statx st;
	return statx(dir_fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

static bool adopt_remote(ctd_trees *t, int dir_fd, const char *key, cancel *stop, GError **error)
{
	g_auto(ctd_place) place = {0};
	if (t->lease && !ctd_lease_add(t->client, t->lease_type, key, error))
		return false;
	if (!find_committed(t, key, stop, &place, error))
		return false;
	scoped_fd fs = open(place.fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs < 0)
		return error_set_errno(error, errno, "open remote snapshot %s", place.fs);
	const char *kind = is_mount_point(fs) ? OVERLAY_REMOTE_MOUNT : OVERLAY_REMOTE_PLAIN;
	return make_link(dir_fd, OVERLAY_REMOTE, kind, error) && make_link(dir_fd, "fs", place.fs, error) &&
	       mark_sealed(dir_fd, error);
}

/* The snapshotter reports a layer that it has mounted as a snapshot that exists already. */
static bool trees_prepare_remote(void *self, int dir_fd, int parent_dir_fd, const struct snapshot_remote *from,
				 cancel *stop, bool *ret_found, GError **error)
{
	ctd_trees *t = self;
	g_autofree char *parent = sealed_key(t, parent_dir_fd, error);
	g_autofree char *key = new_key(t, "");
	g_autofree char *active = active_key(key);
	GError *failure = NULL;
	*ret_found = false;
	if (!parent || !make_link(dir_fd, "key", key, error))
		return false;
	struct labels labels = labels_of(from, key);
	struct ctd_snapshot_request request = {
		.key = active, .parent = parent, .labels = labels.list, .n_labels = labels.n};
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) reply = prepare_leased(t, &request, stop, &failure);
	if (reply)
		return true;
	if (!error_is(failure, ERROR_ALREADY_EXISTS))
		return error_propagate(error, failure);
	g_clear_error(&failure);
	bool exists = ctd_snapshot_exists(t->client, t->snapshotter, key, &failure);
	if (failure || (exists && !adopt_remote(t, dir_fd, key, stop, &failure)))
		return error_propagate(error, failure);
	*ret_found = exists;
	return true;
}

static bool trees_discard(void *self, int dir_fd, GError **error)
{
	ctd_trees *t = self;
	g_autofree char *key = read_link(dir_fd, "key", NULL);
	if (!key)
		return true; /* the directory has no snapshot */
	g_autofree char *active = active_key(key);
	if (!is_sealed(dir_fd) && !snapshot_remove(t, active, error))
		return false;
	return snapshot_remove(t, key, error);
}

static bool trees_sync(void *self, GError **error)
{
	const ctd_trees *t = self;
	return syncfs(t->kept_fd) == 0 || error_set_errno(error, errno, "sync containerd's snapshots");
}

/* ---- type of snapshotter */
static bool look(ctd_trees *t, const CtdSnapshots__PrepareSnapshotResponse *base,
		 const CtdSnapshots__PrepareSnapshotResponse *top, GError **error)
{
	g_auto(ctd_place) below = {0}, place = {0};
	if (!ctd_place_find(base->mounts, base->n_mounts, t->snapshotter, &below, error) ||
	    !ctd_place_find(top->mounts, top->n_mounts, t->snapshotter, &place, error))
		return false;
	t->keeper.is_stacked = place.is_overlay;
	t->kept_fd = open(place.fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->kept_fd >= 0 || error_set_errno(error, errno, "open snapshot directory %s", place.fs);
}

static bool probe_under(ctd_trees *t, const char *key, GError **error)
{
	g_autofree char *active = active_key(key);
	g_autofree char *top_key = g_strconcat(key, "-top", NULL);
	struct ctd_snapshot_request request = {
		.lease = t->lease, .snapshotter = t->snapshotter, .key = active, .parent = ""};
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) base = ctd_snapshot_prepare(t->client, &request, NULL, error);
	if (!base || !ctd_snapshot_commit(t->client, t->lease, t->snapshotter, key, active, error))
		return false;
	request.key = top_key;
	request.parent = key;
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) top = ctd_snapshot_prepare(t->client, &request, NULL, error);
	bool ok = top && look(t, base, top, error);
	return snapshot_remove(t, top_key, ok ? error : NULL) && snapshot_remove(t, key, ok ? error : NULL) && ok;
}

/* Creates two snapshots, one on top of the other, to examine the snapshotter's mounts. */
static bool probe(ctd_trees *t, GError **error)
{
	g_autofree char *key = new_key(t, "probe-");
	if (!lease_use(t, error))
		return false;
	bool ok = probe_under(t, key, error);
	lease_leave(t);
	if (t->lease)
		ctd_lease_mark(t->client);
	if (!ok)
		g_prefix_error(error, "snapshotter \"%s\": ", t->snapshotter);
	return ok;
}

/* ---- remains of a previous daemon */
static const char *const places[] = {"work", "snapshots", "trash"};

static void collect_keys(const ctd_trees *t, GHashTable *keys, GHashTable *held, const char *place)
{
	scoped_fd fd = openat(t->root_fd, place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	scoped_dirlist list = {0};
	if (fd >= 0)
		dirlist_read(&list, fd, NULL);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		scoped_fd tree = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		g_autofree char *key = tree < 0 || name[0] == '.' ? NULL : read_link(tree, "key", NULL);
		if (!key)
			continue;
		g_autofree char *active = active_key(key);
		if (g_hash_table_contains(held, key) || g_hash_table_contains(held, active)) {
			g_hash_table_add(keys, g_steal_pointer(&key));
			g_hash_table_add(keys, g_steal_pointer(&active));
		} else {
			tree_remove_at(fd, name, NULL); /* containerd lost it */
		}
	}
}

/* Snapshots that others are based on are removed in a later round. */
static void remove_unknown(ctd_trees *t, GHashTable *held, GHashTable *keys)
{
	for (bool progress = true; progress;) {
		progress = false;
		for (struct hash_walk it = hash_walk(held); hash_walk_next(&it);) {
			if (g_hash_table_contains(keys, it.key) || !snapshot_remove(t, it.key, NULL))
				continue;
			g_hash_table_iter_remove(&it.iter);
			progress = true;
		}
	}
}

/* Adds the snapshots of our lease to held, and removes those from the lease that do not exist. */
static bool list_leased(ctd_trees *t, GHashTable *held, GError **error)
{
	g_autoptr(GPtrArray) list = ctd_lease_list(t->client, t->lease_type, error);
	if (!list)
		return false;
	for (guint i = 0; i < list->len; i++) {
		GError *failure = NULL;
		bool there = ctd_snapshot_exists(t->client, t->snapshotter, list->pdata[i], &failure);
		if (failure)
			return error_propagate(error, failure);
		if (there)
			g_hash_table_add(held, g_strdup(list->pdata[i]));
		else
			ctd_lease_drop(t->client, t->lease_type, list->pdata[i], NULL);
	}
	return true;
}

static bool list_named(ctd_trees *t, GHashTable *held, GError **error)
{
	g_autoptr(GPtrArray) list = ctd_snapshot_list(t->client, t->snapshotter, t->prefix, error);
	for (guint i = 0; list && i < list->len; i++)
		g_hash_table_add(held, g_strdup(list->pdata[i]));
	return list != NULL;
}

static bool reconcile(ctd_trees *t, GError **error)
{
	g_autoptr(GHashTable) held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (!(t->lease ? list_leased : list_named)(t, held, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		collect_keys(t, keys, held, places[i]);
	remove_unknown(t, held, keys);
	return true;
}

ctd_trees *ctd_trees_open(ctd_client *client, const char *name, const char *owner, int root_fd, GError **error)
{
	g_autoptr(ctd_trees) t = g_new0(ctd_trees, 1);
	GError *failure = NULL;
	t->client = client;
	t->snapshotter = g_strdup(name);
	t->lease_type = g_strconcat("snapshots/", name, NULL);
	t->lease = owner ? NULL : ctd_lease_id(client);
	t->prefix = owner ? g_strconcat("buildkit-", owner, "-", NULL) : g_strdup("buildkit-");
	t->root_fd = root_fd;
	t->kept_fd = -1;
	t->keeper = (struct snapshot_keeper){
		.name = t->snapshotter,
		.prepare = trees_prepare,
		.prepare_remote = strcmp(name, "stargz") == 0 ? trees_prepare_remote : NULL,
		.seal = trees_seal,
		.discard = trees_discard,
		.sync = trees_sync,
		.self = t,
	};
	if (reconcile(t, &failure) && probe(t, &failure))
		return g_steal_pointer(&t);
	return error_propagate_null(error, failure);
}

void ctd_trees_close(ctd_trees *t)
{
	if (!t)
		return;
	fd_close(&t->kept_fd);
	g_free(t->snapshotter);
	g_free(t->lease_type);
	g_free(t->prefix);
	g_free(t);
}

const struct snapshot_keeper *ctd_trees_keeper(const ctd_trees *t)
{
	return &t->keeper;
}
