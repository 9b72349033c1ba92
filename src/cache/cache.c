/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "cache/record.h"
#include "base/hash_walk.h"
#include "os/mount.h"
#include "os/service.h"

static int open_dir(int root_fd, const char *name, GError **error)
{
	if (mkdirat(root_fd, name, 0700) < 0 && errno != EEXIST) {
		error_set_errno(error, errno, "create %s", name);
		return -1;
	}
	int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

static bool open_dirs(cache *c, GError **error)
{
	struct {
		int *fd;
		const char *name;
	} dirs[] = {{&c->work_fd, "work"}, {&c->snapshots_fd, "snapshots"}, {&c->trash_fd, "trash"}};
	for (size_t i = 0; i < G_N_ELEMENTS(dirs); i++) {
		*dirs[i].fd = open_dir(c->root_fd, dirs[i].name, error);
		if (*dirs[i].fd < 0)
			return false;
	}
	return true;
}

static cache *cache_new(const struct cache_options *options)
{
	cache *c = g_new0(cache, 1);
	c->root_fd = options->root_fd;
	c->work_fd = c->snapshots_fd = c->trash_fd = -1;
	c->blobs = options->blobs;
	c->images = options->images;
	c->images_data = options->images_data;
	c->provider_of = options->provider_of;
	c->provider_data = options->provider_data;
	c->boot_id = machine_boot_id();
	g_mutex_init(&c->mu);
	g_mutex_init(&c->flush_mu);
	g_mutex_init(&c->trash_mu);
	g_rw_lock_init(&c->sweep_lock);
	g_cond_init(&c->changed);
	g_cond_init(&c->wake);
	c->records = g_hash_table_new(g_str_hash, g_str_equal);
	c->trees = g_hash_table_new(g_str_hash, g_str_equal);
	c->by_chain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	c->by_blob_chain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	c->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	c->dirty_trees = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	c->shares_changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return c;
}

cache *cache_open(const struct cache_options *options, GError **error)
{
	cache *c = cache_new(options);
	/* Mounts of a previous daemon ended with its mount namespace; they are left over only if it ran without one. */
	g_autofree char *mounts = g_build_filename(options->root_path, "mounts", NULL);
	mount_sweep_below(mounts);
	c->snapshotter = options->keeper ? snapshotter_open_kept(c->root_fd, options->keeper, error)
					 : snapshotter_open(c->root_fd, options->snapshotter, error);
	if (!c->snapshotter || !open_dirs(c, error) || !store_open(c, error) || !recovery_load(c, error) ||
	    !recovery_sweep(c, error)) {
		cache_close(c);
		return NULL;
	}
	if (!options->foreign_blobs)
		cache_sweep_blobs(c); /* removes blobs of builds that a previous daemon did not finish */
	if (!store_start(c, error)) {
		cache_close(c);
		return NULL;
	}
	g_mutex_lock(&c->mu);
	store_wake_locked(c);
	g_mutex_unlock(&c->mu);
	return c;
}

static void free_tables(cache *c)
{
	for (struct hash_walk it = hash_walk(c->records); hash_walk_next(&it);)
		record_free(it.value);
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);)
		tree_free(it.value);
	g_hash_table_unref(c->records);
	g_hash_table_unref(c->trees);
	g_hash_table_unref(c->by_chain);
	g_hash_table_unref(c->by_blob_chain);
	g_hash_table_unref(c->by_name);
	g_hash_table_unref(c->dirty_trees);
	g_hash_table_unref(c->shares_changed);
	g_queue_clear_full(&c->dirty, g_free);
	g_queue_clear_full(&c->removed, g_free);
}

void cache_close(cache *c)
{
	if (!c)
		return;
	if (c->records)
		record_release_dead(c);
	store_close(c);
	free_tables(c);
	g_clear_pointer(&c->snapshotter, snapshotter_close);
	fd_close(&c->work_fd);
	fd_close(&c->snapshots_fd);
	fd_close(&c->trash_fd);
	g_mutex_clear(&c->mu);
	g_mutex_clear(&c->flush_mu);
	g_mutex_clear(&c->trash_mu);
	g_rw_lock_clear(&c->sweep_lock);
	g_cond_clear(&c->changed);
	g_cond_clear(&c->wake);
	g_free(c);
}

const char *cache_snapshotter_name(const cache *c)
{
	return snapshotter_name(c->snapshotter);
}

void cache_set_removed_hook(cache *c, void (*hook)(void *data, const char *id), void *data)
{
	g_mutex_lock(&c->mu);
	c->removed_hook = hook;
	c->removed_data = data;
	g_mutex_unlock(&c->mu);
}
