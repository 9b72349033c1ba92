/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_trees.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include "base/ident.h"
#include "base/scope.h"
#include "containerd/ctd_snapshots.h"
#include "os/dirlist.h"
#include "os/tree.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define ACTIVE_SUFFIX "-active" /* suffix of a snapshot's name until it is committed */

DEFINE_MESSAGE_AUTOPTR(CtdSnapshots__PrepareSnapshotResponse)

struct ctd_trees {
	ctd_client *client; /* borrowed */
	char *snapshotter, *lease_type;
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

/* ---- directories of the snapshot */
struct place {
	const char *fs, *work; /* borrowed from the mounts; work NULL: next to fs */
};

static const char *option_value(const Ctd__Mount *m, const char *prefix)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (g_str_has_prefix(m->options[i], prefix))
			return m->options[i] + strlen(prefix);
	return NULL;
}

static bool find_place(const ctd_trees *t, const CtdSnapshots__PrepareSnapshotResponse *reply, struct place *ret,
		       GError **error)
{
	const Ctd__Mount *m = reply->n_mounts == 1 ? reply->mounts[0] : NULL;
	struct place p = {0};
	if (m && strcmp(m->type, "overlay") == 0)
		p = (struct place){option_value(m, "upperdir="), option_value(m, "workdir=")};
	else if (m && strcmp(m->type, "bind") == 0)
		p.fs = m->source;
	if (!p.fs || !g_path_is_absolute(p.fs) || (p.work && !g_path_is_absolute(p.work)))
		return error_set(
			error, ERROR_UNIMPLEMENTED,
			"containerd's snapshotter \"%s\" has mounts of type \"%s\", which is not supported yet",
			t->snapshotter, m ? m->type : "");
	*ret = p;
	return true;
}

static bool make_links(const ctd_trees *t, int dir_fd, const struct place *p, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(p->fs);
	g_autofree char *beside = g_build_filename(parent, "work", NULL);
	return make_link(dir_fd, "fs", p->fs, error) &&
	       (!t->keeper.is_stacked || make_link(dir_fd, "work", p->work ? p->work : beside, error));
}

/* ---- operations */
static bool trees_seal(void *self, int dir_fd, GError **error)
{
	ctd_trees *t = self;
	if (is_sealed(dir_fd))
		return true;
	g_autofree char *key = read_link(dir_fd, "key", error);
	if (!key || !ctd_lease_use(t->client, error))
		return false;
	g_autofree char *active = active_key(key);
	GError *failure = NULL;
	bool ok = ctd_snapshot_commit(t->client, ctd_lease_id(t->client), t->snapshotter, key, active, &failure);
	/* Another thread was faster, or the reply to an earlier attempt was lost. */
	bool maybe = !ok && (error_is(failure, ERROR_NOT_FOUND) || error_is(failure, ERROR_ALREADY_EXISTS));
	if (maybe && ctd_snapshot_exists(t->client, t->snapshotter, key, NULL)) {
		g_clear_error(&failure);
		ok = true;
	}
	ctd_lease_leave(t->client);
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

static CtdSnapshots__PrepareSnapshotResponse *prepare_leased(ctd_trees *t, const char *active, const char *parent,
							     GError **error)
{
	if (!ctd_lease_use(t->client, error))
		return NULL;
	CtdSnapshots__PrepareSnapshotResponse *reply =
		ctd_snapshot_prepare(t->client, ctd_lease_id(t->client), t->snapshotter, active, parent, NULL, error);
	ctd_lease_leave(t->client);
	return reply;
}

static bool trees_prepare(void *self, int dir_fd, int parent_dir_fd, GError **error)
{
	ctd_trees *t = self;
	char random[IDENT_SIZE];
	ident_new(random);
	g_autofree char *parent = sealed_key(t, parent_dir_fd, error);
	g_autofree char *key = g_strconcat("buildkit-", random, NULL);
	g_autofree char *active = active_key(key);
	if (!parent || !make_link(dir_fd, "key", key, error))
		return false;
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) reply = prepare_leased(t, active, parent, error);
	struct place place;
	return reply && find_place(t, reply, &place, error) && make_links(t, dir_fd, &place, error);
}

static bool trees_discard(void *self, int dir_fd, GError **error)
{
	ctd_trees *t = self;
	g_autofree char *key = read_link(dir_fd, "key", NULL);
	if (!key)
		return true; /* the directory has no snapshot */
	g_autofree char *active = active_key(key);
	if (!is_sealed(dir_fd) && !ctd_snapshot_remove(t->client, t->snapshotter, active, error))
		return false;
	return ctd_snapshot_remove(t->client, t->snapshotter, key, error);
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
	struct place place;
	if (!find_place(t, base, &place, error) || !find_place(t, top, &place, error))
		return false;
	t->keeper.is_stacked = strcmp(top->mounts[0]->type, "overlay") == 0;
	t->kept_fd = open(place.fs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->kept_fd >= 0 || error_set_errno(error, errno, "open snapshot directory %s of containerd", place.fs);
}

static bool probe_under(ctd_trees *t, const char *key, GError **error)
{
	g_autofree char *active = active_key(key);
	g_autofree char *top_key = g_strconcat(key, "-top", NULL);
	const char *lease = ctd_lease_id(t->client);
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) base =
		ctd_snapshot_prepare(t->client, lease, t->snapshotter, active, "", NULL, error);
	if (!base || !ctd_snapshot_commit(t->client, lease, t->snapshotter, key, active, error))
		return false;
	g_autoptr(CtdSnapshots__PrepareSnapshotResponse) top =
		ctd_snapshot_prepare(t->client, lease, t->snapshotter, top_key, key, NULL, error);
	bool ok = top && look(t, base, top, error);
	return ctd_snapshot_remove(t->client, t->snapshotter, top_key, ok ? error : NULL) &&
	       ctd_snapshot_remove(t->client, t->snapshotter, key, ok ? error : NULL) && ok;
}

/* Creates two snapshots, one on top of the other, to examine the snapshotter's mounts. */
static bool probe(ctd_trees *t, GError **error)
{
	char random[IDENT_SIZE];
	ident_new(random);
	g_autofree char *key = g_strconcat("buildkit-probe-", random, NULL);
	if (!ctd_lease_use(t->client, error))
		return false;
	bool ok = probe_under(t, key, error);
	ctd_lease_leave(t->client);
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
			if (g_hash_table_contains(keys, it.key) ||
			    !ctd_snapshot_remove(t->client, t->snapshotter, it.key, NULL))
				continue;
			g_hash_table_iter_remove(&it.iter);
			progress = true;
		}
	}
}

static bool reconcile(ctd_trees *t, GError **error)
{
	g_autoptr(GHashTable) held = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) list = ctd_lease_list(t->client, t->lease_type, error);
	if (!list)
		return false;
	for (guint i = 0; i < list->len; i++) {
		bool there = ctd_snapshot_exists(t->client, t->snapshotter, list->pdata[i], error);
		if (!there && *error)
			return false;
		if (there)
			g_hash_table_add(held, g_strdup(list->pdata[i]));
		else
			ctd_lease_drop(t->client, t->lease_type, list->pdata[i], NULL);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++)
		collect_keys(t, keys, held, places[i]);
	remove_unknown(t, held, keys);
	return true;
}

ctd_trees *ctd_trees_open(ctd_client *client, const char *name, int root_fd, GError **error)
{
	g_autoptr(ctd_trees) t = g_new0(ctd_trees, 1);
	GError *failure = NULL;
	t->client = client;
	t->snapshotter = g_strdup(name);
	t->lease_type = g_strconcat("snapshots/", name, NULL);
	t->root_fd = root_fd;
	t->kept_fd = -1;
	t->keeper = (struct snapshot_keeper){
		.name = t->snapshotter,
		.prepare = trees_prepare,
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
	g_free(t);
}

const struct snapshot_keeper *ctd_trees_keeper(const ctd_trees *t)
{
	return &t->keeper;
}
